"""The commands `inpaint`, `enlarge` and `edit`."""

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from torchworks.diffusion.images.predictor import DiffusionPredictor, Drawer, open_drawer
from torchworks.diffusion.images.sample import to_bytes
from torchworks.diffusion.process.denoiser import Denoiser
from torchworks.diffusion.restore.commands import Edit, Enlarge, Inpaint
from torchworks.diffusion.restore.restoring import known_means, known_pixels, noised, restore
from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import read
from torchworks.shared.denoising import SAMPLERS
from torchworks.shared.denoising.grids import uniform
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.runs.outputs import picture, prepare_image_file

MOST, MOST_RESAMPLINGS = 64, 20
DONE: dict[type, str] = {Inpaint: "inpainted", Enlarge: "enlarged", Edit: "edited"}
WHITE = 128
"""From this on a pixel of a mask belongs to the hole."""


def inpaint(arguments: Inpaint) -> int:
    """Fill the hole and print the path of the picture."""
    tool = Tool.of(arguments)
    if not 1 <= arguments.resamplings <= MOST_RESAMPLINGS:
        raise UserError(f"--resamplings is {arguments.resamplings}; it must be from 1 to {MOST_RESAMPLINGS}.")
    given = tool.read(arguments.image)
    hole = _hole(arguments, tool)
    with_hole = given.masked_fill(hole[0], WHITE)
    filled = inpainted(tool, given, hole, arguments.resamplings)
    return tool.save([with_hole, *filled])


@torch.no_grad()
def inpainted(tool: "Tool", given: Tensor, hole: Tensor, resamplings: int) -> Tensor:
    """`given`, uint8 (C, S, S), with its `hole`, bool (1, 1, S, S), filled in N ways: uint8 (N, C, S, S)."""
    constraint = known_pixels(tool.unit(given), hole.to(tool.device))
    drawn = restore(tool.denoiser(), constraint, tool.levels(), tool.noise, resamplings=resamplings)
    return torch.where(hole, to_bytes(drawn.cpu()), given)


