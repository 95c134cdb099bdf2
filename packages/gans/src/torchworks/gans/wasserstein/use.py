"""The command `critics`: a picture of critics in the plane."""

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from torchworks.gans.wasserstein.commands import Critics
from torchworks.gans.wasserstein.toy import POINTS, Trained, train_critic
from torchworks.shared.config import UserError
from torchworks.shared.runs.outputs import prepare_image_file, progress

REACH = 2.4
"""Half of the side of the square that level sets are drawn in."""
MOST_CLIPS = 4


def critics(arguments: Critics) -> int:
    """Train the critics, draw them and print the path."""
    _check(arguments)
    prepare_image_file(arguments.out, overwrite=arguments.overwrite)
    limits = [*arguments.clips, None]
    found = [
        train_critic(arguments.points, clip=limit, steps=arguments.steps, seed=arguments.seed)
        for limit in progress(limits, "training", len(limits))
    ]
    names = [f"weights clipped to ±{limit:g}" for limit in arguments.clips] + ["gradient penalty"]
    for name, critic in zip(names, found, strict=True):
        print(f"{name:<28} distance {critic.distance:9.4f}   gradient at the first layer {critic.gradients[0]:.2g}")
    draw(arguments.points, names, found).savefig(arguments.out, dpi=100)
    print(arguments.out)
    return 0


def draw(points: str, names: list[str], found: list[Trained]) -> Figure:
    """Level sets of each critic; gradients by layer and weights of all."""
    columns = len(found)
    figure = Figure(figsize=(2.6 * columns, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, columns)
    for column, (name, critic) in enumerate(zip(names, found, strict=True)):
        _level_sets(figure.add_subplot(grid[0, column]), points, name, critic)
    half = max(columns // 2, 1)
    _gradients(figure.add_subplot(grid[1, :half]), names, found)
    _weights(figure.add_subplot(grid[1, half:]), names, found)
    return figure


def _level_sets(axes: Axes, points: str, name: str, critic: Trained) -> None:
    line = torch.linspace(-REACH, REACH, 80)
    y, x = torch.meshgrid(line, line, indexing="ij")
    with torch.no_grad():
        values = critic.critic(torch.stack([x.flatten(), y.flatten()], dim=1)).view(x.shape)
    sample, _ = POINTS[points]
    shown = sample(400, torch.Generator().manual_seed(0))
    axes.contour(x.numpy(), y.numpy(), values.numpy(), levels=14, cmap="viridis", linewidths=1)
    axes.plot(shown[:, 0].numpy(), shown[:, 1].numpy(), ".", color="tab:orange", markersize=2)
    axes.set_title(name, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal")


def _gradients(axes: Axes, names: list[str], found: list[Trained]) -> None:
    for name, critic in zip(names, found, strict=True):
        norms = torch.tensor(critic.gradients).clamp(min=1e-20)
        axes.semilogy(range(1, len(norms) + 1), norms.numpy(), marker=".", label=name)
    axes.set_xlabel("layer", fontsize=8)
    axes.set_title("norm of the gradient at each layer's output", fontsize=9)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7)


def _weights(axes: Axes, names: list[str], found: list[Trained]) -> None:
    for name, critic in zip(names, found, strict=True):
        axes.hist(critic.weights.clamp(-0.6, 0.6).numpy(), bins=121, density=True, histtype="step", label=name)
    axes.set_yscale("log")
    axes.set_title("weights", fontsize=9)
    axes.tick_params(labelsize=7)


def _check(arguments: Critics) -> None:
    if not 1 <= arguments.steps <= 100_000:
        raise UserError(f"--steps is {arguments.steps}; it must be from 1 to 100,000.")
    if not 1 <= len(arguments.clips) <= MOST_CLIPS:
        raise UserError(f"--clips are {len(arguments.clips)}; give 1 to {MOST_CLIPS} limits.")
    for limit in arguments.clips:
        if not 0 < limit < float("inf"):
            raise UserError(f"--clips has {limit:g}; each limit must be above 0 and finite.")
