# %% [markdown]
# # 25. Anomaly: find what you have no examples of
#
# A model that has seen only normal samples can notice others by what it fails to rebuild; this lesson trains one, sets
# an honest threshold, and compares it with methods that need no training.
#
# Machines seldom break, cards are seldom stolen, and the next fault is one that nobody has seen. There are no examples
# to classify. So learn what is **normal**, give each new sample a **score** for how strange it is, and raise an alarm
# above a **threshold**. Each of the three can be wrong by itself.
#
# Our plant produces digits, but never an 8. Whenever one comes, something is broken.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor, nn

from torchworks.lessons import save_figure
from torchworks.seq_models.anomalies.metrics import alarms, threshold_of

digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16  # (1797, 64) in [0, 1]
y = torch.tensor(digits.target)


def parts(anomaly: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """800 normal digits to learn from, 400 normal ones to set the threshold by, and the test part: normal digits that
    neither has seen, and all anomalies."""
    normal = torch.nonzero(y != anomaly)[:, 0]
    normal = normal[torch.randperm(len(normal), generator=torch.Generator().manual_seed(0))]
    return x[normal[:800]], x[normal[800:1200]], x[normal[1200:]], x[y == anomaly]


train, held_out, normal, strange = parts(8)
print(
    f"{len(train)} normal digits to learn, {len(held_out)} held out; test: {len(normal)} normal, {len(strange)} eights"
)

# %% [markdown]
# Not one eight is in the training part or in the held-out part. That is the rule of this game: **whatever you choose by
# looking at anomalies, you have fitted to them**, and the next anomaly is another one.
#
# ## The autoencoder
#
# Squeeze 64 pixels into 8 numbers and unfold them again. With so little room the network can only keep what normal
# digits have in common. The **reconstruction error** is the score: it is low for what was learnt and high for what is
# built otherwise.


# %%
def train_autoencoder(rows: Tensor, narrow: int, steps: int = 300, seed: int = 0) -> nn.Module:
    """An autoencoder with `narrow` numbers in its middle."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, narrow), nn.Linear(narrow, 128), nn.ReLU(), nn.Linear(128, 64)
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(steps):
        batch = rows[torch.randint(len(rows), (64,))]
        optimizer.zero_grad()
        (net(batch) - batch).square().mean().backward()
        optimizer.step()
    return net.eval()


def reconstruction_error(net: nn.Module, rows: Tensor) -> Tensor:
    """The mean squared error of each row (N,): over the pixels, not over the rows."""
    with torch.no_grad():
        return (net(rows) - rows).square().mean(dim=1)


autoencoder = train_autoencoder(train, 8)
usual, odd = (reconstruction_error(autoencoder, rows) for rows in (normal, strange))
print(f"mean error: normal {usual.mean():.4f}, eights {odd.mean():.4f}")
assert odd.mean() > 1.5 * usual.mean()

# %% [markdown]
# ## How good is a score?
#
# Take one anomaly and one normal sample at random. The **ROC-AUC** is the probability that the anomaly has the higher
# score: 1 is perfect, 0.5 is guessing. By hand it is a count of pairs.


# %%
def roc_auc(usual: Tensor, odd: Tensor) -> float:
    """The share of pairs (normal, anomaly) in which the anomaly's score is higher; a tie counts one half."""
    higher = (odd[:, None] > usual[None, :]).double() + 0.5 * (odd[:, None] == usual[None, :]).double()
    return higher.mean().item()


is_odd = np.r_[np.zeros(len(normal)), np.ones(len(strange))]
auc = roc_auc(usual, odd)
assert abs(auc - roc_auc_score(is_odd, torch.cat([usual, odd]).numpy())) < 1e-9
print(f"ROC-AUC of the autoencoder {auc:.3f}")

# %% [markdown]
# ## What is there without training?
#
# - **Distance from the mean**, the dumb baseline.
# - **Mahalanobis distance**: the same, measured in standard deviations of each direction, as if normal samples were one
#   Gaussian cloud.
# - **PCA**: the reconstruction error of a flat autoencoder. Normal samples span a plane, and the score is the distance
#   from it.
# - **Isolation forest**: random cuts; what is alone after few cuts is strange.
# - **Nearest neighbor**: the distance to the third-nearest training sample. There is nothing to learn, but all samples
#   must be kept.


# %%
def pca_error(train: Tensor, rows: Tensor, narrow: int = 8) -> Tensor:
    """The mean squared distance (N,) from the plane of the first `narrow` principal components."""
    mean = train.mean(0)
    plane = torch.linalg.svd(train - mean, full_matrices=False)[2][:narrow]  # (narrow, 64), orthonormal
    centered = rows - mean
    return (centered - centered @ plane.T @ plane).square().mean(1)


def mahalanobis(train: Tensor, rows: Tensor) -> Tensor:
    """The squared distance (N,); some pixels are always 0, and 0.01 on the diagonal keeps the inverse finite."""
    covariance = torch.cov(train.T) + 0.01 * torch.eye(64)
    centered = rows - train.mean(0)
    return (centered @ torch.linalg.inv(covariance) * centered).sum(1)


def forest(train: Tensor, rows: Tensor) -> Tensor:
    """An isolation forest's score is high for normal samples, hence the minus."""
    return -torch.tensor(
        IsolationForest(n_estimators=50, random_state=0).fit(train.numpy()).score_samples(rows.numpy())
    )


METHODS = {
    "distance from the mean": lambda train, rows: (rows - train.mean(0)).square().mean(1),
    "isolation forest": forest,
    "Mahalanobis": mahalanobis,
    "PCA, 8 numbers": pca_error,
    "autoencoder, 8 numbers": lambda train, rows: reconstruction_error(train_autoencoder(train, 8), rows),
    "third-nearest neighbor": lambda train, rows: torch.cdist(rows, train).topk(3, largest=False).values[:, 2],
}
reference = PCA(8, svd_solver="full").fit(train.double().numpy())
rebuilt = reference.inverse_transform(reference.transform(strange.double().numpy()))
theirs = ((rebuilt - strange.double().numpy()) ** 2).mean(1)
assert np.allclose(pca_error(train, strange).numpy(), theirs, atol=1e-6)

# %% [markdown]
# One kind of anomaly proves little: any method may be lucky with eights. So each digit in turn is the anomaly, with
# nothing changed but the digit.

# %%
table = {name: [] for name in METHODS}
for digit in range(10):
    known, _, usual_rows, odd_rows = parts(digit)
    for name, method in METHODS.items():
        scores = method(known, torch.cat([usual_rows, odd_rows]))
        table[name].append(roc_auc(scores[: len(usual_rows)], scores[len(usual_rows) :]))
print("ROC-AUC with each digit as the anomaly in turn")
for name, row in table.items():
    print(f"{name:<24} mean {np.mean(row):.3f}   worst {min(row):.3f} ({np.argmin(row)})   eights {row[8]:.3f}")
mean_of = {name: np.mean(row) for name, row in table.items()}
assert mean_of["third-nearest neighbor"] > mean_of["autoencoder, 8 numbers"] + 0.01
assert mean_of["autoencoder, 8 numbers"] > mean_of["PCA, 8 numbers"] + 0.02
assert table["distance from the mean"][8] < 0.3

# %% [markdown]
# - The **mean** of all digits looks much like an 8, so by the distance from it an eight is the most normal digit of
#   all, worse than guessing. Strange does not mean far away: it means *where no normal sample is*. A few cuts of a
#   forest fall into the same trap.
# - The **autoencoder** beats PCA: normal digits lie on a bent surface, and a plane does not follow it.
# - The **nearest neighbor** beats the autoencoder, without any training. With 800 samples of 64 numbers that is the
#   rule and not the exception; try it first. The autoencoder's case begins where samples are too many to keep, or so
#   large that a distance between raw pixels means nothing. Even there, the distance of *features* is hard to beat.
#
# ## A network that is too good
#
# More room in the middle makes every error smaller, that of the eights too. With 64 numbers the network copies whatever
# it gets. PCA with all 64 components copies exactly, and what is left of its score is rounding.

# %%
WIDTHS = (2, 4, 8, 16, 64)
by_width = {}
for narrow in WIDTHS:
    net = autoencoder if narrow == 8 else train_autoencoder(train, narrow)
    errors = [reconstruction_error(net, rows) for rows in (normal, strange)]
    flat = roc_auc(pca_error(train, normal, narrow), pca_error(train, strange, narrow))
    by_width[narrow] = (*errors, flat, net)
    print(
        f"{narrow:2} numbers: error of normal digits {errors[0].mean():.4f}, of eights {errors[1].mean():.4f},"
        f" ROC-AUC {roc_auc(*errors):.3f}, PCA's {flat:.3f}"
    )
assert by_width[64][1].mean() < 0.5 * by_width[8][1].mean()  # the wide one rebuilds eights too
assert roc_auc(*by_width[64][:2]) < roc_auc(*by_width[4][:2]) - 0.03

# %% [markdown]
# A lower loss is **not** a better detector here. Nor may you take the best width of this table: it was found with
# eights. We fixed 8 before. If a few labelled anomalies exist, choose by them, and judge by anomalies of another kind.
#
# ## The threshold
#
# Say that we can bear a false alarm for 2 normal samples in 100. Then the threshold is the score that 2 % of normal
# samples exceed. Which normal samples? The network has practised on those of the training part, so their errors are too
# low, and a threshold set by them raises more alarms than it promises. Hence the held-out part.


# %%
def threshold_by(scores: Tensor, rate: float) -> float:
    """The score that just a share `rate` of normal scores (N,) exceeds."""
    return scores.sort(descending=True).values[int(rate * len(scores))].item()


RATE = 0.02
by_training, by_held_out = (threshold_by(reconstruction_error(autoencoder, part), RATE) for part in (train, held_out))
alarm_rates = [(usual > threshold).double().mean().item() for threshold in (by_training, by_held_out)]
print(f"2 % promised; set by training digits {alarm_rates[0]:.1%} false alarms, by held-out ones {alarm_rates[1]:.1%}")
assert alarm_rates[0] > 2 * RATE
assert abs(alarm_rates[1] - RATE) < 0.015

theirs = threshold_of(reconstruction_error(autoencoder, held_out), RATE)
assert (reconstruction_error(autoencoder, held_out) > theirs).sum() == int(RATE * len(held_out))  # the package's agrees

# %% [markdown]
# 400 held-out samples can set a rate of 2 %: 8 of them lie above. For one false alarm in 10,000 you need several times
# 10,000 normal samples; a smaller number is a guess about a tail that nobody has seen.
#
# ## The base rate
#
# Three digits in ten of our test part are eights. In a plant it may be one in a hundred. The ROC-AUC does not notice:
# it compares anomalies with normal samples and never asks how many there are. The person who answers the alarms does.
# What counts for him is **precision**, the share of alarms that are right:
#
# $$\text{precision} = \frac{b \cdot \text{found}}{b \cdot \text{found} + (1 - b) \cdot \text{false alarms}}$$
#
# with the base rate $b$.


# %%
def precision_at(base_rate: float, found: float, false_alarms: float) -> float:
    """The share of right alarms, if a share `base_rate` of all samples are anomalies."""
    right, false = base_rate * found, (1 - base_rate) * false_alarms
    return right / (right + false)


neighbor = METHODS["third-nearest neighbor"]
rare = {}
for name, score in (
    ("autoencoder, 8 numbers", lambda rows: reconstruction_error(autoencoder, rows)),
    ("third-nearest neighbor", lambda rows: neighbor(train, rows)),
):
    threshold = threshold_by(score(held_out), RATE)
    scores = torch.cat([score(normal), score(strange)]).numpy()
    said = alarms(scores, is_odd, threshold)
    assert abs(precision_at(is_odd.mean(), said["found"], said["false_alarms"]) - said["precision"]) < 1e-9
    precision = precision_at(0.01, said["found"], said["false_alarms"])
    weight = np.where(is_odd > 0, 0.01 / is_odd.sum(), 0.99 / (1 - is_odd).sum())  # as if 1 in 100 were an eight
    average = [average_precision_score(is_odd, scores), average_precision_score(is_odd, scores, sample_weight=weight)]
    rare[name] = (said, precision, average, scores)
    print(
        f"{name}: finds {said['found']:.0%} of the eights; of its alarms {said['precision']:.0%} are right here,"
        f" {precision:.0%} where 1 in 100 is an eight; average precision {average[0]:.2f} and {average[1]:.2f}"
    )
assert rare["autoencoder, 8 numbers"][1] < 0.25
assert rare["third-nearest neighbor"][2][1] > rare["autoencoder, 8 numbers"][2][1]

# %% [markdown]
# A ROC-AUC of 0.93 sounds like a product. At the threshold that we can bear it finds not even one eight in five, and of
# ten alarms nearly nine are false. Report what is found **at your rate of false alarms**, and the precision **at your
# base rate**.
#
# ## The figure
#
# Left: digits, what the narrow network makes of them, and what the wide one does: the narrow one turns an 8 into
# something that it knows. Then the scores with the threshold, the ROC-AUC by the width of the middle, and precision by
# the share of eights that are found, where 1 digit in 100 is an eight.

# %%
figure = plt.figure(figsize=(16, 4))
grid = figure.add_gridspec(1, 4, width_ratios=(1.5, 1, 1, 1), wspace=0.25)
shown = torch.cat([normal[:2], strange[:3]])
sheet = torch.ones(3, 5, 10, 10) * 0.5  # gray lines between the digits
for row, rows in enumerate([shown, *(by_width[narrow][3](shown).detach() for narrow in (4, 64))]):
    sheet[row, :, 1:9, 1:9] = 1 - rows.clamp(0, 1).view(5, 8, 8)
axis = figure.add_subplot(grid[0])
axis.imshow(sheet.permute(0, 2, 1, 3).reshape(30, 50).numpy(), cmap="gray", vmin=0, vmax=1)
axis.set(xticks=[9.5, 34.5], xticklabels=["normal", "eights"], yticks=[4.5, 14.5, 24.5])
axis.set_yticklabels(["seen", "rebuilt\nfrom 4", "rebuilt\nfrom 64"])
axis.axvline(19.5, color="tab:red", linewidth=3)
axis.tick_params(length=0)
axis = figure.add_subplot(grid[1])
bins = np.linspace(0, 0.08, 41)
axis.hist(usual.numpy(), bins, alpha=0.6, label="normal", density=True)
axis.hist(odd.numpy(), bins, alpha=0.6, label="eights", density=True)
axis.axvline(by_held_out, color="black", linestyle="--", label="threshold")
axis.set(xlabel="reconstruction error", title="scores of the autoencoder", yticks=[])
axis.legend()
axis = figure.add_subplot(grid[2])
axis.plot(WIDTHS, [roc_auc(*by_width[narrow][:2]) for narrow in WIDTHS], "o-", label="autoencoder")
axis.plot(WIDTHS, [by_width[narrow][2] for narrow in WIDTHS], "o-", label="PCA")
axis.axhline(0.5, color="gray", linestyle=":", label="guessing")
axis.set(xscale="log", xlabel="numbers in the middle", title="ROC-AUC for eights", ylim=(0.2, 1))
axis.set_xticks(WIDTHS, map(str, WIDTHS))
axis.minorticks_off()
axis.legend(loc="lower center")
axis = figure.add_subplot(grid[3])
for name, (_, _, _, scores) in rare.items():
    places = np.sort(scores)[::-1]
    found, false = (
        [np.mean(part > place) for place in places[1:]] for part in (scores[is_odd > 0], scores[is_odd == 0])
    )
    curve = [(share, precision_at(0.01, share, rate)) for share, rate in zip(found, false, strict=True) if share > 0.05]
    axis.plot(*zip(*curve, strict=True), label=name)
axis.axhline(0.01, color="gray", linestyle=":", label="guessing")
axis.set(xlabel="share of eights found", title="precision at 1 eight in 100", xlim=(0, 1), ylim=(0, 0.5))
axis.legend()
save_figure(figure, "anomaly")

# %% [markdown]
# ## What goes wrong
#
# **One number for the whole batch.** A loss averages over everything; a score must keep the samples apart:
#
# ```python
# import torch
# from sklearn.metrics import roc_auc_score
# from torch.nn import functional as F
#
# x, rebuilt = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), torch.tensor([[0.0, 0.1], [0.9, 1.0], [0.5, 0.5]])
# roc_auc_score([0, 0, 1], F.mse_loss(rebuilt, x).reshape(1))
# ```
# ```text
# ValueError: Found input variables with inconsistent numbers of samples: [3, 1]
# ```
#
# ```python
# score = F.mse_loss(rebuilt, x, reduction="none").mean(dim=1)
# assert roc_auc_score([0, 0, 1], score) == 1.0
# ```
#
# **The sign.** An isolation forest of scikit-learn scores how *normal* a sample is. An AUC far below 0.5 is a good
# detector read upside down:
#
# ```python
# from sklearn.ensemble import IsolationForest
#
# generator = torch.Generator().manual_seed(0)
# train = torch.randn(200, 2, generator=generator)
# test = torch.cat([torch.randn(50, 2, generator=generator), 5 + torch.randn(10, 2, generator=generator)])
# label = [0] * 50 + [1] * 10
# normality = IsolationForest(random_state=0).fit(train.numpy()).score_samples(test.numpy())
# print(round(roc_auc_score(label, normality), 2))
# ```
# ```text
# 0.0
# ```
#
# ```python
# assert roc_auc_score(label, -normality) > 0.99
# ```
#
# **A column that never changes.** The corner of a digit is always 0, so the covariance has no inverse:
#
# ```python
# train = torch.tensor([[1.0, 0.0], [2.0, 0.0], [4.0, 0.0]])
# torch.linalg.inv(torch.cov(train.T))
# ```
# ```text
# _LinAlgError: linalg.inv: The diagonal element 2 is zero, the inversion could not be completed because the input
# matrix is singular.
# ```
#
# Add a little to the diagonal. Do not drop the column: a corner that is suddenly not 0 is just what you look for.
#
# ```python
# torch.linalg.inv(torch.cov(train.T) + 0.01 * torch.eye(2))
# ```
#
# **A threshold from samples that were learnt.** Each training sample is its own nearest neighbor, at a distance of 0,
# so that everything new is an alarm:
#
# ```python
# train, held_out, new = (torch.randn(100, 3, generator=generator) for _ in range(3))
# distance = lambda rows: torch.cdist(rows, train, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1).values
# threshold = distance(train).quantile(0.95)
# print((distance(new) > threshold).float().mean())
# ```
# ```text
# tensor(1.)
# ```
#
# ```python
# threshold = distance(held_out).quantile(0.95)
# assert (distance(new) > threshold).float().mean() < 0.15
# ```
#
# **Accuracy.** Where one sample in a hundred is an anomaly, never raising an alarm is right in 99 % of all cases:
#
# ```python
# from sklearn.metrics import accuracy_score, recall_score
#
# truth, never = [1] + [0] * 99, [0] * 100
# print(accuracy_score(truth, never))
# ```
# ```text
# 0.99
# ```
#
# ```python
# assert recall_score(truth, never) == 0.0
# ```
#
# ## Exercises
#
# In `lessons/answers/anomaly.py`; check them with `make check-lesson NAME=anomaly`.
#
# 1. `anomaly_scores`: a reconstruction error for each sample.
# 2. `choose_threshold`: from normal samples, for a rate of false alarms.
# 3. `precision`: of alarms, at a base rate.
#
# ## Where this lives
#
# - [`seq_models/anomalies/metrics.py`](../../packages/seq-models/src/torchworks/seq_models/anomalies/metrics.py):
#   scores, thresholds and alarms for rows and series. `make train-seq-models RECIPE=anomaly-rows` shows each alarm's
#   columns.
# - [`seq_models/anomalies/baselines.py`](../../packages/seq-models/src/torchworks/seq_models/anomalies/baselines.py):
#   what every run is compared with: Mahalanobis distance, neighbors, an isolation forest.
# - [`cnn_vision/models/patchcore.py`](../../packages/cnn-vision/src/torchworks/cnn_vision/models/patchcore.py): the
#   nearest neighbor again, of features of image patches, which finds scratches and says where they are.
