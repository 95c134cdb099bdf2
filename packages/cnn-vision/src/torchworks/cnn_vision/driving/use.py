"""The commands `predict` and `evaluate` for runs of driving perception.

Shape letters: S pixels along a side, H × W pixels of an image without its padding, m objects of one image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from torchworks.cnn_vision.data.stereo import motorcycle
from torchworks.cnn_vision.driving.build import FIELDS
from torchworks.cnn_vision.driving.task import depth_errors, found_of, mean_errors
from torchworks.cnn_vision.inference.commands import Evaluate, Predict
from torchworks.cnn_vision.segmentation.drawing import with_legend
from torchworks.cnn_vision.segmentation.metrics import SegmentationScores, image_iou
from torchworks.cnn_vision.segmentation.use import classes_of, colors_of, shares
from torchworks.cnn_vision.segmentation.use import line as shares_line
from torchworks.shared.data import Dataset
from torchworks.shared.data.boxes.draw import draw_boxes, draw_depth, draw_mask, enlarged
from torchworks.shared.detection.metrics import AveragePrecision, precision_by_class, truths_of
from torchworks.shared.inference.files import Prediction, predict_files
from torchworks.shared.inference.letterboxed import (
    Letterboxed,
    batches,
    letterboxed,
    outputs,
    sample_at,
    scored_parts,
    without_nan,
)
from torchworks.shared.inference.report import baselines, text, write_report
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare, save_image

NEAREST = 3.0
"""Metres that are drawn brightest."""
SIDE = 320
WORST = 6
LIKELY = 0.5
"""Score from which objects are drawn into the worst images."""


# ------------------------------------------------------------------------------------------------------- predict


def predict(run: FinishedRun, arguments: Predict) -> int:
    """Print the objects of each image with their distances, and draw boxes, mask and depth. Raises `UserError` that
    names the images that could not be read, once all others are done."""
    things, classes = things_of(run), classes_of(run)

    def predictions(images: list[Letterboxed]) -> Iterator[Prediction]:
        for image in images:
            scene = perceive(run, image, arguments.least_score)
            yield Prediction(
                line(scene, things, classes), scene.rows(things), draw_scene(image.whole, scene, things, classes)
            )

    predict_files(
        arguments.images,
        lambda path: letterboxed(path, run),
        predictions,
        columns=["label", "score", "x1", "y1", "x2", "y2", "metres"],
        table=arguments.csv,
        overwrite=arguments.overwrite,
        replaced=arguments.out is None,
        drawings=arguments.out or run.folder / "predictions",
        chunk=1,
    )
    return 0


@dataclass(frozen=True)
class Scene:
    """The predictions for an image: boxes (m, 4) in its own pixels, scores (m,), labels (m,), and the distance of each
    object in metres; mask and depth (H, W) at the model's resolution."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    distances: list[float]
    mask: Tensor
    depth: Tensor

    def rows(self, things: Sequence[str]) -> list[list[Any]]:
        """A row for each object: class, score, box, metres."""
        columns = zip(self.labels.tolist(), self.scores.tolist(), self.boxes.tolist(), self.distances, strict=True)
        return [
            [things[label], f"{score:.6f}", *(f"{edge:.1f}" for edge in box), f"{metres:.2f}"]
            for label, score, box, metres in columns
        ]


def perceive(run: FinishedRun, image: Letterboxed, least_score: float) -> Scene:
    """The predictions of a run for an image, without objects below `least_score`."""
    output = {name: value[0] for name, value in outputs(run, image.input[None]).items()}
    keep = (output["label"] >= 0) & (output["score"] >= least_score)
    boxes, depth = output["boxes"][keep], image.cut(output["depth"])
    return Scene(
        image.box.back(boxes), output["score"][keep], output["label"][keep],
        [distance(depth, box) for box in boxes], image.cut(output["mask"]), depth,
    )  # fmt: skip


def line(scene: Scene, things: Sequence[str], classes: Sequence[str]) -> str:
    """The objects, nearest first, and the shares of the classes of pixels."""
    near = sorted(zip(scene.distances, scene.labels.tolist(), strict=True))
    objects = "  ".join(f"{things[label]} {metres:.0f} m" for metres, label in near) or "no objects"
    return f"{objects};  {shares_line(shares(scene.mask, len(classes)), classes)}"


def distance(depth: Tensor, box: Tensor) -> float:
    """The median depth in the middle half of a box, in metres: near its edges is what lies behind."""
    x1, y1, x2, y2 = box.tolist()
    dx, dy = (x2 - x1) / 4, (y2 - y1) / 4
    rows, columns = (
        slice(min(int(low), extent - 1), max(int(low) + 1, round(high)))
        for low, high, extent in ((y1 + dy, y2 - dy, depth.shape[0]), (x1 + dx, x2 - dx, depth.shape[1]))
    )
    return float(depth[rows, columns].median())


def draw_scene(whole: Image.Image, scene: Scene, things: Sequence[str], classes: Sequence[str]) -> Image.Image:
    """The image with mask and boxes, and beside it the depth; below, a legend."""
    drawn = draw_mask(whole, scene.mask, colors_of(classes), 0.45)
    draw_boxes(drawn, scene.boxes, scene.labels, things, scene.scores)
    both = beside(drawn, draw_depth(scene.depth, drawn.size, NEAREST))
    present = [g for g in range(1, len(classes)) if (scene.mask == g).any()]
    return with_legend(both, [(classes[g], colors_of(classes)[g]) for g in present], "depth: red near, blue far;")


