# %% [markdown]
# # 23. Forecasting
#
# Tomorrow's demand for electricity, from what is known tonight: this lesson shows how forecasts are judged without a
# look into the future, and sets nets against linear regression, on one data set that suits each.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import TimeSeriesSplit
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor, nn

from torchworks.lessons import save_figure
from torchworks.seq_models.data.series_demand import Options, cafes
from torchworks.seq_models.data.series_packaged import open_taylor
from torchworks.seq_models.forecasting.metrics import scales_of, scores
from torchworks.shared.config import LoaderConfig

# %% [markdown]
# The demand of England and Wales in twelve weeks of the summer of 2000 (Taylor 2003), hour by hour, in gigawatts. At
# each midnight we forecast 24 hours.

# %%
source = open_taylor("", LoaderConfig(), 0)
half_hours = np.concatenate([source.train.values[0], source.test.values[0]])
y = torch.tensor(half_hours.reshape(-1, 2).mean(axis=1)).double() / 1000
DAY, WEEK = 24, 168
print(f"{len(y)} hours, from {y.min():.1f} to {y.max():.1f} GW")

# %% [markdown]
# ## A series as a table
#
# A model of tables can forecast as soon as the series is cut into **windows**: a row of the past, and what followed.


# %%
def windows(series: Tensor, past: int, ahead: int) -> tuple[Tensor, Tensor]:
    """All pieces of a series (T,): the past (N, past) and what followed (N, ahead); N = T - past - ahead + 1."""
    pieces = series.unfold(0, past + ahead, 1)
    return pieces[:, :past], pieces[:, past:]


x, target = windows(torch.arange(10.0), 3, 2)
assert len(x) == 10 - 3 - 2 + 1
assert x[1].tolist() == [1, 2, 3]
assert target[1].tolist() == [4, 5]

# %% [markdown]
# ## A score that means something
#
# "Wrong by 0.5 GW" says little. **MASE** (Hyndman and Koehler 2006) divides the error by that of a forecaster without
# any model, who says "as a week ago", on the training part. Below 1 the model was worth it, roughly: the test weeks may
# be harder than the training ones, so the dumb forecast stands in the table, too.


# %%
def mase(truth: Tensor, forecast: Tensor, history: Tensor, season: int) -> float:
    """The mean absolute error in units of what a seasonal naive forecast errs by in the history."""
    return ((truth - forecast).abs().mean() / (history[season:] - history[:-season]).abs().mean()).item()


truth, guess = torch.rand(5, DAY).double(), torch.rand(5, DAY).double()
scales = scales_of(y[None, :1000].numpy(), WEEK, ["demand"])
theirs = scores(guess[..., None], truth, torch.zeros(5, dtype=torch.int64), scales, (0.5,))
assert abs(mase(truth, guess, y[:1000], WEEK) - theirs["mase"]) < 1e-9

# %% [markdown]
# ## Rolling origin
#
# Never shuffle time. The test part lies **after** the training part, as it will in use, and one such split is a single
# draw of luck. So we move the border: train on nine weeks and forecast each day of the tenth; train on ten and forecast
# the eleventh; and so on. Scikit-learn calls this `TimeSeriesSplit`.

# %%
ENDS = (9 * WEEK, 10 * WEEK, 11 * WEEK)
splits = list(TimeSeriesSplit(n_splits=3, test_size=WEEK).split(y))
for end, (train, test) in zip(ENDS, splits, strict=True):
    assert np.array_equal(train, np.arange(end))
    assert np.array_equal(test, np.arange(end, end + WEEK))


# %% [markdown]
# Everything that is computed from data stays on the left of the border: weights, and mean and deviation for scaling,
# too. A window belongs to the training part only if the **last** hour that it wants to know lies before the border.
#
# The forecasters:
#
# - **yesterday** and **last week** repeat;
# - **linear**: each of the 24 hours is a weighted sum of the last two weeks (ridge regression, in closed form);
# - **MLP**: reads the same two weeks, and learns what to add to last week, which is an easy start.


# %%
def linear(x: Tensor, target: Tensor, penalty: float = 0.1) -> Tensor:
    """Weights (P + 1, H) of ridge regression; the last row is the bias, which has no penalty."""
    x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    punished = penalty * torch.eye(x.shape[1], dtype=x.dtype)
    punished[-1, -1] = 0
    return torch.linalg.solve(x.T @ x + punished, x.T @ target)


