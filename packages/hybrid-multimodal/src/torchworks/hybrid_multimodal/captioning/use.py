"""What the commands `caption` and `evaluate` do with a run."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.captioning.build import words_of
from torchworks.hybrid_multimodal.captioning.commands import Write
from torchworks.hybrid_multimodal.captioning.config import CaptionConfig
from torchworks.hybrid_multimodal.captioning.decoding import Written, written
from torchworks.hybrid_multimodal.captioning.plots import draw_answers, draw_maps
from torchworks.hybrid_multimodal.captioning.predictor import BUILDER, CaptionPredictor
from torchworks.hybrid_multimodal.captioning.scoring import caption_scores, texts_of
from torchworks.hybrid_multimodal.captioning.tokens import TOKENIZER, tokenized
from torchworks.hybrid_multimodal.data.parts import parts_of
from torchworks.hybrid_multimodal.inference.commands import Evaluate
from torchworks.shared.config import UserError
from torchworks.shared.data import held_out, open_source, resident
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images, read
from torchworks.shared.data.listing import some
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import read_files
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare, prepare_image_file, progress, save_image
from torchworks.shared.text import Tokenizer, from_json

PACKAGE = "hybrid-multimodal"
MOST_BEAMS = 64
CHUNK = 64
"""Images that are held and described at once."""
DRAWN = 24
"""Images of which maps are drawn."""
ANSWERS, COLUMNS = 16, 4
"""Test images of each part that a report shows, the first ones."""
NAMED = 20
"""Unreadable images that the error names."""


class CaptionRun:
    """A finished run of captioning. Raises `UserError` for a run of another job."""

    def __init__(self, folder: Path, device: str = "auto"):
        self.run: FinishedRun = open_run(folder, PACKAGE, device)
        if read_manifest(folder).builder != BUILDER:
            raise UserError(
                f"{folder} is a run of the recipe {self.run.config.recipe}, which does not write captions. Train one "
                f"that does: {PACKAGE} train caption."
            )
        self.config = cast(CaptionConfig, self.run.config)
        self.predictor = cast(CaptionPredictor, self.run.predictor)
        self.tokenizer: Tokenizer = from_json(read_files(folder)[TOKENIZER])

    def written(self, images: Tensor, beams: int | None = None) -> list[Written]:
        """Captions of images uint8 (N, C, S, S)."""
        beams = beams or self.predictor.beams
        net, longest = self.predictor.net, self.predictor.longest
        return written(net, self.tokenizer, images, beams=beams, longest=longest)

    def read(self, path: Path) -> Tensor:
        """The image in a file as the model takes it; raises `Unreadable`."""
        channels, size = (int(n) for n in self.predictor.signature.inputs[0].shape[1:3])
        return read(path, channels, size)


# ------------------------------------------------------------------------------------------------------ caption


def caption(arguments: Write) -> int:
    """Print a line for each image. Raises `UserError` that names those that could not be read, once all others are
    done."""
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them, after the run.")
    if arguments.beams is not None:
        check_number("--beams", arguments.beams, 1, MOST_BEAMS)
    run = CaptionRun(arguments.run, arguments.device)
    names, bad = find_images(arguments.images)
    if arguments.out is not None:
        prepare_image_file(arguments.out, overwrite=arguments.overwrite, inputs=[*names])
    drawn: list[tuple[Path, Tensor, Written]] = []
    paths = list(names)
    starts = range(0, len(paths), CHUNK)
    for start in progress(starts, "describing", len(starts)):
        images = _read(run, paths[start : start + CHUNK], bad)
        if not images:
            continue
        found = run.written(torch.stack(list(images.values())), arguments.beams)
        for (path, image), each in zip(images.items(), found, strict=True):
            print(f"{path}  {each.text}  {math.exp(each.log_probability):.2f}")
            if len(drawn) < DRAWN:
                drawn.append((path, image, each))
    if arguments.out is not None and drawn:
        _draw(arguments.out, drawn, len(paths))
    if bad:
        named = some([f"{path} ({why})" for path, why in bad.items()], NAMED)
        raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")
    return 0


def _read(run: CaptionRun, paths: Sequence[Path], bad: dict[Path, str]) -> dict[Path, Tensor]:
    """The images at `paths`; `bad` gains those that cannot be read, and why."""
    images: dict[Path, Tensor] = {}
    for path in paths:
        try:
            images[path] = run.read(path)
        except Unreadable as error:
            bad[path] = str(error)
    return images


def _draw(file: Path, drawn: Sequence[tuple[Path, Tensor, Written]], count: int) -> None:
    paths, images, found = zip(*drawn, strict=True)
    save_image(draw_maps(images, found, [path.stem for path in paths]), file)
    print(file if len(drawn) == count else f"{file} (the first {len(drawn)} images)")


# ----------------------------------------------------------------------------------------------------- evaluate


def evaluate(arguments: Evaluate) -> int:
    """Print and write exact match and CIDEr of each part of the test data, beside those of simpler ways; draw the first
    test images above what the model says of them."""
    run = CaptionRun(arguments.run)
    folder = arguments.out or arguments.run / "evaluation"
    config, net = run.config, run.predictor.net
    source = open_source(config.data, config.loader, config.seed)
    rest, _ = held_out(source.train, config.valid_fraction, config.seed)
    tokenizer, longest = words_of(source, config)
    if tokenizer != run.tokenizer:
        raise UserError(
            f"{config.data} has other words than when {arguments.run} was trained, so its scores would mean something "
            "else. Restore the data, or train again."
        )
    train, test = (tokenized(part, tokenizer, longest) for part in (rest, source.test))
    parts = parts_of(test)
    pictures = {name: f"captions-{name}.png" if name else "captions.png" for name in parts}
    prepare(folder, ["evaluation.json", *pictures.values()], overwrite=arguments.overwrite)
    how = {"beams": run.predictor.beams, "longest": longest}
    scores = {"n": len(test), **caption_scores(net, tokenizer, train, test, **how, greedy=True)}
    for name, rows in parts.items():
        shown = rows[:ANSWERS]
        found, right = texts_of(net, tokenizer, test, shown, **how), [test.captions[i] for i in shown]
        sheet = draw_answers(resident(test).tensors["image"][shown], found, right, COLUMNS)
        save_image(sheet, folder / pictures[name])
    width = max(map(len, scores)) + 2
    for name, value in scores.items():
        print(f"{name:<{width}}{value if isinstance(value, int) else f'{value:.4f}'}")
    write_json(folder / "evaluation.json", scores)
    print(folder)
    return 0