def beside(*images: Image.Image) -> Image.Image:
    """Images of equal size in a row."""
    width, height = images[0].size
    sheet = Image.new("RGB", (len(images) * width, height))
    for place, each in enumerate(images):
        sheet.paste(each, (place * width, 0))
    return sheet


def things_of(run: FinishedRun) -> tuple[str, ...]:
    """The names of the classes of things."""
    return next(spec.labels for spec in run.predictor.signature.outputs if spec.name == "label")


# ------------------------------------------------------------------------------------------------------ evaluate


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Score the run, write evaluation.json, worst.png, stereo.png and report.html, and print the tables."""
    folder = arguments.out or run.folder / "evaluation"
    written = ["evaluation.json", "worst.png", "stereo.png", "report.html"]
    prepare(folder, written, overwrite=arguments.overwrite or arguments.out is None)
    things, classes = things_of(run), classes_of(run)
    parts = scored_parts(run, arguments.data, FIELDS, {"boxes": things, "mask": classes})
    figures, tables, order = _scores(run, parts, things, classes)
    figures |= baselines(run.folder) if arguments.data is None else {}
    _draw_worst(folder / "worst.png", run, parts, order[:WORST])
    figures |= _real_photograph(folder / "stereo.png", run)
    (figures,) = without_nan([figures])
    write_json(folder / "evaluation.json", {**figures, **{name: without_nan(rows) for name, rows in tables.items()}})
    headings = {
        "worst": "The images with the worst masks: truth, and prediction",
        "stereo": "A real photograph of another kind: the image, its measured depth, the predicted depth",
    }
    write_report(folder, f"{run.config.recipe} on {arguments.data or run.config.data}", figures, tables, headings)
    print(text(figures, *tables.values()))
    print(folder)
    return 0


def _scores(
    run: FinishedRun, parts: Sequence[Dataset], things: tuple[str, ...], classes: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]], list[int]]:
    """All metrics, the tables by class, and the images from the worst mask to the best."""
    precision, masks = AveragePrecision(len(things)), SegmentationScores(len(classes))
    found, truths, images, errors = [], [], [], []
    for batch in batches(parts):
        output = outputs(run, batch["image"])
        found += found_of(output["boxes"], output["score"], output["label"])
        truths += truths_of(batch, masks=False)
        masks.update(output["mask"], batch["mask"])
        images += [image_iou(*pair, len(classes)) for pair in zip(output["mask"], batch["mask"], strict=True)]
        errors.append(depth_errors(output["depth"], batch["depth"]))
    precision.update(found, truths)
    figures = precision.compute() | masks.compute() | mean_errors(errors)
    tables = {"Boxes by class": precision_by_class(found, truths, things), "Pixels by class": masks.table(classes)}
    return figures, tables, sorted(range(len(images)), key=lambda i: images[i])


def _draw_worst(path: Path, run: FinishedRun, parts: Sequence[Dataset], order: Sequence[int]) -> None:
    """A line for each image: truth and its depth, prediction and its depth."""
    lines = []
    for i in order:
        sample = sample_at(parts, i)
        output = {name: value[0] for name, value in outputs(run, sample["image"][None]).items()}
        output["box_label"] = output["label"].where(output["score"] >= LIKELY, -1)
        lines.append(beside(*(cell for one in (sample, output) for cell in _cells(run, sample["image"], one))))
    width, height = lines[0].size
    sheet = Image.new("RGB", (width, len(lines) * height))
    for row, line in enumerate(lines):
        sheet.paste(line, (0, row * height))
    save_image(sheet, path)


def _cells(run: FinishedRun, image: Tensor, one: dict[str, Tensor]) -> tuple[Image.Image, Image.Image]:
    """An image with mask and boxes, and the depth."""
    plain = enlarged(image, SIDE)
    drawn = draw_mask(plain, one["mask"], colors_of(classes_of(run)), 0.45)
    draw_boxes(drawn, one["boxes"] * (plain.height / image.shape[-2]), one["box_label"], things_of(run))
    return drawn, draw_depth(one["depth"], plain.size, NEAREST)


def _real_photograph(path: Path, run: FinishedRun) -> dict[str, float]:
    """Depth of a real scene that was measured (see `data/stereo.py`), with the prediction scaled to the true
    median: a room and a motorcycle are no road, and one image does not determine absolute sizes. The baseline
    `motorcycle_abs_rel_of_the_median` is the same depth everywhere."""
    sample = motorcycle().sample(int(run.predictor.signature.inputs[0].shape[2]))
    known = sample["depth"] > 0
    depth = outputs(run, sample["image"][None])["depth"][0]
    depth = depth * (sample["depth"][known].median() / depth[known].median())
    errors = depth_errors(depth[None], sample["depth"][None])
    flat = depth_errors(sample["depth"][known].median().expand_as(depth)[None], sample["depth"][None])
    plain, nearest = enlarged(sample["image"], SIDE), float(sample["depth"][known].min())
    cells = [draw_depth(each.where(known, 0), plain.size, nearest) for each in (sample["depth"], depth)]
    save_image(beside(plain, *cells), path)
    scaled = {f"motorcycle_{name}": float(total / count) for name, (total, count) in errors.items()}
    return scaled | {"motorcycle_abs_rel_of_the_median": float(flat["abs_rel"][0] / flat["abs_rel"][1])}