def enlarge(arguments: Enlarge) -> int:
    """Enlarge the image and print the path of the picture."""
    tool = Tool.of(arguments)
    size = tool.size
    if arguments.factor < 2 or size % arguments.factor:
        divisors = ", ".join(str(k) for k in range(2, size + 1) if size % k == 0)
        raise UserError(f"--factor is {arguments.factor}; it must divide the run's size, {size} pixels: {divisors}.")
    small = tool.read(arguments.image, size // arguments.factor)
    large = enlarged(tool, small)
    shown = small.repeat_interleave(arguments.factor, 1).repeat_interleave(arguments.factor, 2)
    return tool.save([shown, *to_bytes(large)])


@torch.no_grad()
def enlarged(tool: "Tool", small: Tensor) -> Tensor:
    """`small`, uint8 (C, s, s), enlarged in N ways: (N, C, S, S), about in [-1, 1], the means of whose blocks are
    `small`."""
    return restore(tool.denoiser(), known_means(tool.unit(small)[None]), tool.levels(), tool.noise).cpu()


def edit(arguments: Edit) -> int:
    """Change the image and print the path of the picture."""
    tool = Tool.of(arguments)
    if not 0 < arguments.strength <= 1:
        raise UserError(f"--strength is {arguments.strength:g}; it must be above 0 and at most 1.")
    given = tool.read(arguments.image)
    return tool.save([given, *to_bytes(edited(tool, given, arguments.strength))])


@torch.no_grad()
def edited(tool: "Tool", given: Tensor, strength: float) -> Tensor:
    """`given`, uint8 (C, S, S), changed in N ways: (N, C, S, S), about in [-1, 1]."""
    sampling = tool.drawer.sampling
    grid = uniform(tool.drawer.predictor.process.path_of(), sampling.steps, start=strength)
    x = noised(tool.unit(given), grid[0], tool.noise(0))
    return SAMPLERS["ddpm"](tool.denoiser(), x, grid, noise=lambda i: tool.noise(i + 1)).cpu()


@dataclasses.dataclass(frozen=True)
class Tool:
    """A run that restores the image of a command, and what the command asks for."""

    arguments: Inpaint | Enlarge | Edit
    drawer: Drawer
    label: int | None
    path: Path
    """The picture to write."""

    @classmethod
    def of(cls, arguments: Inpaint | Enlarge | Edit) -> "Tool":
        """Raises `UserError` for what is out of limits, and for a class that the run does not know."""
        if not 1 <= arguments.n <= MOST:
            raise UserError(f"--n is {arguments.n}; it must be from 1 to {MOST}.")
        drawer = open_drawer(arguments.run, arguments.device)
        if type(drawer.predictor) is not DiffusionPredictor:
            raise UserError(
                f"{arguments.run} is a run of {drawer.run.config.recipe}, which draws latents, where no pixel is "
                "known. Use a run of a recipe that draws pixels, such as flow."
            )
        given = {"steps": arguments.steps, "guidance": arguments.guidance}
        changed = {name: value for name, value in given.items() if value is not None}
        drawer = Drawer(drawer.run, dataclasses.replace(drawer.sampling, **changed))
        label = None if arguments.label is None else drawer.class_indices([arguments.label])[0]
        path = arguments.out or arguments.image.with_name(f"{arguments.image.stem}-{DONE[type(arguments)]}.png")
        prepare_image_file(path, overwrite=arguments.overwrite)
        return cls(arguments, drawer, label, path)

    @property
    def size(self) -> int:
        return self.drawer.predictor.shape[-1]

    @property
    def device(self) -> torch.device:
        return self.drawer.run.device

    def read(self, path: Path, size: int | None = None) -> Tensor:
        """The image in a file, uint8 (C, size, size). Raises `UserError` if it cannot be read."""
        try:
            return read(path, self.drawer.predictor.shape[0], size or self.size)
        except (Unreadable, OSError) as error:
            raise UserError(f"The image {path} cannot be read: {error}.") from error

    def unit(self, image: Tensor) -> Tensor:
        """uint8 → [-1, 1], on the run's device."""
        return image.to(self.device) / 127.5 - 1

    def noise(self, i: int) -> Tensor:
        """The i-th noise of each of the N images, which depends on the seed, the image and i alone."""
        shape = self.drawer.predictor.shape
        rows = [sample_normal(self.arguments.seed, [row], i + 1, *shape)[0, -1] for row in range(self.arguments.n)]
        return torch.stack(rows).to(self.device)

    def levels(self) -> list:
        """Even steps of time, whatever the run's own grid is."""
        return uniform(self.drawer.predictor.process.path_of(), self.drawer.sampling.steps)

    def denoiser(self) -> Denoiser:
        """The net, guided to the class that was given; without one, to none."""
        classes, sampling = self.drawer.classes, self.drawer.sampling
        if not classes:
            return self.drawer.predictor.denoiser((), sampling)
        told = len(classes) if self.label is None else self.label
        labels = torch.full((self.arguments.n,), told, device=self.device)
        plain = dataclasses.replace(sampling, guidance=1.0)
        return self.drawer.predictor.denoiser((labels,), plain if self.label is None else sampling)

    def save(self, images: list[Tensor]) -> int:
        """Write the images, uint8 (C, S, S), side by side, and print where."""
        picture(picture_grid(torch.stack(images) / 255, min(len(images), 9))).save(self.path)
        print(self.path)
        return 0


def _hole(arguments: Inpaint, tool: Tool) -> Tensor:
    """Where the hole is, bool (1, 1, S, S). Raises `UserError` unless some pixels are, and some are not."""
    if (arguments.mask is None) == (arguments.box is None):
        raise UserError("Say where the hole is, either by --mask FILE or by --box X Y WIDTH HEIGHT.")
    size = tool.size
    if arguments.mask is not None:
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
