# %% [markdown]
# # 24. Recommendation
#
# A hundred thousand ratings of films, and the question which film somebody will watch next: this lesson writes four
# recommenders, one of them in five lines of linear algebra, and shows how easily their scores deceive.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.linear_model import Ridge
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.hybrid_multimodal.data.movielens import read_ml100k
from torchworks.hybrid_multimodal.recommendation import baselines
from torchworks.hybrid_multimodal.recommendation.metrics import ranking_scores
from torchworks.lessons import save_figure

# %% [markdown]
# MovieLens 100K (Harper and Konstan 2015): 943 people, 1,682 films. **It may be used for research and teaching, not for
# business**; ask this of every data set before the first line of code. We take a rating as "has watched it", whatever
# the rating: that is what a shop knows.
#
# ## Leave the last one out
#
# Of each person, the last film is for testing, the one before for choosing settings, and the rest for learning. Which
# is last is a question of **time**: whoever draws test events at random trains on the future.

# %%
log = read_ml100k()
users, items, times = (torch.as_tensor(column) for column in (log.users - 1, log.items - 1, log.times))
order = times.argsort(stable=True)
order = order[users[order].argsort(stable=True)]  # by person, and of each person by time
users, items = users[order], items[order]
USERS, ITEMS = int(users.max()) + 1, int(items.max()) + 1
ends = users.bincount().cumsum(0)  # where each person's events end
test_item, valid_item = items[ends - 1], items[ends - 2]
everybody = torch.arange(USERS)
watched = torch.zeros(USERS, ITEMS)
watched[users, items] = 1
watched[everybody, test_item] = 0  # what is known before the test: 943 × 1682
known = watched.clone()
known[everybody, valid_item] = 0  # what is known before the choice of settings
print(f"{int(known.sum())} events to learn from, {USERS} to choose by, {USERS} to be tested by")
print(f"of all pairs of a person and a film, {watched.mean():.1%} are known")


# %% [markdown]
# ## Rank everything
#
# A recommender gives each film a score. Strike out what the person knows already, and see at which **rank** the film of
# the test stands. **Hit rate@10**: how often it is among the first ten. **NDCG@10** also cares where: a hit at rank r
# counts 1 / log2(r + 1).


# %%
def ranks(scores: Tensor, wanted: Tensor, left_out: Tensor) -> Tensor:
    """The rank (N,), from 1 on, of each person's wanted film; of equal scores the wanted one comes last."""
    scores = scores.masked_fill(left_out.bool(), -math.inf)
    own = scores.gather(1, wanted[:, None])
    return (scores >= own).sum(dim=1)


def hit_rate(rank: Tensor) -> float:
    return (rank <= 10).float().mean().item()


def ndcg(rank: Tensor) -> float:
    return torch.where(rank <= 10, 1 / torch.log2(rank + 1.0), 0.0).mean().item()


torch.manual_seed(0)
noise = torch.rand(USERS, ITEMS)
rank = ranks(noise, test_item, watched)
front = torch.zeros(USERS, 1)  # the package counts films from 1 on and has an empty first column
theirs = ranking_scores(
    torch.cat([front, noise], dim=1),
    torch.cat([front, F.one_hot(test_item, ITEMS).float()], dim=1).bool(),
    torch.cat([front, watched], dim=1).bool(),
)
assert abs(theirs["hit_rate_at_10"].mean().item() - hit_rate(rank)) < 1e-6
assert abs(theirs["ndcg_at_10"].mean().item() - ndcg(rank)) < 1e-6


# %% [markdown]
# ## Four recommenders
#
# **Popularity**: the same films for everybody, the most watched first. The baseline that many a paper forgets.
#
# **Item-kNN**: two films are alike if the same people watched them (the cosine between their columns). Each film that
# you know votes for the films most like it.


# %%
def item_knn(x: Tensor, neighbors: int) -> Tensor:
    """Similarities (I, I): of each column the largest `neighbors`, others 0."""
    length = x.norm(dim=0).clamp(min=1e-9)
    similarity = ((x.T @ x) / (length[:, None] * length)).fill_diagonal_(0)
    least = similarity.topk(neighbors, dim=0).values[-1]
    return torch.where(similarity >= least, similarity, 0.0)


assert torch.allclose(item_knn(known, 20), baselines.item_knn(known, 20), atol=1e-5)


# %% [markdown]
# **EASE** (Steck 2019) learns those votes by linear regression: guess each film's column from all **other** columns.
# That is 1,682 regressions, and one matrix inverse answers them all: $W_{ij} = -P_{ij} / P_{jj}$ with
# $P = (X^\top X + \lambda)^{-1}$. We check one of the columns against a regression of its own.


# %%
def ease(x: Tensor, penalty: float) -> Tensor:
    """Votes (I, I) of film i for film j, with a diagonal of 0."""
    gram = (x.T @ x).double()
    gram.diagonal().add_(penalty)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    return (-inverse / inverse.diagonal()).fill_diagonal_(0).float()


