"""A user's image in, a picture of what was made of it out: what the restoring commands share."""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.diffusion.restore.commands import Restore
from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import read
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.runs.outputs import picture, prepare_image_file

MOST = 64


def picture_path(arguments: Restore) -> Path:
    """The picture to write, whose folder is made. Raises `UserError` if it may not be written, and for more images than
    there is room for."""
    if not 1 <= arguments.n <= MOST:
        raise UserError(f"--n is {arguments.n}; it must be from 1 to {MOST}.")
    path = arguments.out or arguments.image.with_name(f"{arguments.image.stem}-{arguments.done}.png")
    prepare_image_file(path, overwrite=arguments.overwrite)
    return path


def read_image(path: Path, channels: int, size: int) -> Tensor:
    """The image in a file, uint8 (C, size, size). Raises `UserError` if it cannot be read."""
    try:
        return read(path, channels, size)
    except (Unreadable, OSError) as error:
        raise UserError(f"The image {path} cannot be read: {error}.") from error


def check_factor(factor: int, size: int) -> None:
    """Raises `UserError` unless images of `size` can be made smaller by `factor`."""
    if factor < 2 or size % factor:
        divisors = ", ".join(str(k) for k in range(2, size + 1) if size % k == 0)
        raise UserError(f"--factor is {factor}; it must divide the run's size, {size} pixels: {divisors}.")


def unit(image: Tensor, n: int, device: torch.device) -> Tensor:
    """uint8 (C, H, W) → (N, C, H, W) in [-1, 1] on the device, the same n times."""
    return (image.to(device) / 127.5 - 1).expand(n, *image.shape)


def write_picture(path: Path, images: list[Tensor]) -> int:
    """Write the images, uint8 (C, S, S), side by side, and print where."""
    picture(picture_grid(torch.stack(images) / 255, min(len(images), 9))).save(path)
    print(path)
    return 0


def repeated(small: Tensor, factor: int) -> Tensor:
    """Each pixel of `small` (C, s, s) as a block of `factor` × `factor`."""
    return small.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
