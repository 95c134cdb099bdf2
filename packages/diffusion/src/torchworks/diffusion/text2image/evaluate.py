"""The command `evaluate` for runs with captions: how many images show what their captions say."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from torchworks.diffusion.images.commands import Evaluate
from torchworks.diffusion.images.sample import changed, to_bytes
from torchworks.diffusion.text2image.baselines import Judge, judge_of
from torchworks.diffusion.text2image.predictor import PromptDrawer, open_prompt_drawer
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, open_source
from torchworks.shared.data.captions import captioned_grid, captions_in
from torchworks.shared.denoising import SAMPLERS
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.outputs import prepare, progress, save_image

SHOWN, COLUMNS = 32, 8
"""Images in samples.png."""
SWEPT = (1, 2, 4, 8, 16)
"""Steps that --sweep looks at."""


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write evaluation.json and samples.png, print a table. Raises `UserError` for a run whose images
    cannot be read without a trained judge."""
    drawer = open_prompt_drawer(arguments.run, arguments.device)
    drawer = drawer.with_sampling(changed(drawer.sampling, arguments.drawing, drawer.predictor.process.chain))
    config = drawer.run.config
    source = open_source(config.data, config.loader, config.seed)
    judge, count = judge_of(source, config.data), arguments.n or len(source.test)
    if judge is None:
        raise UserError(
            f"Whether an image of {config.data} shows what its caption says cannot be scored without a trained judge. "
            f"result.json of {arguments.run} has the loss. Look at images by `diffusion sample {arguments.run}`."
        )
    folder, seed = (
        arguments.out or arguments.run / "evaluation",
        config.seed if arguments.seed is None else arguments.seed,
    )
    written = ["evaluation.json", "samples.png", *["sweep.csv"] * arguments.sweep]
    prepare(folder, written, overwrite=arguments.overwrite or arguments.out is None)
    captions = {"held out": _captions(source.test, count), "seen": _captions(source.train, count)}
    drawn = {part: drawer.draw(seed, range(count), texts) for part, texts in captions.items()}
    scores = {part: _means(judge(images, captions[part])) for part, images in drawn.items()}
    real = torch.stack([source.test[i % len(source.test)]["image"] for i in range(count)])
    scores["real images"] = _means(judge(real / 127.5 - 1, captions["held out"]))
    write_json(folder / "evaluation.json", {**scores, "n": count, "seed": seed, "sampling": vars(drawer.sampling)})
    shown = range(0, count, max(1, count // SHOWN))[:SHOWN]
    texts = [captions["held out"][i] for i in shown]
    sheet = captioned_grid(to_bytes(drawn["held out"][list(shown)]).numpy(), texts, COLUMNS)
    save_image(sheet, folder / "samples.png")
    print(table(scores))
    if arguments.sweep:
        _sweep(drawer, judge, captions["held out"], seed, folder / "sweep.csv")
    print(folder)
    return 0


def _captions(part: Dataset, count: int) -> list[str]:
    texts = captions_in(part)
    return [texts[i % len(texts)] for i in range(count)]


def _means(scores: dict[str, Tensor]) -> dict[str, float]:
    return {name: each.mean().item() for name, each in scores.items()}


def table(scores: dict[str, dict[str, float]]) -> str:
    """A line for each score, with a column for the captions held out, those seen in training, and real images."""
    names = list(next(iter(scores.values())))
    lines = ["right".ljust(10) + "".join(part.rjust(14) for part in scores)]
    lines += [name.ljust(10) + "".join(f"{column[name]:14.3f}" for column in scores.values()) for name in names]
    return "\n".join(lines)


def _sweep(drawer: PromptDrawer, judge: Judge, captions: Sequence[str], seed: int, path: Path) -> None:
    """How many held-out captions are right for each sampler and number of steps, as a table and a file."""
    rows = []
    for sampler in progress(list(SAMPLERS), "scoring", len(SAMPLERS)):
        found = []
        for steps in SWEPT:
            other = drawer.with_sampling(dataclasses.replace(drawer.sampling, sampler=sampler, steps=steps))
            images = other.draw(seed, range(len(captions)), captions)
            found.append(judge(images, captions)["caption"].mean().item())
        rows.append((sampler, found))
    print(f"\n{'caption right at steps':<24}" + "".join(f"{steps:>9}" for steps in SWEPT))
    for sampler, found in rows:
        print(f"{sampler:<24}" + "".join(f"{share:9.3f}" for share in found))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sampler", *SWEPT])
        writer.writerows([sampler, *found] for sampler, found in rows)