votes = ease(known, 300.0)
others = torch.arange(ITEMS) != 49
one = Ridge(300.0, fit_intercept=False).fit(known[:, others].double().numpy(), known[:, 49].double().numpy())
assert torch.allclose(votes[others, 49], torch.tensor(one.coef_).float(), atol=1e-5)
strongest = votes[:, 49].topk(3).indices
print(f"for {log.catalogue.titles[49]} vote most:", "; ".join(log.catalogue.titles[i] for i in strongest))


# %% [markdown]
# **Matrix factorization**: a vector for each person and each film; their product is the score. We train the vectors
# in two ways. **Softmax**: of all films, which did this person watch? **BPR** (Rendle et al. 2009): a film that was
# watched should score above one that was not, drawn at random.


# %%
class Factors(nn.Module):
    """Vectors of people and films: → scores (U, I)."""

    def __init__(self, size: int = 32) -> None:
        super().__init__()
        self.people = nn.Parameter(0.1 * torch.randn(USERS, size))
        self.films = nn.Parameter(0.1 * torch.randn(ITEMS, size))
        self.bias = nn.Parameter(torch.zeros(ITEMS))

    def forward(self) -> Tensor:
        return self.people @ self.films.T + self.bias


def by_softmax(x: Tensor, penalty: float, steps: int = 80) -> Tensor:
    """Scores after training on all people at once."""
    torch.manual_seed(0)
    model = Factors()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(steps):
        loss = -(x * F.log_softmax(model(), dim=1)).sum() / x.sum()
        loss = loss + penalty * (model.people.square().sum() + model.films.square().sum())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model().detach()


def by_pairs(x: Tensor, steps: int = 500) -> Tensor:
    """Scores after training on pairs (BPR)."""
    torch.manual_seed(0)
    model = Factors()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    person, liked = x.nonzero(as_tuple=True)
    for _ in range(steps):
        rows = torch.randint(len(person), (2048,))
        who, good, bad = model.people[person[rows]], liked[rows], torch.randint(ITEMS, (2048,))
        margin = (who * (model.films[good] - model.films[bad])).sum(dim=1) + model.bias[good] - model.bias[bad]
        loss = -F.logsigmoid(margin).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model().detach()


# %% [markdown]
# Settings are chosen by the film before the last, never by the test. Then each method learns once more, with that film.

# %%
CHOICES = {
    "item-kNN": (lambda x, neighbors: x @ item_knn(x, neighbors), (20, 100)),
    "EASE": (lambda x, penalty: x @ ease(x, penalty), (100.0, 300.0)),
    "factors": (by_softmax, (1e-5, 3e-5)),
}
results = {"random": noise, "popularity": watched.sum(dim=0).expand(USERS, ITEMS), "factors, BPR": by_pairs(watched)}
for name, (method, settings) in CHOICES.items():
    found = [ndcg(ranks(method(known, setting), valid_item, known)) for setting in settings]
    best = settings[found.index(max(found))]
    results[name] = method(watched, best)
    print(f"{name:<12} chosen: {best:g}")
all_ranks = {name: ranks(scores, test_item, watched) for name, scores in results.items()}

# %% [markdown]
# ## Sampled scores
#
# Ranking all films was once thought too slow. So many papers rank the wanted film among 99 others, drawn at random.
# Most of these are films that nobody watches, and any method puts them behind:


# %%
def sampled_ranks(scores: Tensor, seed: int = 0) -> Tensor:
    """Ranks among the wanted film and 99 that the person does not know."""
    allowed = 1 - watched
    allowed[everybody, test_item] = 0
    others = torch.multinomial(allowed, 99, generator=torch.Generator().manual_seed(seed))
    return 1 + (scores.gather(1, others) >= scores.gather(1, test_item[:, None])).sum(dim=1)


