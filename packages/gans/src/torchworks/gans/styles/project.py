"""The command `project`: the w and the noise whose image is most like a given one.

Karras et al. 2020 (arXiv:1912.04958), section 5 and appendix D. From a first w, Adam goes down the distance to the
image, over w and the noise of every layer. Normally distributed numbers are added to w, less and less until three
quarters of the steps, so that it is not caught in the first hollow. The noise is kept from holding the image itself: at
each scale it must not look like itself moved by a pixel.

    L = distance(image, target) + λ Σ_layers Σ_scales (mean n(x, y) · n(x − 1, y))² + (mean n(x, y) · n(x, y − 1))²

What differs: the paper's distance is LPIPS, whose weights cannot be fetched; this one is the mean squared difference of
pixels, averaged over the image and its halvings down to 4 pixels, and λ is 0.1 for that. It starts from the nearest of
1,000 random images and the net's own noise, where the paper starts from the mean of w and new noise.

Shapes: N images, C channels, S image size, W length of w.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.gans.models.pixels import to_unit
from torchworks.gans.models.stylegan2 import StyleGAN2Generator
from torchworks.gans.noise.mixing import styled_net
from torchworks.gans.noise.predictor import Generator, open_generator
from torchworks.gans.styles.commands import Project
from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images, read, scan
from torchworks.shared.data.listing import some
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.runs.opening import CHUNK
from torchworks.shared.runs.outputs import picture, prepare, progress, save_image
from torchworks.shared.training.checkpoint import write_tensors

RATE, DOUBT, NOISE_WEIGHT = 0.1, 0.05, 0.1
RAMP_UP, RAMP_DOWN, SURE = 0.05, 0.25, 0.75  # shares of the steps
DRAWN = 1000  # images that say how much w varies, and how near chance comes
SMALLEST = 8  # side of noise that is still compared with itself moved
MOST_STEPS = 100_000
ENDS = (".png", ".safetensors")
HEAD, COLUMNS = "rms difference, 0 to 255", (12, 18, 12)


@dataclass(frozen=True)
class Projection:
    """What was found for N images. Distances (N,) are root mean square differences of pixels in 0..255: of the mean
    image, of the nearest of 1,000 random ones, and of the projection."""

    w: Tensor  # (N, W)
    noise: list[Tensor]  # (N, 1, H, H) for each layer
    images: Tensor  # (N, C, S, S) in [0, 1]
    plain: Tensor  # the same with the net's own noise
    mean: Tensor
    nearest: Tensor
    found: Tensor


def project(arguments: Project) -> int:
    """Write the projections and print how near they are. Raises `UserError` that names images that could not be read,
    once all others are done."""
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them, after the run.")
    check_number("--steps", arguments.steps, 1, MOST_STEPS)
    generator = open_generator(arguments.run, arguments.device)
    generator.need_styles("The command project")
    files, bad = find_images(arguments.images)
    names = _names(files)
    written = [f"{name}{end}" for name in names.values() for end in ENDS]
    prepare(arguments.out, written, overwrite=arguments.overwrite, inputs=files)
    targets, unreadable = _read(files, generator)
    bad |= unreadable

    width = max(len(name) for name in (HEAD, *names.values()))
    if targets:
        heads = ("mean image", f"nearest of {DRAWN:,}", "projection")
        print(f"{HEAD:<{width}}" + "".join(f"{head:>{w}}" for head, w in zip(heads, COLUMNS, strict=True)))
    for start in range(0, len(targets), CHUNK):
        part = [*targets][start : start + CHUNK]
        wanted = torch.stack([targets[file] for file in part])
        found = find(styled_net(generator), wanted.to(generator.run.device), arguments.steps, arguments.seed)
        for row, file in enumerate(part):
            _write(arguments.out, names[file], wanted[row], found, row)
            numbers = (found.mean[row], found.nearest[row], found.found[row])
            print(f"{names[file]:<{width}}" + "".join(f"{x:>{w}.1f}" for x, w in zip(numbers, COLUMNS, strict=True)))
    if targets:
        print(f"{arguments.out} ({len(targets)} images)")
    if bad:
        named = some([f"{path} ({why})" for path, why in bad.items()], 20)
        raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")
    return 0


def find(net: StyleGAN2Generator, targets: Tensor, steps: int, seed: int = 0) -> Projection:
    """The projections of `targets`, uint8 (N, C, S, S)."""
    wanted, n = targets.float() / 127.5 - 1, len(targets)
    random = StepRandom(seed, wanted.device)
    start, spread, mean, nearest = _chance(net, wanted, random)
    w = start.clone().requires_grad_()
    noise = [layer.get_buffer("noise").repeat(n, 1, 1, 1).requires_grad_() for layer in net.synthesis.layers]
    optimizer = torch.optim.Adam([w, *noise], lr=RATE)
    with torch.enable_grad():
        for step in progress(range(steps), "projecting", steps):
            t = step / steps
            optimizer.param_groups[0]["lr"] = RATE * _ramp(t)
            doubt = random.at("doubt", step).normal(*w.shape) * (DOUBT * spread * max(0.0, 1 - t / SURE) ** 2)
            images = net.synthesis(net.styles(w + doubt), noise)
            loss = distance(images, wanted).sum() + NOISE_WEIGHT * sum(_sameness(each) for each in noise)
            for leaf, slope in zip([w, *noise], torch.autograd.grad(loss, [w, *noise], allow_unused=True), strict=True):
                leaf.grad = slope
            optimizer.step()
            _normalize(noise)
    with torch.no_grad():
        images = net.synthesis(net.styles(w), noise)
        plain = net.synthesis(net.styles(w))
    return Projection(
        w=w.detach().cpu(),
        noise=[each.detach().cpu() for each in noise],
        images=to_unit(images).cpu(),
        plain=to_unit(plain).cpu(),
        mean=mean.cpu(),
        nearest=nearest.cpu(),
        found=_rms(images, wanted).cpu(),
    )


@torch.no_grad()
def _chance(net: StyleGAN2Generator, wanted: Tensor, random: StepRandom) -> tuple[Tensor, float, Tensor, Tensor]:
    """The w (N, W) of the nearest of some random images, how much w varies, and the differences (N,) of the mean image
    and of those nearest ones."""
    w = net.mapping(random.at("chance").normal(DRAWN, net.latent_dim))
    spread = (w - net.mapping.mean).square().sum(dim=1).mean().sqrt().item()
    differences = []
    for part in w.split(CHUNK):
        images = net.synthesis(net.styles(part))
        differences.append(torch.stack([_rms(images, each) for each in wanted]))
    nearest, index = torch.cat(differences, dim=1).min(dim=1)
    mean = _rms(net.synthesis(net.styles(net.mapping.mean[None])), wanted)
    return w[index], spread, mean, nearest


def distance(images: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference (N,) of images (N, C, S, S), averaged over them and their halvings down to 4 pixels."""
    levels = []
    difference = images - wanted
    while True:
        levels.append(difference.square().mean(dim=(1, 2, 3)))
        if difference.shape[-1] < SMALLEST:
            return torch.stack(levels).mean(dim=0)
        difference = F.avg_pool2d(difference, 2)


