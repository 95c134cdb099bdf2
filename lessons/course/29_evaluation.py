# %% [markdown]
# # 29. Honest evaluation
#
# "Accuracy 92 %" answers few questions; this lesson draws curves of a rare class, asks whether probabilities can be
# believed, says how sure a score is, compares two models, and chooses a threshold without cheating.
#
# The task: which of many smudged digits are an **8**? One in ten is. Whoever always says "no" is right in 90 % of all
# cases. So accuracy will not do, and everything below exists because of that.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats
from sklearn import metrics
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.lessons import save_figure
from torchworks.shared.classification import ranking
from torchworks.shared.classification.metrics import share_interval

digits = load_digits()
generator = torch.Generator().manual_seed(0)
x = torch.tensor(digits.data, dtype=torch.float32) / 16
x = x + 0.35 * torch.randn(x.shape, generator=generator)  # smudged: (1797, 64)
y = torch.tensor(digits.target == 8).long()
order = torch.randperm(len(x), generator=generator)
train, valid, test = order[:500], order[500:1000], order[1000:]
print(
    f"test part: {len(test)} images, {int(y[test].sum())} eights; always 'no': {1 - y[test].float().mean():.1%} right"
)


# %%
def fit(net: nn.Module, steps: int, decay: float) -> nn.Module:
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=decay)
    for _ in range(steps):
        rows = train[torch.randint(len(train), (64,))]
        optimizer.zero_grad()
        F.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
    return net


torch.manual_seed(0)
linear = fit(nn.Linear(64, 2), 300, 0.1)
mlp = fit(nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)), 500, 0.0)  # until it knows all by heart
with torch.no_grad():
    logits = {name: {part: net(x[rows]) for part, rows in (("valid", valid), ("test", test))}
              for name, net in (("linear", linear), ("mlp", mlp))}  # fmt: skip
    print(f"the MLP on its training part: {(mlp(x[train]).argmax(1) == y[train]).float().mean():.1%}")
label = y[test].numpy()
score = {name: (each["test"][:, 1] - each["test"][:, 0]).double().numpy() for name, each in logits.items()}
right = {name: (score[name] > 0) == (label == 1) for name in score}
for name in score:
    print(f"{name:<7} accuracy {right[name].mean():.1%}, eights found {(score[name][label == 1] > 0).mean():.1%}")

# %% [markdown]
# ## Ranking: the ROC curve
#
# The net gives a score; a threshold makes an answer of it. Move the threshold from high to low, and count: which share
# of the 8s is found (the true positive rate), and which share of the others is called an 8 (the false positive rate)?
# That is the **ROC curve**. The area under it has a meaning of its own: the chance that a random 8 has a higher score
# than a random other image. 0.5 is guessing.


# %%
def auroc(score: np.ndarray, label: np.ndarray) -> float:
    """All pairs of a positive and a negative; a tie counts one half."""
    pairs = score[label == 1][:, None] - score[label == 0][None]
    return ((pairs > 0).mean() + (pairs == 0).mean() / 2).item()