popular = watched.sum(dim=0).argsort(descending=True)[: ITEMS // 10]  # a tenth of the films
is_popular = torch.zeros(ITEMS, dtype=torch.bool).index_fill(0, popular, True)
table = {}
print("              hit rate  NDCG   hit rate      of the ten, films from   different films")
print("              @10       @10    among 100     the most popular tenth   in all tens")
for name, scores in sorted(results.items(), key=lambda pair: ndcg(all_ranks[pair[0]])):
    tens = scores.masked_fill(watched.bool(), -math.inf).topk(10).indices
    table[name] = (
        hit_rate(all_ranks[name]),
        ndcg(all_ranks[name]),
        hit_rate(sampled_ranks(scores)),
        is_popular[tens].float().mean().item(),
        len(tens.unique()),
    )
    hits, gain, sampled, share, different = table[name]
    print(f"{name:<12}  {hits:.3f}     {gain:.3f}  {sampled:.3f}         {share:4.0%}                     {different}")
error = math.sqrt(table["EASE"][0] * (1 - table["EASE"][0]) / USERS)
print(f"standard error of such a hit rate: {error:.3f}")
assert table["random"][0] < table["popularity"][0] < table["item-kNN"][0] + error
assert table["popularity"][0] < table["EASE"][0] - 3 * error
assert abs(table["EASE"][0] - table["factors"][0]) < 3 * error
assert table["factors, BPR"][2] > table["popularity"][2] + 0.1  # sampled: far better
assert table["factors, BPR"][0] < table["popularity"][0] + 2 * error  # all films: no better

# %% [markdown]
# Three things to take away.
#
# **The simple methods hold.** EASE and item-kNN need no training and no GPU, and the factors that were trained are no
# better than EASE, within what 943 people can tell. On small data, start with EASE.
#
# **Sampled scores flatter and mislead.** They are four to six times as high, and by them BPR is far ahead of
# popularity, near item-kNN. Among all films it is hardly better than popularity. BPR learns to beat a **random** film,
# which is what the sampled score asks. Somebody who opens the app sees ten of all films (Krichene and Rendle 2020).
#
# **Popular films win by being popular.** Half of what is recommended, or far more, is from a tenth of the catalogue.
# People watch what is shown to them, which makes it more popular: the loop that you start by recommending. So look at
# the last two columns beside the score: what share of the catalogue anybody ever gets to see.
#
# ## The figure
#
# Left: the same methods by both scores, in the order of their NDCG. Right: how popular the recommended films are, and
# how many different ones anybody is shown. The dashed line is what falls on the most popular tenth in the data.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.4), layout="constrained")
names = list(table)
left.barh(names, [table[name][2] for name in names], color="lightgray", label="among 100, sampled")
left.barh(names, [table[name][0] for name in names], color="tab:blue", height=0.5, label="among all films")
for place, name in enumerate(names):
    left.text(table[name][2] + 0.01, place, f"{table[name][0]:.3f} | {table[name][2]:.2f}", va="center")
left.set(xlabel="hit rate @10", xlim=(0, 0.85), title="the same recommenders, by two scores")
left.legend(loc="lower right")
for name, marker in zip(names, "osD^vP", strict=True):
    right.plot(table[name][4], table[name][3], marker, markersize=9, label=name)
right.axhline(
    watched[:, is_popular].sum().item() / watched.sum().item(), color="black", linestyle="--", label="in the data"
)
right.set(
    xlabel="different films in the tens of all people",
    ylabel="share from the most popular tenth",
    ylim=(0, 1.05),
    title="what people get to see",
)
right.legend(loc="upper right")
save_figure(figure, "recommendation")

# %% [markdown]
# ## What goes wrong
#
# **A model that knows nothing is perfect.** It gives all films the same score, and the rank counts only what is
# **above** the wanted film. A net that broke down into a constant looks like a triumph:
#
# ```python
# import torch
#
# scores, wanted = torch.zeros(4, 100), torch.tensor([3, 14, 15, 92])
# rank = 1 + (scores > scores.gather(1, wanted[:, None])).sum(dim=1)
# print((rank <= 10).float().mean().item())
# ```
# ```text
# 1.0
# ```
#
# Count ties against the model:
#
# ```python
# rank = (scores >= scores.gather(1, wanted[:, None])).sum(dim=1)
# assert (rank <= 10).float().mean().item() == 0.0
# ```
#
# **Films are counted from 1 on in the file,** and rows of an embedding from 0 on:
#
# ```python
# films = torch.nn.Embedding(1682, 8)
# films(torch.tensor([1, 1682]))
# ```
# ```text
# IndexError: index out of range in self
# ```
#
# ```python
# films(torch.tensor([1, 1682]) - 1)
# ```
#
# **It recommends what you have just watched.** Known films have the highest scores of all, for the model was trained on
# them. Nothing is left in the ten for the film of the test:
#
# ```python
# known = torch.tensor([0, 1, 2])
# scores = torch.tensor([9.0, 8.0, 7.0, 3.0, 2.0])
# print(scores.topk(2).indices.tolist())
# ```
# ```text
# [0, 1]
# ```
#
# ```python
# assert scores.index_fill(0, known, -torch.inf).topk(2).indices.tolist() == [3, 4]
# ```
#
# ## Exercises
#
# In `lessons/answers/recommendation.py`; check them with `make check-lesson NAME=recommendation`.
#
# 1. `last_events`: which events are for testing.
# 2. `recommend`: the best films that somebody does not know.
# 3. `catalogue_shares`: how unevenly recommendations fall on films.
#
# ## Where this lives
#
# In [`hybrid-multimodal`](../../packages/hybrid-multimodal/README.md), `make train-hybrid-multimodal`:
#
# - [`baselines.py`](../../packages/hybrid-multimodal/src/torchworks/hybrid_multimodal/recommendation/baselines.py):
#   popularity, item-kNN, EASE and random walks, beside every recommender that is trained.
# - [`metrics.py`](../../packages/hybrid-multimodal/src/torchworks/hybrid_multimodal/recommendation/metrics.py):
#   full ranking, with ties against the model.
# - [`interactions.py`](../../packages/hybrid-multimodal/src/torchworks/hybrid_multimodal/data/interactions.py)
#   splits by time, at random, or by films that nobody has watched yet.