class Correction(nn.Module):
    """What an MLP adds to the same hours of last week: (N, 336) → (N, 24)."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2 * WEEK, 64), nn.ReLU(), nn.Linear(64, DAY))

    def forward(self, x: Tensor) -> Tensor:
        return x[:, -WEEK : DAY - WEEK] + self.mlp(x)


def train_net(net: nn.Module, x: Tensor, target: Tensor, steps: int, batch: int, rate: float) -> nn.Module:
    """Minimise the mean absolute error."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (batch,))
        loss = (net(x[rows]) - target[rows]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


x, target = windows(y[: 5 * WEEK], 2 * WEEK, DAY)
reference = Ridge(0.1).fit(x.numpy(), target.numpy())
weights = linear(x, target)
assert np.allclose(reference.coef_.T, weights[:-1].numpy(), atol=1e-6)

# %%
table: dict[str, list[float]] = {}
kept = {}
for end in ENDS:
    history = y[:end]
    mean, deviation = history.mean(), history.std()
    scaled = (y - mean) / deviation
    x, target = windows(scaled[:end], 2 * WEEK, DAY)
    origins = range(end, end + WEEK, DAY)
    pasts = torch.stack([scaled[origin - 2 * WEEK : origin] for origin in origins])
    truth = torch.stack([y[origin : origin + DAY] for origin in origins])
    torch.manual_seed(0)
    net = train_net(Correction(), x.float(), target.float(), 600, 64, 5e-3)
    weights = linear(x, target)
    with torch.no_grad():
        forecasts = {
            "yesterday": pasts[:, -DAY:],
            "last week": pasts[:, -WEEK : DAY - WEEK],
            "linear": pasts @ weights[:-1] + weights[-1],
            "MLP": net(pasts.float()).double(),
        }
    for name, forecast in forecasts.items():
        forecast = forecast * deviation + mean
        table.setdefault(name, []).append(mase(truth, forecast, history, WEEK))
        kept[name, end] = forecast.flatten()
print("MASE in week    10    11    12   mean")
for name, row in table.items():
    print(f"{name:<12}", *[f"{value:5.2f}" for value in row], f"{np.mean(row):6.2f}")
assert np.mean(table["linear"]) < np.mean(table["last week"]) < np.mean(table["yesterday"])
assert np.mean(table["linear"]) < np.mean(table["MLP"]) - 0.1

# %% [markdown]
# Linear regression wins, clearly (one seed, and no long search for a better net). One smooth series of eleven weeks is
# little to learn from: its windows overlap, so that a thousand of them say hardly more than the eleven weeks do. Note
# also how much the weeks differ: whoever had judged by the twelfth alone would have found most methods alike.
#
# ## Leaks through time
#
# **Shuffling.** A random walk cannot be forecast: the best guess is the last value. We let a nearest-neighbor model
# try, once with shuffled windows, and once with the test part behind the training part. Neighboring windows overlap,
# so after shuffling, the answer to a test window stands in the training part.


# %%
def walk_score(shuffled: bool, seed: int) -> float:
    """The error of nearest neighbors, five steps ahead in a random walk, in units of that of "as the last value"."""
    generator = torch.Generator().manual_seed(seed)
    x, target = windows(torch.randn(400, generator=generator).cumsum(0), 10, 5)
    order = torch.randperm(len(x), generator=generator) if shuffled else torch.arange(len(x))
    train, test = order[:300], order[300 if shuffled else 304 :]  # a gap of `ahead - 1`: no target on both sides
    model = KNeighborsRegressor(3).fit(x[train].numpy(), target[train, -1].numpy())
    error = np.abs(model.predict(x[test].numpy()) - target[test, -1].numpy()).mean()
    return float(error / (x[test, -1] - target[test, -1]).abs().mean())


leaky = np.array([walk_score(True, seed) for seed in range(40)])
honest = np.array([walk_score(False, seed) for seed in range(40)])
print(f"nearest neighbors beside the last value: error {leaky.mean():.2f} shuffled, {honest.mean():.2f} by time")
assert leaky.mean() < 0.9
assert honest.mean() > 1.3

# %% [markdown]
# **Scaling.** Two thousand random walks of 100 steps; the first 80 are known. Does the last known value tell where the
# walk will go? It cannot. But scale each walk by the mean and deviation of **all** its steps, and it seems to: a value
# far above the mean of the whole must have come down afterwards.

# %%
walks = torch.randn(2000, 100, generator=torch.Generator().manual_seed(0)).cumsum(dim=1)
known, change = walks[:, :80], walks[:, -1] - walks[:, 79]
correlation = {}
for name, part in (("all steps", walks), ("the known steps", known)):
    last = (walks[:, 79] - part.mean(dim=1)) / part.std(dim=1)
    correlation[name] = torch.corrcoef(torch.stack([last, change]))[0, 1].item()
    print(f"scaled by {name}: correlation of the last known value with what follows {correlation[name]:+.2f}")
assert correlation["all steps"] < -0.15
assert abs(correlation["the known steps"]) < 0.06

# %% [markdown]
# ## Where a net wins
#
# Forty cafés, three years, two weeks ahead. The number of guests depends on weather, holidays and events, which count
# as known in advance here, even the weather, and these act **together**: sunshine fills a terrace, and a café without
# one does not care. The series are generated, so we know how good a forecast can be.
#
# One row is one café on one day. Its columns: the guests 14, 21 and 28 days before, the weather of that day and of
# those days, and so on. Mind the 14: **a column must be known when the forecast is made**, and of a day two weeks ahead
# yesterday's guests are not.

# %%
panel = cafes(Options(days=1096), 0)
guests, calendar = torch.tensor(panel.values), torch.tensor(panel.known)[:, :, :5]
LAGS = (14, 21, 28)
border = guests.shape[1] - 112  # the last sixteen weeks are for testing


def rows_of(days: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Columns (40 · D, K), the log of guests less its usual value, which is to be forecast, and the usual value."""
    log = guests.log()
    usual = torch.stack([log[:, days - 14 - back] for back in range(28)]).mean(dim=0)
    before = torch.stack([*(log[:, days - lag] - usual for lag in LAGS), usual], dim=2)
    columns = torch.cat([before, calendar[:, days], *(calendar[:, days - lag] for lag in LAGS)], dim=2)
    return columns.flatten(0, 1), (log[:, days] - usual).flatten(), usual.flatten()


def cafe_score(model: str) -> float:
    """MASE on the test part."""
    x, target, _ = rows_of(torch.arange(56, border))
    x_test, _, usual = rows_of(torch.arange(border, guests.shape[1]))
    mean, deviation = x.mean(dim=0), x.std(dim=0)  # of the training part
    x, x_test = (x - mean) / deviation, (x_test - mean) / deviation
    torch.manual_seed(0)
    if model == "linear":
        weights = linear(x.double(), target[:, None].double()).float()
        forecast = (x_test @ weights[:-1] + weights[-1])[:, 0]
    else:
        net = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
        net = train_net(net, x, target[:, None], 400, 512, 5e-3)
        with torch.no_grad():
            forecast = net(x_test)[:, 0]
    return relative((forecast + usual).exp().view(40, -1))


def relative(forecast: Tensor) -> float:
    """Errors of each café (40, 112) in units of its weekly naive error before the border; their mean."""
    unit = (guests[:, 7:border] - guests[:, : border - 7]).abs().mean(dim=1, keepdim=True)
    return ((forecast - guests[:, border:]).abs() / unit).mean().item()


cafe = {
    "two weeks ago": relative(guests[:, border - 14 : -14]),
    "linear": cafe_score("linear"),
    "MLP": cafe_score("MLP"),
    "the rules themselves": relative(torch.tensor(np.exp(panel.oracle.rules[:, border:]))),
}
print("cafés, MASE:", ", ".join(f"{name} {score:.2f}" for name, score in cafe.items()))
assert cafe["MLP"] < cafe["linear"] - 0.05
assert cafe["linear"] < cafe["two weeks ago"]

# %% [markdown]
# A linear model gives each column one weight for all days. The net finds that columns act together, and comes close to
# the rules by which the data were made (these do not know the chance of each day, so nobody reaches 0). Many series,
# columns that interact, and years to learn from: that is where a net pays.
#
# ## The figure
#
# Left: the first days of the tenth week. Middle: who wins on which data. Right: forty random walks, where nothing can
# be forecast: what is left of 1 is the leak. The last bar stands for 2.5 and all above.

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.2), width_ratios=[1.5, 1.2, 1], layout="constrained")
shown = slice(0, 4 * DAY)
left.plot(y[ENDS[0] : ENDS[0] + 4 * DAY].numpy(), color="black", linewidth=2.5, label="truth")
for name, style in (("last week", ":"), ("linear", "--"), ("MLP", "-.")):
    left.plot(kept[name, ENDS[0]][shown].numpy(), style, label=name)
left.set(xlabel="hours", ylabel="demand (GW)", xticks=range(0, 97, 24), ylim=(15, 38), title="four days of week 10")
left.legend(ncols=4, fontsize=9, loc="lower center")
middle_rows = {
    "electricity: last week": np.mean(table["last week"]),
    "electricity: linear": np.mean(table["linear"]),
    "electricity: MLP": np.mean(table["MLP"]),
    "cafés: two weeks ago": cafe["two weeks ago"],
    "cafés: linear": cafe["linear"],
    "cafés: MLP": cafe["MLP"],
}
colors = ["lightgray", "tab:blue", "tab:orange"] * 2
bars = middle.barh(list(middle_rows), list(middle_rows.values()), color=colors)
middle.bar_label(bars, fmt="%.2f", padding=3)
middle.invert_yaxis()
middle.set(xlabel="MASE, less is better", xlim=(0, max(middle_rows.values()) * 1.2), title="who wins where")
bins = np.linspace(0.3, 2.6, 24).tolist()
right.hist(honest.clip(max=2.59), bins, alpha=0.7, label="split by time", color="tab:blue")
right.hist(leaky, bins, alpha=0.7, label="shuffled", color="tab:red", hatch="//")
right.axvline(1, color="black", linestyle=":")
right.set(xlabel="error / error of the last value", ylabel="random walks", title="nearest neighbors on random walks")
right.legend()
save_figure(figure, "forecasting")

# %% [markdown]
# ## What goes wrong
#
# **A series that is shorter than a window.** It comes with the first new shop:
#
# ```python
# import torch
#
# torch.arange(10.0).unfold(0, 12, 1)
# ```
# ```text
# RuntimeError: maximum size for tensor at dimension 0 is 10 but size is 12
# ```
#
# Ask before you cut, and fall back on a simpler forecast:
#
# ```python
# series, past, ahead = torch.arange(10.0), 9, 3
# pieces = series.unfold(0, past + ahead, 1) if len(series) >= past + ahead else None
# assert pieces is None
# ```
#
# **An excellent score that means nothing.** "As the last value" explains nearly all of a random walk:
#
# ```python
# torch.manual_seed(0)
# walk = torch.randn(1000).cumsum(0)
# truth, forecast = walk[1:], walk[:-1]
# explained = 1 - (truth - forecast).var() / truth.var()
# print(explained.item() > 0.97)
# ```
# ```text
# True
# ```
#
# Such a forecast, drawn beside the truth, looks perfect and is one step late. Compare with the naive one, always:
#
# ```python
# naive = (walk[1:] - walk[:-1]).abs().mean()
# assert (truth - forecast).abs().mean() / naive == 1.0  # no better than no model
# ```
#
# **A column that has seen the future.** A moving average is centered unless you say otherwise. This is pure noise, and
# the average "of today" knows tomorrow:
#
# ```python
# import numpy as np
#
# noise = np.random.default_rng(0).normal(size=1000)
# smooth = np.convolve(noise, np.ones(5) / 5, mode="same")
# print(np.corrcoef(smooth[:-1], noise[1:])[0, 1] > 0.4)
# ```
# ```text
# True
# ```
#
# ```python
# past_only = np.convolve(noise, np.ones(5) / 5)[: len(noise)]  # the mean of today and the four days before
# assert abs(np.corrcoef(past_only[:-1], noise[1:])[0, 1]) < 0.1
# ```
#
# ## Exercises
#
# In `lessons/answers/forecasting.py`; check them with `make check-lesson NAME=forecasting`.
#
# 1. `make_windows`: with a gap between the past and what is to be forecast.
# 2. `rolling_origins`: training and test parts, one behind the other.
# 3. `scaled_error`: MASE of a series with gaps.
#
# ## Where this lives
#
# - [`seq-models/forecasting/backtest.py`](../../packages/seq-models/src/torchworks/seq_models/forecasting/backtest.py):
#   `seq-models backtest RUN`, a forecast from each origin of the test part, by step ahead, beside simpler methods.
# - [`forecasting/baselines.py`](../../packages/seq-models/src/torchworks/seq_models/forecasting/baselines.py): the
#   season before, Holt-Winters, ridge regression and boosted trees.
# - [`forecasting/metrics.py`](../../packages/seq-models/src/torchworks/seq_models/forecasting/metrics.py): MASE, and
#   quantiles: a forecast should say how sure it is.
# - [`docs/forecasting.md`](../../packages/seq-models/docs/forecasting.md): what each recipe reaches; on Taylor's series
#   ridge regression is the better choice there, too.
