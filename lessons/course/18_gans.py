# %% [markdown]
# # 18. Generative adversarial networks
#
# One network makes samples, another tells them from real ones, and each learns from the other; this lesson trains such
# a pair on points in a plane, where you can see everything that goes right and wrong.
#
# There is no loss that says how good an image is. So let a second network learn it: the **discriminator** D sees real
# and made samples and is trained as an ordinary classifier. The **generator** G turns noise into samples, and its loss
# is D's opinion of them. The gradient flows through D into G and says: *move your samples this way, and I would take
# them for real* (Goodfellow et al. 2014).

# %%
import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.gans.adversarial.losses import LOSSES, squared_slopes
from torchworks.lessons import save_figure

# %% [markdown]
# ## The data: eight islands
#
# Points around eight centers on a circle. With images we could only look; here we can count: how many islands does the
# generator reach (**coverage**), and how many of its points lie on one (**quality**)?

# %%
angles = torch.arange(8) * torch.pi / 4
CENTERS = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)  # (8, 2)


def real_points(count: int, generator: torch.Generator) -> Tensor:
    """Points (count, 2) of a random island each, with a deviation of 0.1."""
    which = torch.randint(8, (count,), generator=generator)
    return CENTERS[which] + 0.1 * torch.randn(count, 2, generator=generator)


def judge(points: Tensor) -> tuple[int, float]:
    """How many islands have at least 2 % of the points, and the share of points that lie on one."""
    distance, nearest = torch.cdist(points, CENTERS).min(dim=1)
    on_land = distance < 0.4
    counts = torch.bincount(nearest[on_land], minlength=8)
    return int((counts >= 0.02 * len(points)).sum()), on_land.float().mean().item()


draw = torch.Generator().manual_seed(0)
real = real_points(2000, draw)
normal = torch.distributions.MultivariateNormal(real.mean(0), real.T.cov())
torch.manual_seed(0)
for name, points in (("real points", real), ("one normal distribution, fitted", normal.sample((2000,)))):
    islands, share = judge(points)
    print(f"{name:<32} {islands} islands, {share:.0%} on land")
baseline = judge(normal.sample((2000,)))[1]

# %% [markdown]
# The normal distribution is our baseline: mean and spread are right, and nearly all of its points are at sea.
#
# ## The game
#
# D minimises `softplus(-D(real)) + softplus(D(fake))`: binary cross-entropy on logits. G minimises
# `softplus(-D(fake))`. Three details matter:
#
# - In D's step the fake points are **detached**: D must not teach G to make its work easy.
# - In G's step only G's optimizer steps. D's gradients from it are thrown away by D's next `zero_grad`.
# - The **R1 penalty** adds the squared slope of D at real points (Mescheder et al. 2018). At the end of the game D
#   should be flat there: real points need not move. Without it D may become a cliff, and G hears only shouting.


# %%
def make_net(inputs: int, outputs: int) -> nn.Module:
    """Two hidden layers of 64."""
    layers = [nn.Linear(inputs, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, outputs)]
    return nn.Sequential(*layers)


def play(steps: int, generator_steps: int = 1, keep: tuple[int, ...] = ()) -> tuple[nn.Module, dict[int, Tensor]]:
    """Train a pair; D, and 1,000 points of G after each step in `keep`. G takes so many steps for one of D."""
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    g, d = make_net(4, 2), make_net(2, 1)
    g_optimizer = torch.optim.Adam(g.parameters(), lr=1e-3, betas=(0.0, 0.9))
    d_optimizer = torch.optim.Adam(d.parameters(), lr=1e-3, betas=(0.0, 0.9))
    kept = {}
    for step in range(1, steps + 1):
        x = real_points(128, draw).requires_grad_()
        fake = g(torch.randn(128, 4, generator=draw)).detach()
        on_real, on_fake = d(x), d(fake)
        (slope,) = torch.autograd.grad(on_real.sum(), x, create_graph=True)  # (128, 2): how D rises at each real point
        r1 = slope.square().sum(dim=1).mean()
        d_optimizer.zero_grad()
        (F.softplus(-on_real).mean() + F.softplus(on_fake).mean() + 0.25 * r1).backward()
        d_optimizer.step()
        for _ in range(generator_steps):
            g_optimizer.zero_grad()
            F.softplus(-d(g(torch.randn(128, 4, generator=draw)))).mean().backward()
            g_optimizer.step()
        if step in keep:
            with torch.no_grad():
                kept[step] = g(torch.randn(1000, 4, generator=draw))
    return d, kept


fair_steps, hasty_steps = (50, 200, 900), (60, 120, 180)
critic, fair = play(900, keep=fair_steps)
_, hasty = play(180, generator_steps=10, keep=hasty_steps)
for name, kept in (("one step each", fair), ("G takes ten steps for one of D", hasty)):
    for step, points in kept.items():
        islands, share = judge(points)
        print(f"{name:<32} step {step:3}: {islands} islands, {share:.0%} on land")
islands, share = judge(fair[900])
assert islands >= 7
assert share > baseline + 0.2
assert max(judge(points)[0] for points in hasty.values()) <= 5

