"""The commands of runs that classify images: `classify`, and what `evaluate` does with them.

Shape letters: N images, C channels, S pixels along a side, h × w cells of the map, K classes.
"""

from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.classification.build import open_classes
from torchworks.hybrid_multimodal.classification.commands import Classify
from torchworks.hybrid_multimodal.classification.config import ClassifierConfig
from torchworks.hybrid_multimodal.classification.predictor import BUILDER, ClassifierPredictor
from torchworks.hybrid_multimodal.inference.commands import Evaluate
from torchworks.hybrid_multimodal.models.attention_classifier import AttentionClassifier
from torchworks.shared.classification.use import classes_known, classify_files, evaluate_classifier
from torchworks.shared.config import UserError
from torchworks.shared.data import resident
from torchworks.shared.data.boxes.draw import enlarged
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.options import check_number
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare, save_image

SIDE = 192
"""Pixels along an image that is drawn, about."""
GAP, LINE, FONT = 6, 18, 13
SHOWN = 8
"""Test images in `evidence.png`."""
FOR, AGAINST = (255, 120, 0), (0, 110, 255)
"""Colors of what speaks for a class, and against it."""


def open_classifier(folder: Path, device: str) -> FinishedRun:
    """Raises `UserError` unless `folder` is a run of this job."""
    run = open_run(folder, "hybrid-multimodal", device)
    if read_manifest(folder).builder != BUILDER:
        raise UserError(
            f"{folder} is a run of {run.config.recipe}, which does not classify images. Give a run of the recipe "
            "attention or coatnet."
        )
    return run


def classify(arguments: Classify) -> int:
    """Print the likeliest classes of each image."""
    check_number("--top", arguments.top, 1)
    run = open_classifier(arguments.run, arguments.device)
    if arguments.out is not None and not _explains(run):
        raise UserError(
            f"{arguments.run} has a net whose logits are no sums over places, so nothing can be drawn. Leave --out "
            "out, or give a run with --net.model conv, such as those of the recipe attention."
        )
    classify_files(
        run,
        arguments.images,
        top=arguments.top,
        table=arguments.csv,
        overwrite=arguments.overwrite,
        drawings=arguments.out,
        draw=lambda images, found: drawings(run, images, found),
    )
    return 0


def _explains(run: FinishedRun) -> bool:
    return isinstance(run.predictor.net, AttentionClassifier)


# ----------------------------------------------------------------------------------------------------- drawings


def drawings(run: FinishedRun, images: Tensor, probability: Tensor) -> list[Image.Image]:
    """Each image, uint8 (N, C, S, S), beside what speaks for its likeliest class and against it, and beside where
    attention pooling looked."""
    predictor = run.predictor
    assert isinstance(predictor, ClassifierPredictor)
    assert isinstance(predictor.net, AttentionClassifier)
    names, best = classes_known(run), probability.argmax(1)
    pixels = predictor.normalized(images.to(run.device))
    terms = _enlarged(predictor.net.evidence(pixels, best.to(run.device)), images.shape[-1])
    looks = predictor.net.look(pixels)
    where = None if looks is None else _enlarged(looks, images.shape[-1])
    drawn = []
    for i, image in enumerate(images):
        said = f"{names[best[i]]} {probability[i, best[i]]:.0%}"
        cells = [("", image.expand(3, -1, -1)), (f"for {said}", tinted(image, terms[i]))]
        if where is not None:
            cells.append(("where it looked", lit(image, where[i])))
        drawn.append(in_a_row(cells))
    return drawn


def _enlarged(maps: Tensor, size: int) -> Tensor:
    """(N, h, w) to (N, S, S) on the CPU."""
    return F.interpolate(maps[:, None].float().cpu(), (size, size), mode="bilinear", align_corners=False)[:, 0]


def tinted(image: Tensor, terms: Tensor) -> Tensor:
    """uint8 (3, S, S): the image in grey, in the color of `FOR` where `terms` (S, S) are positive and of `AGAINST`
    where they are negative."""
    share = (terms / terms.abs().amax().clamp(min=1e-6)).clamp(-1, 1)
    grey = image.float().mean(0).expand(3, -1, -1)
    colors = torch.tensor([FOR, AGAINST], dtype=torch.float32)[(share < 0).long()].permute(2, 0, 1)
    strength = 0.75 * share.abs()
    return (grey + strength * (colors - grey)).round().to(torch.uint8)


def lit(image: Tensor, where: Tensor) -> Tensor:
    """uint8 (3, S, S): the image, dark but where `where` (S, S) is high."""
    share = where / where.amax().clamp(min=1e-6)
    return (image.expand(3, -1, -1) * (0.15 + 0.85 * share)).round().to(torch.uint8)


def in_a_row(cells: list[tuple[str, Tensor]]) -> Image.Image:
    """Images uint8 (3, S, S) side by side, each under its title."""
    large = [enlarged(image, SIDE) for _, image in cells]
    width, height = large[0].size
    sheet = Image.new("RGB", (len(cells) * (width + GAP) - GAP, height + LINE), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT)
    for place, ((title, _), each) in enumerate(zip(cells, large, strict=True)):
        draw.text((place * (width + GAP), 1), title, "black", font)
        sheet.paste(each, (place * (width + GAP), LINE))
    return sheet


# ----------------------------------------------------------------------------------------------------- evaluate


def evaluate(arguments: Evaluate) -> int:
    """Score the run on the test part of its data, beside simpler methods, and draw what speaks for the classes."""
    run = open_classifier(arguments.run, "auto")
    assert isinstance(run.config, ClassifierConfig)
    folder, overwrite = arguments.out or arguments.run / "evaluation", arguments.overwrite
    names = ["evidence.png"] if _explains(run) else []
    prepare(folder, names, overwrite=overwrite)
    test = open_classes(run.config).test
    if names:
        some = resident(test).tensors["image"][:: max(1, len(test) // SHOWN)][:SHOWN]
        save_image(stacked(drawings(run, some, run.compute(some))), folder / "evidence.png")
    return evaluate_classifier(run, [test], data=None, out=arguments.out, overwrite=overwrite)


def stacked(sheets: list[Image.Image], columns: int = 2) -> Image.Image:
    """Drawings of one size below and beside each other."""
    width, height = sheets[0].width + 2 * GAP, sheets[0].height + GAP
    whole = Image.new("RGB", (columns * width, -(-len(sheets) // columns) * height), "white")
    for place, sheet in enumerate(sheets):
        whole.paste(sheet, (place % columns * width + GAP, place // columns * height))
    return whole