def _rms(images: Tensor, wanted: Tensor) -> Tensor:
    return (images.clamp(-1, 1) - wanted).square().mean(dim=(1, 2, 3)).sqrt() * 127.5


def _ramp(t: float) -> float:
    """The factor on the rate at the share `t` of the steps."""
    down = min(1.0, (1 - t) / RAMP_DOWN)
    return (0.5 - 0.5 * math.cos(down * math.pi)) * min(1.0, (t + 1e-3) / RAMP_UP)


def _sameness(noise: Tensor) -> Tensor:
    """How much noise (N, 1, H, H) looks like itself moved by a pixel, at each scale; summed over the rows."""
    total = noise.new_zeros(())
    while noise.shape[-1] >= SMALLEST:
        for dim in (2, 3):
            total = total + (noise * noise.roll(1, dim)).mean(dim=(1, 2, 3)).square().sum()
        noise = F.avg_pool2d(noise, 2) * 2  # keeps the variance of what does not look like itself moved
    return total


@torch.no_grad()
def _normalize(noise: Sequence[Tensor]) -> None:
    """Each row to mean 0 and variance 1."""
    for each in noise:
        each -= each.mean(dim=(1, 2, 3), keepdim=True)
        each *= each.square().mean(dim=(1, 2, 3), keepdim=True).add(1e-8).rsqrt()


def _names(files: dict[Path, Path]) -> dict[Path, str]:
    """Names of results, without ending; images of equal names get a number."""
    names: dict[Path, str] = {}
    for file, name in files.items():
        stem, number = name.with_suffix("").as_posix().replace("/", "-"), 1
        wanted = stem
        while wanted in names.values():
            number += 1
            wanted = f"{stem}-{number}"
        names[file] = wanted
    return names


def _read(files: dict[Path, Path], generator: Generator) -> tuple[dict[Path, Tensor], dict[Path, str]]:
    """The images at the run's size, and why others cannot be read. Says which were cropped or resized."""
    channels, size = (int(n) for n in generator.run.predictor.signature.outputs[0].shape[1:3])
    images: dict[Path, Tensor] = {}
    bad: dict[Path, str] = {}
    for file in files:
        try:
            images[file] = read(file, channels, size)
        except Unreadable as error:
            bad[file] = str(error)
            continue
        (known,) = scan([file])
        if (known.width, known.height) != (size, size):
            crop = "" if known.width == known.height else " cropped at its middle to a square and"
            print(f"{file} has {known.width} × {known.height} pixels; it is{crop} resized to {size} × {size}.")
    return images, bad


def _write(folder: Path, name: str, wanted: Tensor, found: Projection, row: int) -> None:
    images = torch.stack([wanted / 255, found.images[row], found.plain[row]])
    save_image(picture(picture_grid(images, 3, min_side=128)), folder / f"{name}.png")
    noise = {f"noise.{layer}": each[row].clone() for layer, each in enumerate(found.noise)}
    write_tensors(folder / f"{name}.safetensors", {"w": found.w[row].clone(), **noise})