# %% [markdown]
# **Mode collapse.** A generator that runs ahead finds the one place that D likes best at the moment and puts everything
# there. D then learns that this place is fake; G jumps to the next. The loss looks lively all the time. So never judge
# a generator by its loss: measure coverage and quality. With images, that is what the Fréchet distance, precision and
# recall are for.
#
# ## The same with the package
#
# `torchworks.gans` has this game for images, with five pairs of losses. Its parts are ours:

# %%
logits = torch.randn(64, 1), torch.randn(64, 1)
ours = F.softplus(-logits[0]).mean() + F.softplus(logits[1]).mean()
assert torch.equal(LOSSES["non-saturating"].discriminator(*logits), ours)
x = real[:16].clone().requires_grad_()
(slope,) = torch.autograd.grad(critic(x).sum(), x)
assert torch.allclose(squared_slopes(critic(x), x), slope.square().sum(dim=1))
print("losses of the package:", ", ".join(LOSSES))

# %% [markdown]
# ## The figure
#
# Above: the fair game, with D's opinion behind the last picture (light: real). A cloud at first, then a ring through
# all islands: a continuous function of noise cannot leap from one to the next, and bridges go last. Below: the hasty
# generator, all in one place, and elsewhere each time.

# %%
figure, axes = plt.subplots(2, 4, figsize=(13, 6.6), sharex=True, sharey=True)
side = torch.linspace(-3.2, 3.2, 80)
grid = torch.cartesian_prod(side, side)
with torch.no_grad():
    opinion = critic(grid).sigmoid().view(80, 80).T.numpy()
axes[0, 3].imshow(opinion, extent=(-3.2, 3.2, -3.2, 3.2), origin="lower", cmap="gray", alpha=0.6, aspect="auto")
axes[0, 0].set_title("real points")
axes[1, 0].set_title("the fitted normal distribution")
for axis, points in ((axes[0, 0], real[:1000]), (axes[1, 0], normal.sample((1000,)))):
    axis.scatter(*points.T, s=3, color="tab:gray")
for row, kept, color in ((0, fair, "tab:blue"), (1, hasty, "tab:red")):
    for axis, (step, points) in zip(axes[row, 1:], kept.items(), strict=True):
        islands, share = judge(points)
        axis.scatter(*CENTERS.T, s=120, facecolors="none", edgecolors="tab:green")
        axis.scatter(*points.T, s=3, color=color)
        axis.set_title(f"step {step}: {islands} of 8, {share:.0%}")
axes[0, 0].set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2))
save_figure(figure, "gans")

# %% [markdown]
# ## What goes wrong
#
# **The generator's loss does not reach the generator.** `detach` belongs in D's step; in G's it cuts the very path that
# G learns by:
#
# ```python
# import torch
# from torch import nn
#
# g, d = nn.Linear(4, 2), nn.Linear(2, 1)
# for parameter in d.parameters():
#     parameter.requires_grad_(False)
# d(g(torch.randn(8, 4)).detach()).mean().backward()
# ```
# ```text
# RuntimeError: element 0 of tensors does not require grad and does not have a grad_fn
# ```
#
# ```python
# d(g(torch.randn(8, 4))).mean().backward()
# assert g.weight.grad is not None
# ```
#
# **Forgotten where it belongs.** Without `detach` in D's step, and with the fake points used again for G's, the graph
# is gone when G's turn comes:
#
# ```python
# d.requires_grad_(True)
# fake = g(torch.randn(8, 4))
# d(fake).mean().backward()
# d(fake).mean().backward()
# ```
# ```text
# RuntimeError: Trying to backward through the graph a second time …
# ```
#
# ```python
# fake = g(torch.randn(8, 4))
# d(fake.detach()).mean().backward()  # D's step
# d(fake).mean().backward()  # G's step
# ```
#
# **Sigmoid before a loss that has one.** With logits D gives any number; `binary_cross_entropy` wants probabilities:
#
# ```python
# nn.functional.binary_cross_entropy(torch.tensor([1.7]), torch.tensor([1.0]))
# ```
# ```text
# RuntimeError: all elements of input should be between 0 and 1
# ```
#
# ```python
# nn.functional.binary_cross_entropy_with_logits(torch.tensor([1.7]), torch.tensor([1.0]))
# ```
#
# ## Exercises
#
# In `lessons/answers/gans.py`; check them with `make check-lesson NAME=gans`.
#
# 1. `discriminator_loss`: real ones up, fake ones down, and nothing for the generator.
# 2. `r1_penalty`: the squared slope at real points.
# 3. `coverage`: how many islands a generator reaches.
#
# ## Where this lives
#
# - [`gans/adversarial/losses.py`](../../packages/gans/src/torchworks/gans/adversarial/losses.py): five pairs of losses,
#   and penalties.
# - [`gans/noise/task.py`](../../packages/gans/src/torchworks/gans/noise/task.py): the two phases of a step, for images.
# - [`gans/adversarial/doctor.py`](../../packages/gans/src/torchworks/gans/adversarial/doctor.py) watches the game and
#   says when a side has won, or all samples look alike.
# - [`shared/fidelity/distances.py`](../../shared/src/torchworks/shared/fidelity/distances.py): the Fréchet distance,
#   precision and recall, which judge generators of images.
