# %% [markdown]
# # 19. Diffusion
#
# Add noise to data until nothing is left, and train a network to say what was added; run backwards, it makes new data
# out of noise. This lesson does so with points on a spiral, where each point's way can be drawn.
#
# A GAN learns to make a sample in one leap, from another network's opinion. Diffusion takes many small steps, and its
# loss is a plain squared error. That is why it is so much easier to train, and so much slower to sample.

# %%
import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from torchworks.lessons import save_figure
from torchworks.shared.denoising.levels import IMAGE, Level
from torchworks.shared.denoising.samplers import ddim, dpmpp_2m

torch.manual_seed(0)


def spiral(count: int) -> Tensor:
    """Points (count, 2) on a spiral of one and a half turns, with a little noise; about unit variance."""
    turn = torch.rand(count).sqrt() * 3 * torch.pi
    line = torch.stack([turn * turn.cos(), turn * turn.sin()], dim=1) / 5
    return line + 0.03 * torch.randn(count, 2)


data = spiral(4000)
held_out = spiral(2000)


def distance(points: Tensor) -> float:
    """The mean distance to the nearest of 2,000 points that no model has seen."""
    return torch.cdist(points, held_out).amin(dim=1).mean().item()


floor = distance(spiral(1000))
noise_only = distance(torch.randn(1000, 2) * data.std(dim=0))
print(f"distance of new points of the spiral {floor:.3f} (the best one can do), of normal noise {noise_only:.3f}")

# %% [markdown]
# ## Forward: into noise in one formula
#
# T = 100 steps, each of which shrinks the point a little and adds a little noise. Nobody walks them one by one: sums of
# normal noise are normal noise, so that after t steps (Ho et al. 2020, equation 4)
#
# ```
# x_t = alpha_t · x_0 + sigma_t · eps        alpha_t² + sigma_t² = 1
# ```
#
# `alpha` falls from 1 to nearly 0. We take the cosine schedule (Nichol and Dhariwal 2021): alpha = cos(½ π t / T).

# %%
T = 100
angle = torch.linspace(0.02, 0.97, T) * torch.pi / 2
alpha, sigma = angle.cos(), angle.sin()  # (T,) each; index 0 is almost clean, T - 1 almost noise
assert torch.allclose(alpha**2 + sigma**2, torch.ones(T))