def curves(score: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False positive rate, true positive rate (which is the recall) and precision, from the highest threshold on."""
    ranked = label[np.argsort(-score, kind="stable")]
    found, wrong = ranked.cumsum(), (1 - ranked).cumsum()
    return wrong / wrong[-1], found / found[-1], found / (found + wrong)


def average_precision(score: np.ndarray, label: np.ndarray) -> float:
    """The mean precision at the places of the positives (scores without ties)."""
    return curves(score, label)[2][np.sort(-score).searchsorted(-score[label == 1])].mean().item()


for name in score:
    assert abs(auroc(score[name], label) - metrics.roc_auc_score(label, score[name])) < 1e-12
    assert abs(average_precision(score[name], label) - metrics.average_precision_score(label, score[name])) < 1e-12
    print(f"{name:<7} AUROC {auroc(score[name], label):.3f}, average precision "
          f"{average_precision(score[name], label):.3f}: equal to scikit-learn's")  # fmt: skip
assert auroc(score["mlp"], label) > auroc(score["linear"], label) > 0.7

# %% [markdown]
# ## Rare things: precision and recall
#
# The ROC curve looks at each class by itself. So it does not change if 8s become ten times as rare, and that is the
# trap: of 10,000 others, a false positive rate of 1 % makes 100 false alarms. **Precision** asks: of those that you
# called an 8, how many are one? Guessing has a precision of the share of positives, not of one half.

# %%
few = np.concatenate([np.flatnonzero(label == 1)[::10], np.flatnonzero(label == 0)])  # keep each tenth 8
for name, rows in (("as it is", slice(None)), ("8s ten times as rare", few)):
    one, two = score["mlp"][rows], label[rows]
    print(f"{name:<21} AUROC {auroc(one, two):.3f}, average precision {average_precision(one, two):.3f}, "
          f"guessing {two.mean():.3f}")  # fmt: skip
assert abs(auroc(score["mlp"][few], label[few]) - auroc(score["mlp"], label)) < 0.15
assert average_precision(score["mlp"][few], label[few]) < average_precision(score["mlp"], label) - 0.1

# %% [markdown]
# ## Can the probabilities be believed?
#
# Of all answers of which the net is 90 % sure, nine in ten should be right: then it is **calibrated**. To see it, sort
# the answers into bins by confidence, and compare the mean confidence of a bin with its accuracy. The **expected
# calibration error** is the mean gap, weighted by the bins' sizes.
#
# A net that has learnt its training part by heart is far too sure. The cure costs one number: divide all logits by a
# **temperature** (Guo et al. 2017), chosen on the **validation** part for the lowest loss. No answer and no rank
# changes, so neither accuracy nor AUROC can get worse.


# %%
def bins_of(probability: Tensor, label: Tensor, bins: int = 15) -> tuple[Tensor, Tensor, Tensor]:
    """Mean confidence, accuracy and number of the answers in each bin that is not empty."""
    confidence, answer = probability.max(dim=1)
    place, correct = (confidence * bins).long().clamp(max=bins - 1), (answer == label).float()
    count = place.bincount(minlength=bins)
    sums = [torch.zeros(bins).index_add_(0, place, each) for each in (confidence, correct)]
    kept = count > 0
    return sums[0][kept] / count[kept], sums[1][kept] / count[kept], count[kept]


def calibration_error(probability: Tensor, label: Tensor) -> float:
    confidence, accuracy, count = bins_of(probability, label)
    return ((confidence - accuracy).abs() * count).sum().item() / len(label)


def best_temperature(logits: Tensor, label: Tensor) -> float:
    candidates = torch.logspace(-1, 1, 201)
    return candidates[int(torch.stack([F.cross_entropy(logits / t, label) for t in candidates]).argmin())].item()


temperature = best_temperature(logits["mlp"]["valid"], y[valid])
before, after = ((logits["mlp"]["test"] / t).softmax(dim=1) for t in (1.0, temperature))
errors = [calibration_error(each, y[test]) for each in (before, after)]
losses = [F.nll_loss(each.log(), y[test]).item() for each in (before, after)]
confidence, guess = before.max(dim=1)
assert abs(errors[0] - ranking.calibration_error(confidence, guess == y[test])) < 1e-5
print(f"temperature {temperature:.2f}: calibration error {errors[0]:.3f} → {errors[1]:.3f}, loss {losses[0]:.3f} → "
      f"{losses[1]:.3f}")  # fmt: skip
assert torch.equal(before.argmax(1), after.argmax(1))
assert errors[1] < errors[0]
assert losses[1] < losses[0]

# %% [markdown]
# A small calibration error alone is worth nothing. A model that says "9 % an 8" to **every** image is calibrated
# perfectly, and useless. The loss counts both, calibration and telling apart, and has no bins to be chosen.

# %%
share = y[train].float().mean()
constant = torch.stack([1 - share, share]).expand(len(test), 2)
useless, loss = calibration_error(constant, y[test]), F.nll_loss(constant.log(), y[test]).item()
print(f"the same answer to all: calibration error {useless:.3f}, loss {loss:.3f}")
assert useless < errors[0]
assert loss > losses[1]

# %% [markdown]
# ## How sure is the score?
#
# Another test part would have given another score. The **bootstrap** asks how different: draw as many test images as
# there are, **with** replacement, compute the score, and repeat. The middle 95 % of what comes out is a confidence
# interval, for any score whatever. For an accuracy there is Wilson's formula, which we compare it with.


# %%
def bootstrap(statistic, count: int, repeats: int = 1000, seed: int = 0) -> tuple[float, float]:
    """The middle 95 % of `statistic(rows)`, over rows of `count` drawn with replacement."""
    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(0, count, count)) for _ in range(repeats)]
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


n = len(label)
intervals = {name: bootstrap(lambda rows, name=name: right[name][rows].mean(), n) for name in score}
wilson = share_interval(int(right["mlp"].sum()), n)
areas = {name: bootstrap(lambda rows, name=name: auroc(score[name][rows], label[rows]), n, 200) for name in score}
for name in score:
    low, high = intervals[name]
    print(f"{name:<7} accuracy {right[name].mean():.1%}, 95 % interval {low:.1%} to {high:.1%}; AUROC "
          f"{areas[name][0]:.3f} to {areas[name][1]:.3f}")  # fmt: skip
print(f"Wilson's interval for the MLP: {wilson[0]:.1%} to {wilson[1]:.1%}")
assert max(abs(a - b) for a, b in zip(intervals["mlp"], wilson, strict=True)) < 0.01

# %% [markdown]
# Mind what this interval is **of**: this trained net, on images like these. Another seed of the training is another
# matter (lesson 5), and so are other images (lesson 28).
#
# ## Two models, in pairs
#
# The intervals of the two AUROCs overlap. Does that mean that we cannot tell the models apart? No: both answered the
# **same** images, and the hard ones are hard for both. So compare in pairs: draw images, score both models on them, and
# note the **difference**.
#
# Of accuracies there is a test as old as it is simple (McNemar 1947). Only images count that exactly one of the two got
# right. If the two were equally good, each of these would be a toss of a coin.

# %%
difference = bootstrap(lambda rows: auroc(score["mlp"][rows], label[rows]) - auroc(score["linear"][rows], label[rows]),
                       n, 200)  # fmt: skip
only = [int((right[one] & ~right[other]).sum()) for one, other in (("mlp", "linear"), ("linear", "mlp"))]
chance = stats.binomtest(only[0], sum(only)).pvalue
print(f"AUROC of the MLP minus that of the linear net: {difference[0]:+.3f} to {difference[1]:+.3f}")
print(
    f"accuracy: {only[0]} images that only the MLP got right, {only[1]} that only the linear net did: p = {chance:.2f}"
)
assert areas["linear"][1] > areas["mlp"][0]  # apart, the intervals overlap
assert difference[0] > 0  # in pairs, they do not
assert chance > 0.05

# %% [markdown]
# The MLP ranks better: the whole interval lies above 0. Which of the two is more accurate is not shown. A large p does
# **not** say that both are equal, only that these 797 images cannot tell. And whoever compares twenty models finds one
# with p below 5 % by chance (lessons 13 and 28).
#
# ## A threshold for a purpose
#
# Why cut at 0.5? Say that a missed 8 costs 10, and a false alarm 1. If the probability of an 8 is $p$, saying "no"
# costs $10p$ and saying "8" costs $1 - p$: say "8" from $p = 1/11$ on. That is right **if** $p$ can be believed. Or try
# all thresholds on the **validation** part and take the cheapest. Never on the test part: its cheapest threshold is
# the cheapest for those 797 images, and for them only.


# %%
def cost(score: np.ndarray, label: np.ndarray, threshold: float) -> float:
    """The mean cost of an image, if scores of at least `threshold` are called an 8."""
    said = score >= threshold
    return float((10 * (label == 1) * ~said + (label == 0) * said).mean())


def cheapest(score: np.ndarray, label: np.ndarray) -> float:
    """The threshold with the lowest cost; never said at all is one of them."""
    return min([*np.unique(score), np.inf], key=lambda threshold: cost(score, label, threshold))


sure = {part: (each / temperature).softmax(dim=1)[:, 1].numpy() for part, each in logits["mlp"].items()}
unbelievable = logits["mlp"]["test"].softmax(dim=1)[:, 1].numpy()
valid_label = y[valid].numpy()
costs = {
    "always 'no'": cost(sure["test"], label, np.inf),
    "always '8'": cost(sure["test"], label, 0.0),
    "at one half": cost(sure["test"], label, 0.5),
    "1/11, before the temperature": cost(unbelievable, label, 1 / 11),
    "1/11, calibrated": cost(sure["test"], label, 1 / 11),
    "cheapest on validation": cost(sure["test"], label, cheapest(sure["valid"], valid_label)),
    "cheapest on test: cheating": cost(sure["test"], label, cheapest(sure["test"], label)),
}
for name, each in costs.items():
    print(f"{name:<29} {each:.3f} an image")
assert costs["1/11, calibrated"] < costs["at one half"] < costs["always 'no'"]
assert costs["cheapest on validation"] < costs["at one half"]
assert costs["cheapest on test: cheating"] < costs["cheapest on validation"]

# %% [markdown]
# ## The figure
#
# The same net four times: how it ranks, how many false alarms a found 8 costs, whether its probabilities can be
# believed, and what a threshold costs.

# %%
figure, (roc, pr, reliability, price) = plt.subplots(1, 4, figsize=(16, 4))
for name, color in (("linear", "tab:orange"), ("mlp", "tab:blue")):
    wrong, found, precision = curves(score[name], label)
    roc.plot(wrong, found, color=color, label=f"{name}: {auroc(score[name], label):.2f}")
    pr.plot(found, precision, color=color, label=f"{name}: {average_precision(score[name], label):.2f}")
roc.plot([0, 1], [0, 1], "k:", label="guessing: 0.50")
roc.set(xlabel="false positive rate", ylabel="8s found", title="ROC and its area")
pr.axhline(label.mean(), color="black", linestyle=":", label=f"guessing: {label.mean():.2f}")
pr.set(xlabel="8s found (recall)", ylabel="precision", ylim=(0, 1.03), title="precision–recall and its area")
for name, probability, color in (("as trained", before, "tab:red"), (f"T = {temperature:.1f}", after, "tab:blue")):
    confidence, accuracy, count = bins_of(probability, y[test])
    reliability.plot(confidence, accuracy, "-", color=color, alpha=0.5)
    reliability.scatter(confidence, accuracy, s=4 + count / 3, color=color, label=name)
reliability.plot([0.5, 1], [0.5, 1], "k:")
reliability.set(xlabel="confidence", ylabel="accuracy", title="calibration (dots: number of answers)")
thresholds = np.linspace(0.005, 0.9, 120)
for part, truth in (("valid", valid_label), ("test", label)):
    price.plot(thresholds, [cost(sure[part], truth, t) for t in thresholds], label=part)
price.axvline(1 / 11, color="black", linestyle=":", label="1/11")
price.set(xlabel="threshold", ylabel="cost of an image", title="a missed 8 costs 10")
for axis in (roc, pr, reliability, price):
    axis.legend(loc="upper right" if axis is pr else "lower right")
figure.tight_layout()
save_figure(figure, "evaluation")

# %% [markdown]
# ## What goes wrong
#
# **Answers in place of scores.** A ROC curve needs the scores. From yes and no it has one corner, and the area is that
# of another model:
#
# ```python
# import numpy as np
# from sklearn.metrics import roc_auc_score
#
# label = np.array([0, 0, 0, 0, 1, 1])
# score = np.array([0.1, 0.2, 0.3, 0.4, 0.45, 0.9])
# print(roc_auc_score(label, score > 0.5))
# ```
# ```text
# 0.75
# ```
#
# ```python
# assert roc_auc_score(label, score) == 1.0
# ```
#
# **A part without a positive.** There is no pair to compare; scikit-learn warns and returns NaN, and a mean over parts
# is NaN with it. It happens with small batches, folds and bootstrap draws of rare classes:
#
# ```python
# print(roc_auc_score(np.zeros(4), np.array([0.1, 0.2, 0.3, 0.4])))
# ```
# ```text
# nan
# ```
#
# Collect all scores first, and compute once. Draw positives and negatives apart if a draw may have none:
#
# ```python
# rng = np.random.default_rng(0)
# rows = np.concatenate([rng.choice(np.flatnonzero(label == value), (label == value).sum()) for value in (0, 1)])
# assert np.isfinite(roc_auc_score(label[rows], score[rows]))
# ```
#
# **The rows are not independent.** Ten images of each patient are not ten patients. The bootstrap believes what it is
# given, and the interval is too narrow by the root of ten:
#
# ```python
# patients = rng.random(100) < 0.8  # of each patient: right or wrong
# images = np.repeat(patients, 10)  # and all ten images alike
# by_image = np.std([rng.choice(images, 1000).mean() for _ in range(500)])
# by_patient = np.std([np.repeat(rng.choice(patients, 100), 10).mean() for _ in range(500)])
# print(by_patient / by_image > 2.5)
# ```
# ```text
# True
# ```
#
# Draw whole patients (`by_patient`), and split by patients, too.
#
# ```python
# assert by_patient > 0.03 > by_image
# ```
#
# ## Exercises
#
# In `lessons/answers/evaluation.py`; check them with `make check-lesson NAME=evaluation`.
#
# 1. `auroc`: the chance that a positive has the higher score, ties included.
# 2. `paired_interval`: how sure is the difference of two models?
# 3. `choose_threshold`: the cheapest one, by the right part.
#
# ## Where this lives
#
# - [`shared/classification/metrics.py`](../../shared/src/torchworks/shared/classification/metrics.py): scores of a
#   classifier, with Wilson's interval; [`ranking.py`](../../shared/src/torchworks/shared/classification/ranking.py)
#   beside it: AUROC, average precision, calibration error.
# - [`calibration.py`](../../packages/seq-models/src/torchworks/seq_models/classification/calibration.py) of the package
#   seq-models: the temperature.
# - [`shared/detection/metrics.py`](../../shared/src/torchworks/shared/detection/metrics.py): average precision of
#   detectors, where each box counts (lesson 21).
