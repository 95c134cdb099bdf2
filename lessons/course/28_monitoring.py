# %% [markdown]
# # 28. Monitoring and drift
#
# A model that was good last month answers just as quickly when it is bad; this lesson builds the alarms by hand, and
# measures which of them notice what, how late, and how often they cry wolf.
#
# A service that breaks says so. A model does not: it gives an answer to anything. Whether the answer is right is known
# days later, if ever. So one watches what is there at once, the **inputs** and the **outputs**, and asks whether they
# still look as they did when the model was tested. If they do not, that is called **drift**.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from torchworks.lessons import save_figure
from torchworks.serving.monitoring.drift import Spread, step_up

digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
images, labels = digits.images[order].astype(np.float32), digits.target[order]  # (1797, 8, 8) from 0 to 16
train, world = slice(0, 700), slice(700, None)

# %% [markdown]
# ## A model in service
#
# A small net reads digits. Before it reads an image, it divides by the brightest pixel, so that light does not matter.
# Its users are played by us: each request is an image of the `world`, which the net has never seen, drawn at random.
# So we know what is true, and an alarm can be called false.


# %%
def tensor(pictures: np.ndarray) -> torch.Tensor:
    """What the net reads of images (N, 8, 8): (N, 64) in [0, 1]."""
    return torch.from_numpy(pictures / pictures.max(axis=(1, 2), keepdims=True)).flatten(1)


def train_net(pictures: np.ndarray, truth: np.ndarray) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.1)
    x, y = tensor(pictures), torch.from_numpy(truth)
    for _ in range(400):
        rows = torch.randint(len(x), (64,))
        optimizer.zero_grad()
        F.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
    return net


def probabilities(net: nn.Module, pictures: np.ndarray) -> np.ndarray:
    """(N, 10)."""
    with torch.no_grad():
        return net(tensor(pictures)).softmax(dim=1).numpy()


rng = np.random.default_rng(1)