def add_noise(x: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """x (N, 2) at the levels t (N,) with the noise eps (N, 2)."""
    return alpha[t, None] * x + sigma[t, None] * eps


# %% [markdown]
# ## Training: guess the noise
#
# Take a point, a random level, some noise; mix them; let the network guess the noise. It must be told the level, since
# the same place means different things at different times. We give it sines of the time, and sines of the coordinates
# too: a small network learns fine detail far more easily from waves than from bare numbers (Tancik et al. 2020).


# %%
class Denoiser(nn.Module):
    """(x (N, 2), t (N,)) → the noise in x (N, 2)."""

    def __init__(self):
        super().__init__()
        layers = [nn.Linear(2 + 8 + 8, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU()]
        self.net = nn.Sequential(*layers, nn.Linear(128, 2))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        phase = t[:, None] / T * torch.pi * torch.tensor([0.5, 1.0, 2.0, 4.0])
        waves = [wave for factor in (2, 4) for wave in ((factor * x).sin(), (factor * x).cos())]
        return self.net(torch.cat([x, phase.sin(), phase.cos(), *waves], dim=1))


model = Denoiser()
STEPS = 1200
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
losses = []
for _ in range(STEPS):
    x = data[torch.randint(len(data), (256,))]
    t, eps = torch.randint(T, (256,)), torch.randn(256, 2)
    loss = (model(add_noise(x, t, eps), t) - eps).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    losses.append(loss.item())
print(f"loss {sum(losses[:50]) / 50:.2f} at first, {sum(losses[-50:]) / 50:.2f} at the end; guessing 0 has 1.0")

# %% [markdown]
# The loss does not go to 0 and cannot: from a noisy point nobody can say exactly which noise it was. The best guess is
# the *mean* of all noise that could have led here, and that mean points away from the data. Learning it is enough.
#
# ## Backward: two samplers
#
# **Ancestral** (DDPM, algorithm 2): guess the noise, hence the clean point; go one level down towards it; add a little
# fresh noise. A hundred steps, no shortcut.
#
# **DDIM** (Song et al. 2021): keep the guessed noise and mix point and noise anew at *any* lower level. No fresh noise,
# so that steps may be long.


# %%
@torch.no_grad()
def guess(x: Tensor, t: int) -> tuple[Tensor, Tensor]:
    """The noise that is in x at level t, and the clean point that is left without it.

    At high levels alpha is small, so that a small error in the noise is a large one in the point: it is cut to where
    the data are, and the noise corrected accordingly.
    """
    eps = model(x, torch.full((len(x),), t))
    clean = ((x - sigma[t] * eps) / alpha[t]).clamp(-2, 2)
    return (x - alpha[t] * clean) / sigma[t], clean


def ancestral(x: Tensor) -> Tensor:
    for t in range(T - 1, -1, -1):
        eps, clean = guess(x, t)
        if t == 0:
            return clean
        step = sigma[t] ** 2 - (alpha[t] / alpha[t - 1] * sigma[t - 1]) ** 2  # variance added from t - 1 to t
        fresh = (step.sqrt() * sigma[t - 1] / sigma[t]) * torch.randn_like(x)
        direction = (sigma[t - 1] ** 2 * (1 - step / sigma[t] ** 2)).sqrt()
        x = alpha[t - 1] * clean + direction * eps + fresh
    return x


def levels(steps: int) -> list[int]:
    """Indices from T - 1 down, evenly."""
    return torch.linspace(T - 1, 0, steps).round().int().tolist()


def by_ddim(x: Tensor, steps: int) -> list[Tensor]:
    """x after each step, the start among them."""
    way = [x]
    indices = levels(steps)
    for t, below in zip(indices, [*indices[1:], None], strict=True):
        eps, clean = guess(way[-1], t)
        way.append(clean if below is None else alpha[below] * clean + sigma[below] * eps)
    return way


start = torch.randn(1000, 2)
print(f"ancestral, 100 steps: {distance(ancestral(start)):.3f}")
by_steps = {steps: distance(by_ddim(start, steps)[-1]) for steps in (3, 5, 10, 20, 50)}
print("DDIM:", ", ".join(f"{steps} steps {value:.3f}" for steps, value in by_steps.items()))
assert by_steps[50] < noise_only / 5
assert by_steps[20] < by_steps[3]

# %% [markdown]
# ## The same with the package
#
# The samplers of `torchworks.shared.denoising` want two things: a function that returns the clean point, and a grid of
# levels (alpha, sigma, time) that ends with the clean image. With our net they take the same way as we did:


# %%
def denoise(x: Tensor, level: Level) -> Tensor:
    return guess(x, int(level.time))[1]


def grid(steps: int) -> list[Level]:
    return [*(Level(alpha[t].item(), sigma[t].item(), t) for t in levels(steps)), IMAGE]


assert torch.allclose(ddim(denoise, start, grid(20)), by_ddim(start, 20)[-1], atol=1e-3)
second_order = {steps: distance(dpmpp_2m(denoise, start, grid(steps))) for steps in (3, 5, 10, 20, 50)}
print("DPM-Solver++:", ", ".join(f"{steps} steps {value:.3f}" for steps, value in second_order.items()))

# %% [markdown]
# DPM-Solver++ is of second order, and yet no better here: from ten steps on the error of our small net is larger than
# that of either sampler. More steps cannot repair a net; measure before you pay for them.
#
# ## The figure
#
# Above: a thousand points on their way from noise (left) to the spiral (right), by DDIM. Below: the ways of sixty of
# them, smooth curves, since DDIM adds no noise; the loss; and what more steps bring, for two samplers.

# %%
figure, axes = plt.subplots(2, 4, figsize=(14, 7))
way = by_ddim(start, 50)
for axis, step in zip(axes[0], (0, 20, 35, 50), strict=True):
    axis.scatter(*way[step].T, s=3, color="tab:blue")
    axis.set(title=f"after {step} of 50 steps", xlim=(-2.8, 2.8), ylim=(-2.8, 2.8), aspect="equal")
ways = torch.stack(way)[:, :60]  # (51, 60, 2)
for i in range(60):
    axes[1, 0].plot(*ways[:, i].T, color="tab:gray", linewidth=0.6)
axes[1, 0].scatter(*ways[-1].T, s=10, color="tab:blue")
axes[1, 0].set(title="ways of sixty points", xlim=(-2.8, 2.8), ylim=(-2.8, 2.8), aspect="equal")
axes[1, 1].scatter(*data[:1000].T, s=3, color="tab:green")
axes[1, 1].set(title="the data", xlim=(-2.8, 2.8), ylim=(-2.8, 2.8), aspect="equal")
axes[1, 2].plot(torch.tensor(losses).unfold(0, 25, 1).mean(1))
axes[1, 2].set(title="loss", xlabel="step of training")
for name, found in (("DDIM", by_steps), ("DPM-Solver++", second_order)):
    axes[1, 3].plot(list(found), list(found.values()), "o-", label=name)
axes[1, 3].axhline(floor, color="gray", linestyle=":", label="new points of the spiral")
axes[1, 3].set(xscale="log", yscale="log", xlabel="steps of sampling", title="distance to the spiral")
axes[1, 3].set_xticks(list(by_steps), labels=[str(steps) for steps in by_steps])
axes[1, 3].minorticks_off()
axes[1, 3].set_ylim(top=5 * max(by_steps.values()))
axes[1, 3].legend(loc="upper right")
figure.tight_layout()
save_figure(figure, "diffusion")

# %% [markdown]
# ## What goes wrong
#
# **One level for the whole batch has the wrong shape.** `alpha[t]` is (N,), the points are (N, 2):
#
# ```python
# import torch
#
# alpha, t = torch.linspace(1, 0, 100), torch.randint(100, (256,))
# alpha[t] * torch.randn(256, 2)
# ```
# ```text
# RuntimeError: The size of tensor a (256) must match the size of tensor b (2) at non-singleton dimension 1
# ```
#
# ```python
# alpha[t, None] * torch.randn(256, 2)
# ```
#
# **Sampling with gradients.** A hundred steps keep a hundred graphs, and memory fills up. Ask the result:
#
# ```python
# model = torch.nn.Linear(2, 2)
# x = torch.randn(4, 2)
# for _ in range(3):
#     x = x - 0.1 * model(x)
# print(x.requires_grad)
# ```
# ```text
# True
# ```
#
# ```python
# with torch.no_grad():
#     x = torch.randn(4, 2)
#     for _ in range(3):
#         x = x - 0.1 * model(x)
# assert not x.requires_grad
# ```
#
# **Division by an alpha of 0.** At the last level of many schedules nothing is left of the image, and the clean point
# is 0 / 0:
#
# ```python
# x, eps = torch.ones(1), torch.ones(1)
# print((x - 1.0 * eps) / 0.0)
# ```
# ```text
# tensor([nan])
# ```
#
# Start a little below the last level, as we do, or let the net predict the clean point (or the velocity) there:
#
# ```python
# assert ((x - 0.9999 * eps) / 0.014).isfinite().all()
# ```
#
# ## Exercises
#
# In `lessons/answers/diffusion.py`; check them with `make check-lesson NAME=diffusion`.
#
# 1. `add_noise`: the forward formula, for images too.
# 2. `clean_image`: what a guess of the noise says of the image.
# 3. `ddim_step`: one step down.
#
# ## Where this lives
#
# - [`shared/denoising/samplers.py`](../../shared/src/torchworks/shared/denoising/samplers.py): six samplers, each a
#   function of a few lines.
# - [`shared/denoising/paths.py`](../../shared/src/torchworks/shared/denoising/paths.py): schedules: DDPM's, cosine,
#   and the straight line of flow matching.
# - [`diffusion/process/objective.py`](../../packages/diffusion/src/torchworks/diffusion/process/objective.py): the
#   loss, for nets that predict the noise, the image or the velocity.
