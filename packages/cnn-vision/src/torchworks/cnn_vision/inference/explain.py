"""The part of the command `explain` that does not depend on the job: overlays of a user's own images."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.inference.files import ImageFiles
from torchworks.shared.inference.resized import resized
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare

MOST = 200
"""Images that are drawn at once."""

Draw = Callable[[Path, FinishedRun, Tensor, list[str]], None]
"""Draws images, uint8 (N, C, S, S), with heat maps under their titles into a file."""


def explain_files(run: FinishedRun, paths: tuple[Path, ...], folder: Path, draw: Draw, *, overwrite: bool) -> int:
    """Draw the images at `paths` into `explanations.png` in `folder`. Raises `UserError` that names those that could
    not be read, once the others are drawn."""
    files = ImageFiles(paths)
    if len(files.names) > MOST:
        raise UserError(f"{len(files.names)} images are more than the {MOST} that are drawn at once. Name fewer.")
    prepare(folder, ["explanations.png"], overwrite=overwrite)
    images = files.read(lambda path: resized(path, run))
    if images:
        draw(folder / "explanations.png", run, torch.stack(list(images.values())), [path.name for path in images])
        print(folder / "explanations.png")
    files.refuse_bad()
    return 0
