"""The command `evaluate` for a run that was trained to enlarge: scores beside those of enlarging without a model."""

import csv
import dataclasses
from pathlib import Path

from torch import Tensor

from torchworks.diffusion.images.commands import Evaluate
from torchworks.diffusion.images.sample import changed
from torchworks.diffusion.restore.restoring import shrunk
from torchworks.diffusion.superres.baselines import baselines, scores_of
from torchworks.diffusion.superres.build import images_of
from torchworks.diffusion.superres.predictor import Enlarger, open_enlarger
from torchworks.diffusion.superres.task import comparison
from torchworks.shared.config import UserError
from torchworks.shared.data import Source, open_source
from torchworks.shared.fidelity import Judge, judge_for
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.outputs import picture, prepare, progress, save_image

SHOWN = 10
"""Images in enlarged.png."""
SWEPT = (1, 2, 4, 8, 16)
"""Steps that --sweep looks at."""


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write evaluation.json and enlarged.png, print a table."""
    enlarger = open_enlarger(arguments.run, arguments.device)
    check_arguments(arguments)
    config = enlarger.run.config
    sampling = changed(enlarger.sampling, arguments.drawing, enlarger.predictor.process.chain)
    enlarger = dataclasses.replace(enlarger, sampling=sampling)
    folder = arguments.out or arguments.run / "evaluation"
    written = ["evaluation.json", "enlarged.png", *["sweep.csv"] * arguments.sweep]
    prepare(folder, written, overwrite=arguments.overwrite or arguments.out is None)
    source = open_source(config.data, config.loader)
    judge = judge_for(source, image_size=enlarger.predictor.shape[-1], device=enlarger.run.device)
    seed = config.seed if arguments.seed is None else arguments.seed
    scores = score(enlarger, judge, source, seed)
    beside = baselines(judge, source, enlarger.predictor.factor)
    write_json(folder / "evaluation.json", {**scores, **beside, "seed": seed, "sampling": dataclasses.asdict(sampling)})
    save_image(picture(example(enlarger, source, seed)), folder / "enlarged.png")
    print(table(scores, beside))
    if arguments.sweep:
        _sweep(enlarger, judge, source, seed, folder / "sweep.csv")
    print(folder)
    return 0


def check_arguments(arguments: Evaluate) -> None:
    """Raises `UserError` for what a run that was trained to enlarge has no use for."""
    if arguments.n is not None:
        raise UserError("A run that enlarges is scored on all test images. Leave out --n.")
    if arguments.drawing.guidance is not None:
        raise UserError("A run that enlarges is told no class, so there is nothing for --guidance to strengthen.")


def score(enlarger: Enlarger, judge: Judge, source: Source, seed: int) -> dict[str, float]:
    """Scores of the test images made small and enlarged by the run."""
    done = 0

    def method(small: Tensor, size: int) -> Tensor:
        nonlocal done
        drawn = enlarger.enlarge(small, seed, start=done).to(small.device)
        done += len(small)
        return drawn

    return scores_of(judge, source, enlarger.predictor.factor, method)


def example(enlarger: Enlarger, source: Source, seed: int) -> Tensor:
    """Rows of test images as small images, interpolated, enlarged by the run, and as they are, uint8 (3, H, W)."""
    truth = images_of(source.test, SHOWN)
    small = shrunk(truth, enlarger.predictor.factor)
    return comparison(small, enlarger.enlarge(small, seed), truth)


def table(scores: dict[str, float], beside: dict[str, float]) -> str:
    """A line for each score, beside that of bicubic interpolation, of blocks, and of real images."""
    lines = ["score".ljust(16) + "".join(name.rjust(12) for name in ("this run", "bicubic", "nearest", "real"))]
    for name, value in scores.items():
        real = beside.get(f"{name}_floor", beside.get(f"{name}_real"))
        columns = [value, beside[f"{name}_bicubic"], beside[f"{name}_nearest"], real]
        lines.append(name.ljust(16) + "".join(" " * 12 if one is None else f"{one:12.3f}" for one in columns).rstrip())
    return "\n".join(lines)


def _sweep(enlarger: Enlarger, judge: Judge, source: Source, seed: int, path: Path) -> None:
    """The scores for each number of steps, as a table on the terminal and a file: more steps draw one of the images
    that there may have been, fewer a mean of them."""
    rows = []
    for steps in progress(SWEPT, "scoring", len(SWEPT)):
        other = dataclasses.replace(enlarger, sampling=dataclasses.replace(enlarger.sampling, steps=steps))
        rows.append({"steps": steps, **score(other, judge, source, seed)})
    print("\n" + "".join(name.rjust(16) for name in rows[0]))
    for row in rows:
        print(f"{row['steps']:16d}" + "".join(f"{value:16.3f}" for name, value in row.items() if name != "steps"))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
