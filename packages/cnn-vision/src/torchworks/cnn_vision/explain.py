"""The command `explain`: what in an image speaks for its class, drawn over it."""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision import pictures
from torchworks.cnn_vision.commands import Explain
from torchworks.cnn_vision.evaluate import answers, test_parts
from torchworks.cnn_vision.gradcam import grad_cam
from torchworks.cnn_vision.predict import CHUNK, probabilities, read_images
from torchworks.cnn_vision.subset import labels_of
from torchworks.shared.config import UserError
from torchworks.shared.data.folders import some
from torchworks.shared.data.images import find_images
from torchworks.shared.finished import FinishedRun, open_run
from torchworks.shared.outputs import make_folder

MOST = 200
"""Images for which a picture is drawn."""


def explain(arguments: Explain) -> int:
    """Draw Grad-CAM overlays of the given images, or of the run's most confident mistakes and surest answers."""
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    folder = arguments.out or arguments.run / "explanations"
    if arguments.images:
        files, bad = find_images(arguments.images)
        if len(files) > MOST:
            raise UserError(f"{len(files)} images are more than the {MOST} that are drawn at once. Name fewer.")
        images, unreadable = read_images(list(files), run)
        make_folder(folder)
        if images:
            titles = [path.name for path in images]
            draw(folder / "explanations.png", run, torch.stack(list(images.values())), titles)
            print(folder / "explanations.png")
        if bad := bad | unreadable:
            named = some([f"{path} ({why})" for path, why in bad.items()], 20)
            raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")
        return 0
    make_folder(folder)
    for name, (chosen, titles) in of_test_images(run, arguments.n).items():
        if len(chosen):
            draw(folder / f"{name}.png", run, chosen, titles)
            print(folder / f"{name}.png")
        else:
            print(f"{name}: there are none")
    return 0


def of_test_images(run: FinishedRun, n: int) -> dict[str, tuple[Tensor, list[str]]]:
    """The `n` most confident mistakes and the `n` surest right answers, with titles that name the true class."""
    names = run.predictor.signature.outputs[0].labels
    (test,) = test_parts(run, None, names)
    label, probability = labels_of(test), answers(run, test)
    confidence, predicted = probability.max(1)
    chosen = {}
    for name, wanted in (("mistakes", predicted != label), ("right", predicted == label)):
        rows = wanted.nonzero().flatten()
        rows = rows[confidence[rows].argsort(descending=True)][:n].tolist()
        images = torch.stack([test[i]["image"] for i in rows]) if rows else torch.empty(0)
        chosen[name] = (images, [f"true: {names[label[i]]}" for i in rows])
    return chosen


def draw(path: Path, run: FinishedRun, images: Tensor, titles: list[str]) -> None:
    """Each image, uint8 (N, C, S, S), beside itself under the heat of the class that the run reads in it."""
    names = run.predictor.signature.outputs[0].labels
    confidence, predicted = probabilities(run, images).max(1)
    heat = torch.cat(
        [
            grad_cam(run.predictor.net, run.predictor.normalised(part.to(run.device)), classes.to(run.device)).cpu()  # ty: ignore
            for part, classes in zip(images.split(CHUNK), predicted.split(CHUNK), strict=True)
        ]
    )
    read = [f"{names[k]} {p:.0%}" for k, p in zip(predicted.tolist(), confidence.tolist(), strict=True)]
    pictures.draw_heat(path, images, heat, titles, read)
