"""The commands `inpaint`, `enlarge` and `edit`, by a model that was trained to draw images."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from torchworks.diffusion.images.predictor import DiffusionPredictor, Drawer, check_finite, open_drawer
from torchworks.diffusion.images.sample import to_bytes
from torchworks.diffusion.restore.commands import Edit, Enlarge, Inpaint
from torchworks.diffusion.restore.pictures import (
    Pictures,
    check_factor,
    read_image,
    repeated,
    size_of,
    unit,
)
from torchworks.diffusion.restore.restoring import Restorer
from torchworks.shared.config import UserError

MOST_RESAMPLINGS = 20
FACTOR = 2
"""By which images are enlarged unless something else is said."""
WHITE = 128
"""From this on a pixel of a mask belongs to the hole."""


def inpaint(arguments: Inpaint) -> int:
    """Fill the hole and print the path of the picture."""
    tool = Tool.of(arguments)
    if not 1 <= arguments.resamplings <= MOST_RESAMPLINGS:
        raise UserError(f"--resamplings is {arguments.resamplings}; it must be from 1 to {MOST_RESAMPLINGS}.")
    given = tool.read(arguments.image)
    hole = _hole(arguments, tool)
    filled = inpainted(tool, given, hole, arguments.resamplings)
    return tool.pictures.write(given.masked_fill(hole[0], WHITE), filled)


def inpainted(tool: "Tool", given: Tensor, hole: Tensor, resamplings: int) -> Tensor:
    """`given`, uint8 (C, S, S), with its `hole`, bool (1, 1, S, S), filled in N ways: uint8 (N, C, S, S)."""
    drawn = tool.restorer.fill(tool.unit(given), hole.to(tool.device), tool.labels, resamplings=resamplings)
    return torch.where(hole, tool.shown(drawn), given)


def enlarge(arguments: Enlarge) -> int:
    """Enlarge the image and print the path of the picture."""
    tool, factor = Tool.of(arguments), FACTOR if arguments.factor is None else arguments.factor
    check_factor(factor, tool.size)
    small = tool.read(arguments.image, tool.size // factor)
    return tool.pictures.write(repeated(small, factor), tool.shown(enlarged(tool, small)))


def enlarged(tool: "Tool", small: Tensor) -> Tensor:
    """`small`, uint8 (C, s, s), enlarged in N ways: (N, C, S, S), about in [-1, 1], the means of whose blocks are
    `small`."""
    return tool.restorer.enlarge(tool.unit(small), tool.labels).cpu()


def edit(arguments: Edit) -> int:
    """Change the image and print the path of the picture."""
    tool = Tool.of(arguments)
    if not 0 < arguments.strength <= 1:
        raise UserError(f"--strength is {arguments.strength:g}; it must be above 0 and at most 1.")
    given = tool.read(arguments.image)
    drawn = tool.restorer.edit(tool.unit(given), tool.labels, arguments.strength)
    return tool.pictures.write(given, tool.shown(drawn))


@dataclass(frozen=True)
class Tool:
    """A run that restores the image of a command, and what the command asks for."""

    n: int
    drawer: Drawer
    restorer: Restorer
    labels: Tensor | None
    """What each of the N images shows, (N,); None if that was not said."""
    pictures: Pictures
    """What to write."""

    @classmethod
    def of(cls, arguments: Inpaint | Enlarge | Edit) -> "Tool":
        """Raises `UserError` for what is out of limits, and for a class that the run does not know."""
        drawer = restoring_drawer(arguments.run, arguments.device)
        given = {"steps": arguments.steps, "guidance": arguments.guidance}
        changed = {name: value for name, value in given.items() if value is not None}
        sampling = dataclasses.replace(drawer.sampling, **changed)
        labels = None
        if arguments.label is not None:
            labels = torch.tensor(drawer.class_indices([arguments.label]) * arguments.n, device=drawer.run.device)
        elif arguments.guidance is not None:
            raise UserError(
                "--guidance strengthens what is asked for, and no class is asked for. Name one by --label, or leave "
                "it out."
            )
        restorer = Restorer(drawer.predictor, sampling, arguments.seed)
        mask = arguments.mask if isinstance(arguments, Inpaint) else None
        return cls(arguments.n, drawer, restorer, labels, Pictures.of(arguments, mask))

    @property
    def size(self) -> int:
        return self.drawer.predictor.shape[-1]

    @property
    def device(self) -> torch.device:
        return self.drawer.run.device

    def read(self, path: Path, size: int | None = None) -> Tensor:
        """The image in a file, uint8 (C, size, size). Raises `UserError` if it cannot be read."""
        return read_image(path, self.drawer.predictor.shape[0], size or self.size)

    def unit(self, image: Tensor) -> Tensor:
        """uint8 (C, H, W) → (N, C, H, W) in [-1, 1], on the run's device."""
        return unit(image, self.n, self.device)

    def shown(self, drawn: Tensor) -> Tensor:
        """What was drawn, about in [-1, 1], as uint8 on the CPU. Raises `UserError` if it is no finite numbers."""
        return to_bytes(check_finite(drawn.cpu(), self.drawer.run.folder, self.restorer.sampling))


def restoring_drawer(folder: Path, device: str) -> Drawer:
    """Raises `UserError` unless `folder` is a finished run of a recipe that draws pixels."""
    drawer = open_drawer(folder, device)
    if type(drawer.predictor) is not DiffusionPredictor:
        raise UserError(
            f"{folder} is a run of {drawer.run.config.recipe}, which draws latents, where no pixel is known. Use a run "
            "of a recipe that draws pixels, such as flow."
        )
    return drawer


def _check_mask(mask: Path, image: Path, size: int) -> None:
    """Raise `UserError` unless `mask` is as large as `image`, or as the images of the run."""
    found, wanted = size_of(mask), size_of(image)
    if found not in (wanted, (size, size)):
        raise UserError(
            f"The mask {mask} has {found[0]} × {found[1]} pixels and {image} {wanted[0]} × {wanted[1]}, so the hole's "
            f"place is not known. Make the mask as large as the image, or {size} × {size}, the size of the run."
        )


def _hole(arguments: Inpaint, tool: Tool) -> Tensor:
    """Where the hole is, bool (1, 1, S, S). Raises `UserError` unless some pixels are, and some are not."""
    if (arguments.mask is None) == (arguments.box is None):
        raise UserError("Say where the hole is, either by --mask FILE or by --box X Y WIDTH HEIGHT.")
    size = tool.size
    if arguments.mask is not None:
        _check_mask(arguments.mask, arguments.image, size)
        values = tool.read(arguments.mask).float().mean(0)
        hole = values >= WHITE
        where = f"The mask {arguments.mask}"
    else:
        hole = torch.zeros(size, size, dtype=torch.bool)
        x, y, width, height = arguments.box or (0, 0, 0, 0)
        if min(x, y) < 0 or min(width, height) < 1 or x + width > size or y + height > size:
            raise UserError(f"--box {x} {y} {width} {height} is not within the run's image, {size} × {size} pixels.")
        hole[y : y + height, x : x + width] = True
        where = "The box"
    if not hole.any() or hole.all():
        raise UserError(
            f"{where} covers {'all' if hole.any() else 'nothing'} of the image. White pixels are the hole, black "
            "ones are kept."
        )
    return hole[None, None]