def requests(count: int, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 8, 8) and what they show (N,); `weights` (10,) make some digits more frequent than others."""
    chance = None if weights is None else weights[labels[world]] / weights[labels[world]].sum()
    rows = rng.choice(np.arange(len(labels))[world], count, p=chance)
    return images[rows], labels[rows]


net = train_net(images[train], labels[train])
pictures, truth = requests(1000)
reference = {"brightness": pictures.mean(axis=(1, 2)), "confidence": probabilities(net, pictures).max(axis=1)}
print(f"accuracy on 1,000 test images: {(probabilities(net, pictures).argmax(1) == truth).mean():.1%}")

# %% [markdown]
# `reference` is what a service needs for comparison: how numbers that sum up a row, the **features**, were distributed
# over test data. It is written when the model is exported, from data that the net did **not** train on: on its
# training data every net is surer than it will ever be again.
#
# ## Two distances by hand
#
# **Kolmogorov–Smirnov**: for every value, which share of the numbers lies at or below it, in the reference and now? The
# statistic is the largest gap.
#
# **PSI**, the population stability index: cut the reference into ten cells with a tenth of the rows each, count the
# cells now, and sum $(p - q) \ln(p / q)$ over the cells. Half a row is added to each cell, since the logarithm of an
# empty one would be infinite.


# %%
def ks(before: np.ndarray, now: np.ndarray) -> float:
    values = np.concatenate([before, now])
    shares = [np.searchsorted(np.sort(side), values, side="right") / len(side) for side in (before, now)]
    return float(np.abs(shares[0] - shares[1]).max())


def psi(before: np.ndarray, now: np.ndarray) -> float:
    edges = np.quantile(before, np.arange(1, 10) / 10, method="inverted_cdf")
    counts = [np.bincount(np.searchsorted(edges, side), minlength=10) + 0.5 for side in (before, now)]
    p, q = (count / count.sum() for count in counts)
    return float(((p - q) * np.log(p / q)).sum())


bright = reference["brightness"]
now = requests(300)[0].mean(axis=(1, 2))
service = Spread.of((bright, ()))
assert abs(ks(bright, now) - stats.ks_2samp(bright, now).statistic) < 1e-12
assert abs(psi(bright, now) - service.distance(service.count(service.cells(now))).psi) < 1e-12
print(
    f"no drift, 300 requests: KS {ks(bright, now):.3f}, PSI {psi(bright, now):.3f}, equal to scipy's and the service's"
)

# %% [markdown]
# ## From which PSI on is it drift?
#
# You will read "0.1 is some drift, 0.25 is much". But PSI is never 0, and without any drift it is the larger the fewer
# rows were counted: about $(1/n + 1/m)\,\chi^2_9$ for $n$ rows now and $m$ in the reference. So a limit of 0.1 alarms
# all the time with few rows, and with many it sleeps through a drift that is there.

# %%
print("rows   false alarms with the limit 0.1   with the limit for 1 %")
rates = {}
for n in (50, 100, 1000):
    found = np.array([psi(requests(1000)[0].mean((1, 2)), requests(n)[0].mean((1, 2))) for _ in range(200)])
    limit = (1 / n + 1 / 1000) * stats.chi2.isf(0.01, 9)
    rates[n] = (found > 0.1).mean()
    print(f"{n:>4}   {rates[n]:>30.1%}   {(found > limit).mean():.1%} (limit {limit:.3f})")
    assert (found > limit).mean() < 0.04
assert rates[50] > 0.5
assert rates[1000] == 0
large = requests(5000)[0].mean((1, 2)) * 0.98
limit = (1 / 5000 + 1 / 1000) * stats.chi2.isf(0.01, 9)
print(f"2 % darker, 5,000 rows: PSI {psi(bright, large):.3f}; the limit for 1 % is {limit:.3f}")
assert limit < psi(bright, large) < 0.1
few = service.distance(service.count(service.cells(requests(100)[0].mean((1, 2)))))
assert abs(few.limit(0.01) - (1 / 100 + 1 / 1000) * stats.chi2.isf(0.01, 9)) < 1e-6  # the service's limit is this one

# %% [markdown]
# ## Four changes, and who notices
#
# - **Darker**: a lamp is replaced. The net divides by the brightest pixel, so nothing happens to it.
# - **Moved**: the scanner sits one pixel further right. Not one pixel is brighter or darker.
# - **Other digits**: this month's forms have many 8s and 9s. Called **label shift**: the classes are more or less
#   frequent, each looks as before.
# - **Another rule**: whoever uses the answers now counts a 1 as a 7. Called **concept drift**: the same image has
#   another truth.


# %%
def moved(pictures: np.ndarray) -> np.ndarray:
    return np.roll(pictures, 1, axis=2)


often = np.array([1, 1, 1, 1, 1, 1, 1, 1, 4, 4.0])
pictures, truth = requests(1000)
shifted, shifted_truth = requests(1000, often)
changes = {
    "none": (pictures, truth),
    "darker": (pictures * 0.8, truth),
    "moved": (moved(pictures), truth),
    "other digits": (shifted, shifted_truth),
    "another rule": (pictures, np.where(truth == 1, 7, truth)),
}
classes = probabilities(net, requests(1000)[0]).argmax(1)
told: dict[str, tuple[bool, bool, bool]] = {}
accuracy: dict[str, float] = {}
print("change        brightness  confidence  classes  accuracy   (chance of such a distance without drift)")
for name, (seen, right) in changes.items():
    answers = probabilities(net, seen)
    p_input = stats.ks_2samp(bright, seen.mean((1, 2))).pvalue
    p_sure = stats.ks_2samp(reference["confidence"], answers.max(1)).pvalue
    table = [np.bincount(side, minlength=10) for side in (classes, answers.argmax(1))]
    p_class = stats.chi2_contingency(table).pvalue
    told[name] = (p_input < 0.001, p_sure < 0.001, p_class < 0.001)
    accuracy[name] = (answers.argmax(1) == right).mean()
    print(f"{name:<13} {p_input:<11.2g} {p_sure:<11.2g} {p_class:<8.2g} {accuracy[name]:.1%}")
assert told["none"] == told["another rule"] == (False, False, False)
assert told["darker"] == (True, False, False)
assert abs(accuracy["darker"] - accuracy["none"]) < 1e-9
assert told["moved"] == (False, True, True)
assert accuracy["moved"] < accuracy["none"] - 0.2
assert told["other digits"][2]
assert accuracy["another rule"] < accuracy["none"] - 0.05

# %% [markdown]
# Read the table by rows. The loudest alarm, *darker*, is **harmless**. The worst change, *moved*, leaves brightness
# exactly as it was; only the outputs tell. And *another rule* is seen by **nothing** but labels. So:
#
# - drift is a reason to look, not a proof of harm, and no drift is no proof of health;
# - watch the outputs too: they move when something changes that matters to the net;
# - there is no way around labels. If they are dear, get a few: a hundred random requests a week, labelled by hand.
#
# ## Label shift can be mended without labels
#
# If only the frequencies of classes changed, the net's own mistakes say by how much. Let $C_{ij}$ be the chance on test
# data that the net says $i$ when the truth is $j$. The answers now have the frequencies $\mu = C\,q$, and $q$, the
# true frequencies, solves these ten equations (Lipton, Wang and Smola 2018). Then multiply each probability by how much
# more frequent its class has become. A net that is hardly ever in doubt gains nothing by it, so here all images, also
# those that $C$ was counted on, come from a bad camera.


# %%
def noisy(pictures: np.ndarray) -> np.ndarray:
    return (pictures + 6 * rng.standard_normal(pictures.shape)).clip(0, 16).astype(np.float32)


known, known_truth = requests(1000)  # labelled data that the net was not trained on
said = probabilities(net, noisy(known)).argmax(1)
confusion = np.zeros((10, 10))
np.add.at(confusion, (said, known_truth), 1)
usual = confusion.sum(0) / confusion.sum()
confusion /= confusion.sum(0)
shifted, shifted_truth = requests(4000, np.array([1, 1, 1, 1, 1, 1, 1, 1, 10, 10.0]))
answers = probabilities(net, noisy(shifted))
mu = np.bincount(answers.argmax(1), minlength=10) / len(answers)
estimated = np.linalg.solve(confusion, mu).clip(min=0)
actual = np.bincount(shifted_truth, minlength=10) / len(shifted_truth)
corrected = answers * (estimated / usual)
rights = [(each.argmax(1) == shifted_truth).mean() for each in (answers, corrected)]
print(f"8s and 9s: 20 % before, now {actual[8:].sum():.0%}; the net says {mu[8:].sum():.0%}, "
      f"solved for {estimated[8:].sum():.0%}")  # fmt: skip
print(f"accuracy with the bad camera: {rights[0]:.1%} as it is, {rights[1]:.1%} corrected")
assert abs(estimated[8:].sum() - actual[8:].sum()) < abs(mu[8:].sum() - actual[8:].sum())
assert rights[1] > rights[0] + 0.02

# %% [markdown]
# ## Crying wolf
#
# A test at 5 % is wrong in one of twenty windows. Every hour, that is more than one false alarm a day. People switch
# off such an alarm, and with it the true one.
#
# And with enough rows, **every** difference is "significant". A small p says that a difference is there, not that it
# matters.

# %%
limit = (1 / 200 + 1 / 1000) * stats.chi2.isf(0.05, 9)
hours = np.array([psi(requests(1000)[0].mean((1, 2)), requests(200)[0].mean((1, 2))) for _ in range(24 * 25)])
alarms = (hours > limit).reshape(25, 24)
each, days = alarms.mean(), alarms.any(axis=1).mean()
print(f"a test at 5 % each hour, no drift: {each:.1%} of hours alarm, and {days:.0%} of days have an alarm")
print(f"three alarms in a row by chance: once in {1 / 0.05**3 / 24:.0f} days")
assert 0.02 < each < 0.09
assert days > 0.5
many = requests(50_000)[0].mean((1, 2))
tiny = stats.ks_2samp(many, requests(50_000)[0].mean((1, 2)) * 1.01)
print(
    f"1 % brighter, 50,000 rows: p = {tiny.pvalue:.0e}, PSI {psi(many, many * 1.01):.4f}: certain, and of no interest"
)
assert tiny.pvalue < 1e-4
assert psi(many, many * 1.01) < 0.02

# %% [markdown]
# What helps: a lower rate; several windows in a row, which must have **no rows in common**, or they are the same
# evidence twice; and, with many features, a limit for all of them together. The service uses Benjamini and Hochberg's:
# sort the $k$ chances, and compare the $i$-th smallest with $i/k$ of the rate.

# %%
without_drift = rng.random((2000, 20))  # chances of 20 features of which none has drifted
alone = (without_drift < 0.01).any(1).mean()
together = np.mean([(row <= step_up(list(row), 0.01)).any() for row in without_drift])
print(f"20 features at 1 % each: {alone:.1%} of windows alarm; with one limit for all: {together:.1%}")
assert alone > 0.14
assert together < 0.02

# %% [markdown]
# ## Labels come late: sixty days
#
# 300 requests a day. On day 20 it gets darker; on day 40 the scanner moves. What was right is known seven days later.
# Until then there is a guess: if the net says "70 % sure", 7 of 10 such answers should be right, so the mean
# confidence should be the accuracy. Where the inputs are foreign, the net is too sure, and so the guess is too high.

# %%
watch: dict[str, list[float]] = {"brightness": [], "confidence": [], "accuracy": [], "guess": []}
for day in range(60):
    seen, right = requests(300)
    seen = moved(seen) if day >= 40 else seen
    seen = seen * 0.8 if day >= 20 else seen
    answers = probabilities(net, seen)
    watch["brightness"].append(psi(bright, seen.mean((1, 2))))
    watch["confidence"].append(psi(reference["confidence"], answers.max(1)))
    watch["accuracy"].append((answers.argmax(1) == right).mean())
    watch["guess"].append(answers.max(1).mean())
LATE, LIMIT = 7, (1 / 300 + 1 / 1000) * stats.chi2.isf(0.001, 9)
low = np.mean(watch["accuracy"][:20]) - 4 * np.std(watch["accuracy"][:20])
first = {
    "inputs": next(day for day in range(60) if watch["brightness"][day] > LIMIT),
    "outputs": next(day for day in range(60) if watch["confidence"][day] > LIMIT),
    "labels": next(day for day in range(60) if watch["accuracy"][day] < low) + LATE,
}
print(
    f"first alarm: inputs on day {first['inputs']}, outputs on day {first['outputs']}, labels on day {first['labels']}"
)
assert first == {"inputs": 20, "outputs": 40, "labels": 47}
assert np.mean(watch["guess"][40:]) > np.mean(watch["accuracy"][40:]) + 0.05

# %% [markdown]
# ## From the alarm to a new model
#
# Retrain when the labels of the new time are there, on old **and** new data, and look at both before you replace
# anything. (The new data here are moved images of the training part, so that the `world` stays unseen.)

# %%
seven_days = rng.choice(700, 400, replace=False)
both = train_net(np.concatenate([images[train], moved(images[seven_days])]),
                 np.concatenate([labels[train], labels[seven_days]]))  # fmt: skip
old, old_truth = requests(2000)
scores = {}
for name, model in (("champion", net), ("challenger", both)):
    scores[name] = [(probabilities(model, seen).argmax(1) == old_truth).mean() for seen in (old, moved(old))]
    print(f"{name:<10} as before {scores[name][0]:.1%}, moved {scores[name][1]:.1%}")
assert scores["challenger"][1] > scores["champion"][1] + 0.2
assert scores["challenger"][0] > scores["champion"][0] - 0.03

# %% [markdown]
# Then let requests decide. In a **split**, the challenger answers some of the users, always the same ones. In
# **shadow**, it answers everything and its answers are thrown away. How many requests until a difference $\delta$ is
# seen in four of five cases, at a level of 5 %?
#
# - split: $7.85\,(p_1 q_1 + p_2 q_2) / \delta^2$ for **each** of the two, with accuracies $p$ and $q = 1 - p$;
# - shadow: about $7.85\,d / \delta^2$ in all, where $d$ is how often exactly one of the two is right. What both get
#   right or both get wrong cancels out.

# %%
p1, p2, d = 0.90, 0.92, 0.04  # 3 % right by the challenger only, 1 % by the champion only
split, shadow = (round(7.85 * spread / (p2 - p1) ** 2) for spread in (p1 * (1 - p1) + p2 * (1 - p2), d))
a, b = rng.binomial(split, p1, 4000) / split, rng.binomial(split, p2, 4000) / split
z_split = (b - a) / np.sqrt((a * (1 - a) + b * (1 - b)) / split)
won, lost, _ = rng.multinomial(shadow, [0.03, 0.01, 0.96], 4000).T
z_shadow = (won - lost) / np.sqrt(won + lost)
print(f"90 % against 92 %: split {2 * split} requests ({(z_split > 1.96).mean():.0%} seen), "
      f"shadow {shadow} ({(z_shadow > 1.96).mean():.0%} seen)")  # fmt: skip
assert 0.76 < (z_split > 1.96).mean() < 0.84
assert 0.74 < (z_shadow > 1.96).mean() < 0.86

# %% [markdown]
# Shadow needs an eighth here. It cannot be used where the answer changes what happens next: of an advertisement that
# nobody was shown, nobody knows whether it would have been clicked. And decide on the number of requests beforehand:
# whoever looks every day and stops at the first p below 5 % cries wolf, as above.
#
# ## The figure
#
# Left: the distances that are known at once. Right: what is known late, or guessed.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.2))
left.plot(watch["brightness"], label="PSI of brightness (input)")
left.plot(watch["confidence"], label="PSI of confidence (output)")
left.axhline(LIMIT, color="black", linestyle=":", label="limit for 0.1 % a day")
left.set(yscale="log", xlabel="day", title="known at once")
right.plot(watch["accuracy"], color="lightgray", linewidth=4, label="truth, unknown that day")
right.plot(range(LATE, 60), watch["accuracy"][:-LATE], color="tab:green", label="from labels, seven days late")
right.plot(watch["guess"], color="tab:orange", linestyle="--", label="guess: mean confidence")
right.set(xlabel="day", title="accuracy", ylim=(0, 1.03))
for axis, height in ((left, 0.03), (right, 0.5)):
    for day, what in ((20, "darker"), (40, "moved")):
        axis.axvline(day, color="tab:red", linewidth=0.8)
        place = axis.get_xaxis_transform()
        axis.text(day - 0.6, height, what, color="tab:red", rotation=90, ha="right", transform=place)
left.set_ylim(0.004, 80)
left.legend(loc="upper left")
right.legend(loc="lower left")
save_figure(figure, "monitoring")

# %% [markdown]
# ## What the service of this workspace does of all this
#
# At export it counts test rows by feature. It keeps the last 1,000 rows of each version and compares them
# by PSI, with the limit from above for a false alarm in 1 % of windows over **all** features (`false_alarms`). Fewer
# than 100 rows are not judged. If three windows in a row, without common rows and over at least an hour, have drifted,
# it runs your command (`--monitor.retrain`), at most once a day. It never puts the new model into service by itself.
# It splits callers (challenger), copies requests (shadow) and goes back to the old model if the first requests to a new
# one **fail**. It does not know labels: accuracy, the correction of label shift and the comparison of two models are
# yours.
#
# ## What goes wrong
#
# **A cell is empty.** The logarithm of 0 is infinite, and the alarm rings for one missing row:
#
# ```python
# import numpy as np
#
# before, now = np.array([50, 30, 20]), np.array([55, 45, 0])
# p, q = before / before.sum(), now / now.sum()
# with np.errstate(divide="ignore"):
#     print(((p - q) * np.log(p / q)).sum())
# ```
# ```text
# inf
# ```
#
# ```python
# p, q = ((count + 0.5) / (count + 0.5).sum() for count in (before, now))
# assert np.isfinite(((p - q) * np.log(p / q)).sum())
# ```
#
# **The cells are cut from the new data.** Then the new data are always even, and a value that was never seen before is
# just another one in the first or last cell. Worse: `np.histogram` drops what lies outside of given edges, silently:
#
# ```python
# before, now = np.linspace(0, 1, 1000), np.linspace(0.5, 1.5, 1000)
# edges = np.quantile(before, np.linspace(0, 1, 11))
# print(np.histogram(now, edges)[0].sum(), "of", len(now))
# ```
# ```text
# 500 of 1000
# ```
#
# ```python
# inner = edges[1:-1]  # the first and the last cell are open to the outside
# assert np.bincount(np.searchsorted(inner, now), minlength=10).sum() == 1000
# ```
#
# **A NaN that nobody counts.** A sensor fails and sends NaN. SciPy says that it knows nothing, and a comparison with
# nothing is never an alarm:
#
# ```python
# from scipy import stats
#
# broken = now.copy()
# broken[:500] = np.nan
# print(stats.ks_2samp(before, broken).pvalue < 0.01)
# ```
# ```text
# False
# ```
#
# Count the missing values as a feature of their own:
#
# ```python
# assert np.isnan(broken).mean() > 0.01
# assert stats.ks_2samp(before, broken[~np.isnan(broken)]).pvalue < 0.01
# ```
#
# ## Exercises
#
# In `lessons/answers/monitoring.py`; check them with `make check-lesson NAME=monitoring`.
#
# 1. `psi`: from numbers to cells to a distance.
# 2. `ks`: the largest gap between two distributions, also where values repeat.
# 3. `should_retrain`: drift in several windows in a row that share no rows.
#
# ## Where this lives
#
# - [`serving/monitoring/drift.py`](../../packages/serving/src/torchworks/serving/monitoring/drift.py): features, PSI,
#   limits, windows.
# - [`serving/monitoring/retrain.py`](../../packages/serving/src/torchworks/serving/monitoring/retrain.py): when the
#   command runs; [`settings.py`](../../packages/serving/src/torchworks/serving/monitoring/settings.py) has all numbers.
# - [`serving/registry.py`](../../packages/serving/src/torchworks/serving/registry.py): champion, challenger, shadow.
