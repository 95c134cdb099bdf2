"""The command `explain`: what in an image speaks for its class or a finding, drawn over it."""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.classification.evaluate import test_parts
from torchworks.cnn_vision.classification.predictor import FindingsPredictor
from torchworks.cnn_vision.commands import Explain
from torchworks.cnn_vision.inference import answers
from torchworks.cnn_vision.inference import plots as pictures
from torchworks.cnn_vision.inference.answers import heat, probabilities, read_images
from torchworks.cnn_vision.multilabel.evaluate import finding_parts
from torchworks.cnn_vision.multilabel.task import targets
from torchworks.shared.config import UserError
from torchworks.shared.data import labels_of
from torchworks.shared.data.images import find_images
from torchworks.shared.data.listing import some
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import file_name, make_folder

MOST = 200
"""Images for which a picture is drawn."""


def explain(arguments: Explain) -> int:
    """Draw Grad-CAM overlays of the given images, or of the run's most confident mistakes and surest answers."""
    run = open_run(arguments.run, "cnn-vision", arguments.device)
    folder = arguments.out or arguments.run / "explanations"
    if arguments.images:
        return _own_images(run, arguments.images, folder)
    make_folder(folder)
    if isinstance(run.predictor, FindingsPredictor):
        _test_findings(run, arguments.n, folder)
    else:
        _test_images(run, arguments.n, folder)
    return 0


def _own_images(run: FinishedRun, paths: tuple[Path, ...], folder: Path) -> int:
    files, bad = find_images(paths)
    if len(files) > MOST:
        raise UserError(f"{len(files)} images are more than the {MOST} that are drawn at once. Name fewer.")
    images, unreadable = read_images(list(files), run)
    make_folder(folder)
    if images:
        draw = draw_findings if isinstance(run.predictor, FindingsPredictor) else draw_classes
        draw(folder / "explanations.png", run, torch.stack(list(images.values())), [path.name for path in images])
        print(folder / "explanations.png")
    if bad := bad | unreadable:
        named = some([f"{path} ({why})" for path, why in bad.items()], 20)
        raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")
    return 0


# ---- classes ---------------------------------------------------------------------------------------------


def _test_images(run: FinishedRun, n: int, folder: Path) -> None:
    for name, (chosen, titles) in of_test_images(run, n).items():
        if len(chosen):
            draw_classes(folder / f"{name}.png", run, chosen, titles)
            print(folder / f"{name}.png")
        else:
            print(f"{name}: there are none")


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


def draw_classes(path: Path, run: FinishedRun, images: Tensor, titles: list[str]) -> None:
    """Each image, uint8 (N, C, S, S), beside itself under the heat of the class that the run reads in it."""
    names = run.predictor.signature.outputs[0].labels
    confidence, predicted = probabilities(run, images).max(1)
    read = [[f"{names[k]} {p:.0%}"] for k, p in zip(predicted.tolist(), confidence.tolist(), strict=True)]
    pictures.draw_heat(path, images, heat(run, images, predicted)[:, None], titles, read)


# ---- findings --------------------------------------------------------------------------------------------


def _test_findings(run: FinishedRun, n: int, folder: Path) -> None:
    """For each finding a picture of what was found, missed and falsely found in the test images, the surest first."""
    assert isinstance(run.predictor, FindingsPredictor)
    names = run.predictor.signature.outputs[0].labels
    (test,), places = finding_parts(run, None, names)
    target, probability = targets(labels_of(test), places) == 1, answers(run, test)
    found = run.predictor.found(probability)
    for k, name in enumerate(names):
        for group, wanted, sureness in (
            ("found", found & target, probability),
            ("missed", ~found & target, 1 - probability),
            ("false-alarms", found & ~target, probability),
        ):
            rows = wanted[:, k].nonzero().flatten()
            rows = rows[sureness[rows, k].argsort(descending=True)][:n].tolist()
            path = folder / f"{file_name(name)}-{group}.png"
            if rows:
                read = [f"{p:.1%}" for p in probability[rows, k].tolist()]
                _draw_finding(path, run, [test[i] for i in rows], k, int(places[k]), read)
                print(path)
            else:
                print(f"{path.stem}: there are none")


def _draw_finding(
    path: Path, run: FinishedRun, samples: list[dict[str, Tensor]], k: int, place: int, read: list[str]
) -> None:
    """Test `samples` beside themselves under the heat of finding `k`; outlined where the data know where it is."""
    name = run.predictor.signature.outputs[0].labels[k]
    images = torch.stack([sample["image"] for sample in samples])
    outlines = torch.stack([sample["mask"][place] for sample in samples]) if "mask" in samples[0] else None
    hot = heat(run, images, torch.full((len(images),), k))
    pictures.draw_heat(path, images, hot[:, None], [name] * len(images), [[said] for said in read], outlines)


def draw_findings(path: Path, run: FinishedRun, images: Tensor, titles: list[str]) -> None:
    """Each image, uint8 (N, C, S, S), beside itself under the heat of every finding, whether it was found or not."""
    assert isinstance(run.predictor, FindingsPredictor)
    names, probability = run.predictor.signature.outputs[0].labels, probabilities(run, images)
    found = run.predictor.found(probability)
    hot = torch.stack([heat(run, images, torch.full((len(images),), k)) for k in range(len(names))], 1)
    read = [
        [f"{name} {p:.0%}" + "\n(found)" * yes for name, p, yes in zip(names, row, marks, strict=True)]
        for row, marks in zip(probability.tolist(), found.tolist(), strict=True)
    ]
    pictures.draw_heat(path, images, hot, titles, read)
