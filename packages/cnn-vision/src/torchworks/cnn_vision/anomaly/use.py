"""The command `inspect`: good or defective for each image, and heat maps.

Shape letters: N images, C channels, S pixels.
"""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.anomaly.commands import Inspect
from torchworks.cnn_vision.anomaly.config import AnomalyConfig
from torchworks.cnn_vision.anomaly.one_class import open_good
from torchworks.cnn_vision.anomaly.predictor import AnomalyPredictor
from torchworks.shared.config import UserError
from torchworks.shared.inference.files import CHUNK, ImageFiles, print_lines
from torchworks.shared.inference.plots import draw_heat
from torchworks.shared.inference.resized import resized
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare_image_file


def inspect(arguments: Inspect) -> int:
    """Print a line for each image. Raises `UserError` that names those that could not be read, once all others are
    done."""
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    if not isinstance(run.predictor, AnomalyPredictor):
        raise UserError(f"{arguments.run} is a run of the recipe {run.config.recipe}; inspect needs one of anomaly.")
    if arguments.n < 1:
        raise UserError(f"--n is {arguments.n}; it must be at least 1.")
    out = arguments.out or arguments.run / "heat.png"
    prepare_image_file(out, overwrite=arguments.overwrite or not arguments.out)
    if not arguments.images:
        _test_images(run, arguments.n, out)
        return 0
    files = ImageFiles(arguments.images)
    if images := files.read(lambda path: resized(path, run)):
        pixels = torch.stack(list(images.values()))
        score, heat = predictions(run, pixels)
        print_lines({path: verdict(value) for path, value in zip(images, score.tolist(), strict=True)})
        order = score.argsort(descending=True)[: arguments.n]
        names = [path.name for path in images]
        _draw(out, pixels, heat, score, order, [names[i] for i in order.tolist()], None)
    files.refuse_bad()
    return 0


def verdict(score: float) -> str:
    """`score` is in units of the threshold."""
    return f"{'DEFECTIVE' if score > 1 else 'good     '}  {score:.2f} of the threshold"


@torch.no_grad()
def predictions(run: FinishedRun, images: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (N,) in units of the threshold and heat (N, S, S), 0.5 at the threshold, of images uint8 (N, C, S, S)."""
    parts = [run.predictor(part.to(run.device)) for part in images.split(CHUNK)]
    return torch.cat([score[:, 0].cpu() for score, _ in parts]), torch.cat([heat.cpu() for _, heat in parts])


def _test_images(run: FinishedRun, count: int, out: Path) -> None:
    """Half of them good, those with the highest scores; half defective, of each kind those with the lowest."""
    assert isinstance(run.config, AnomalyConfig)
    source = open_good(run.config)
    samples = [source.test[i] for i in range(len(source.test))]
    pixels, label = (torch.stack([sample[name] for sample in samples]) for name in ("image", "label"))
    score, heat = predictions(run, pixels)
    classes = source.schema["label"].classes
    order = score.argsort(descending=True).tolist()
    each = max(1, count // 2 // (len(classes) - 1))
    chosen = [i for i in order if label[i] == 0][: count - each * (len(classes) - 1)]
    for k in range(1, len(classes)):
        chosen += [i for i in reversed(order) if label[i] == k][:each]
    masks = torch.stack([sample["mask"] for sample in samples]) if "mask" in samples[0] else None
    titles = [classes[label[i]] for i in chosen]
    for i in chosen:
        print(f"{classes[label[i]]:<12}  {verdict(float(score[i]))}")
    _draw(out, pixels, heat, score, torch.tensor(chosen), titles, masks)


def _draw(
    out: Path, images: Tensor, heat: Tensor, score: Tensor, order: Tensor, titles: list[str], masks: Tensor | None
) -> None:
    said = [[f"{value:.2f}"] for value in score[order].tolist()]
    draw_heat(out, images[order], heat[order][:, None], titles, said, None if masks is None else masks[order])
    print(out)
