"""The command `sample`: grids, single files and films of new images."""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from torchworks.gans.noise.commands import Sample
from torchworks.gans.noise.mixing import draw_table
from torchworks.gans.noise.predictor import Generator, open_generator
from torchworks.shared.config import UserError
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.runs.opening import CHUNK
from torchworks.shared.runs.outputs import file_name, picture, prepare, progress, save_film, save_image

MOST_IN_GRID, MOST_FILES = 1024, 1_000_000
AT_ONCE = 16 * CHUNK
STOPS = 4  # images that each walk of a film passes
LONGEST = 60  # steps from one to the next


def sample(arguments: Sample) -> int:
    """Draw what `arguments` ask for and print the paths written."""
    _check(arguments)
    generator = open_generator(arguments.run, arguments.device)
    if arguments.truncation != 1:
        generator.need_styles("--truncation")
    if arguments.mix:
        return draw_table(generator, arguments)
    labels = _labels(generator, arguments)
    folder = arguments.out or arguments.run / "generated"
    names = _names(arguments, labels, generator.classes)
    prepare(folder, names, overwrite=arguments.overwrite or arguments.out is None)

    columns = arguments.columns or _columns(arguments.n, len(arguments.labels or generator.classes))
    if arguments.interpolate:
        _film(generator, arguments, labels, columns, folder / names[0])
        print(folder / names[0])
        return 0
    kept = []
    for rows in progress(_parts(arguments.n), "drawing", -(-arguments.n // AT_ONCE)):
        asked = None if labels is None else labels[rows.start : rows.stop]
        latents = within(generator.latents(arguments.seed, rows), arguments.threshold)
        images = generator.draw(latents, asked, arguments.truncation)
        if not arguments.no_grid:
            kept.append(images)
        if arguments.files:
            _save(images, [folder / name for name in names[-arguments.n :][rows.start : rows.stop]])
    if kept:
        save_image(picture(picture_grid(torch.cat(kept) / 255, columns)), folder / names[0])
        print(folder / names[0])
    if arguments.files:
        print(f"{folder} ({arguments.n} images)")
    return 0


def _parts(n: int) -> Iterator[range]:
    """`range(n)` in parts of `AT_ONCE`."""
    return (range(start, min(start + AT_ONCE, n)) for start in range(0, n, AT_ONCE))


def _save(images: Tensor, paths: list[Path]) -> None:
    for image, path in zip(images, paths, strict=True):
        save_image(picture(image), path)


def _check(arguments: Sample) -> None:
    drawn = not arguments.no_grid or arguments.interpolate
    most = MOST_IN_GRID if drawn else MOST_FILES
    if not 1 <= arguments.n <= most:
        more = " Add --no-grid --files for more of them." if drawn and arguments.n > most else ""
        raise UserError(f"--n is {arguments.n}; it must be from 1 to {most:,}.{more}")
    if arguments.no_grid and not arguments.files:
        raise UserError("With --no-grid and without --files there is nothing to write. Leave out one or add the other.")
    if arguments.columns is not None and arguments.columns < 1:
        raise UserError(f"--columns is {arguments.columns}; it must be at least 1.")
    if arguments.interpolate and not 2 <= arguments.interpolate <= LONGEST:
        raise UserError(f"--interpolate is {arguments.interpolate}; it must be from 2 to {LONGEST} steps.")
    if not arguments.threshold > 0:
        raise UserError(f"--threshold is {arguments.threshold:g}; it must be above 0.")
    if not 0 <= arguments.truncation <= 1:
        raise UserError(f"--truncation is {arguments.truncation:g}; it must be from 0 to 1.")


def within(latents: Tensor, threshold: float) -> Tensor:
    """Standard normal numbers as those of a normal distribution cut off at ±`threshold` (Brock et al. 2019, section
    3.1), in the same order, so that an image stays itself: Φ⁻¹(Φ(−t) + Φ(z) (Φ(t) − Φ(−t)))."""
    if threshold == math.inf:
        return latents
    even = torch.erf(latents.double() / 2**0.5) * math.erf(threshold / 2**0.5)  # 2Φ − 1
    return (torch.erfinv(even) * 2**0.5).clamp(-threshold, threshold).to(latents.dtype)


def _labels(generator: Generator, arguments: Sample) -> Tensor | None:
    """The class of each image, (N,): the classes asked for, in turn."""
    wanted = generator.class_indices(arguments.labels)
    return torch.tensor(wanted)[torch.arange(arguments.n) % len(wanted)] if wanted else None


def _names(arguments: Sample, labels: Tensor | None, classes: tuple[str, ...]) -> list[str]:
    """The files to write; the image first, if there is one."""
    seed = f"seed{arguments.seed}"
    if arguments.interpolate:
        return [f"walk-{seed}.gif"]
    kinds = [""] * arguments.n if labels is None else [f"-{file_name(classes[label])}" for label in labels.tolist()]
    grid = [] if arguments.no_grid else [f"grid-{seed}.png"]
    return grid + ([f"{seed}-{i:05d}{kind}.png" for i, kind in enumerate(kinds)] if arguments.files else [])


def _columns(n: int, kinds: int) -> int:
    """One column for each of a few classes, else nearly a square."""
    return kinds if 4 <= kinds <= 16 else math.ceil(math.sqrt(n))


# ---- films -----------------------------------------------------------------------------------------------


def _film(generator: Generator, arguments: Sample, labels: Tensor | None, columns: int, path: Path) -> None:
    side = 64 if arguments.n <= 64 else 32
    frames = []
    latents_of_frames = walk(generator, arguments.seed, arguments.n, arguments.interpolate)
    for latents in progress(latents_of_frames, "drawing", STOPS * arguments.interpolate):
        images = generator.draw(within(latents, arguments.threshold), labels, arguments.truncation)
        frames.append(picture_grid(images / 255, columns, min_side=side))
    save_film(path, frames, milliseconds=80)


def walk(generator: Generator, seed: int, n: int, steps: int) -> Iterator[Tensor]:
    """Latents (N, latent_dim) of each frame. Image i goes from what `seed` gives it to three others and back, and the
    frame after the last is the first one."""
    stops = [generator.latents(seed, range(stop * n, (stop + 1) * n)) for stop in range(STOPS)]
    for here, there in zip(stops, stops[1:] + stops[:1], strict=True):
        for step in range(steps):
            yield slerp(here, there, step / steps)


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """From `a` (N, D) at t = 0 to `b` at t = 1 along the arc between them (Shoemake 1985; White 2016), row by row.

    On the straight line the middle of two normal vectors is shorter than either, where no image was ever drawn.
    """
    angle = torch.acos(torch.cosine_similarity(a, b, dim=1).clamp(-0.9999, 0.9999))[:, None]  # (N, 1)
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
