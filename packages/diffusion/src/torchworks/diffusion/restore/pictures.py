"""A user's image in, a picture of what was made of it out: what the restoring commands share."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from torchworks.diffusion.restore.commands import Restore
from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import picture as whole
from torchworks.shared.data.images import read
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.runs.outputs import picture, prepare_image_file, save_image

MOST = 64


@dataclass(frozen=True)
class Pictures:
    """What a command writes: a picture of the image and of all that was drawn, and perhaps a file for each of these."""

    path: Path
    files: tuple[Path, ...]

    @classmethod
    def of(cls, arguments: Restore, *others: Path | None) -> "Pictures":
        """Raises `UserError` if they may not be written, or would replace the image or one of the `others` that are
        read, and for more images than there is room for."""
        if not 1 <= arguments.n <= MOST:
            raise UserError(f"--n is {arguments.n}; it must be from 1 to {MOST}.")
        path = arguments.out or arguments.image.with_name(f"{arguments.image.stem}-{arguments.done}.png")
        inputs = (arguments.image, *others)
        prepare_image_file(path, overwrite=arguments.overwrite, inputs=inputs)
        numbers = range(arguments.n if arguments.files else 0)
        files = tuple(path.with_name(f"{path.stem}-{i}.png") for i in numbers)
        for file in files:
            prepare_image_file(file, overwrite=arguments.overwrite, inputs=inputs)
        return cls(path, files)

    def write(self, given: Tensor, drawn: Tensor) -> int:
        """Write the image `given`, uint8 (C, S, S), beside those `drawn` (N, C, S, S), and print where."""
        images = torch.stack([given, *drawn]) / 255
        save_image(picture(picture_grid(images, min(len(images), 9))), self.path)
        for image, file in zip(drawn, self.files, strict=False):
            save_image(picture(image), file)
        print(self.path)
        if self.files:
            print(f"{self.files[0]} to {self.files[-1].name}" if len(self.files) > 1 else self.files[0])
        return 0


def read_image(path: Path, channels: int, size: int) -> Tensor:
    """The image in a file, uint8 (C, size, size). Raises `UserError` if it cannot be read."""
    try:
        return read(path, channels, size)
    except (Unreadable, OSError) as error:
        raise _unreadable(path, error) from error


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of the image in a file, upright. Raises `UserError` if it cannot be read."""
    try:
        return whole(path, 0).size
    except (Unreadable, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"The image {path} cannot be read: {error}. Name an image file that other programs open.")


def check_factor(factor: int, size: int) -> None:
    """Raises `UserError` unless images of `size` can be made smaller by `factor`."""
    if factor < 2 or size % factor:
        divisors = ", ".join(str(k) for k in range(2, size + 1) if size % k == 0)
        raise UserError(f"--factor is {factor}; it must divide the run's size, {size} pixels: {divisors}.")


def unit(image: Tensor, n: int, device: torch.device) -> Tensor:
    """uint8 (C, H, W) → (N, C, H, W) in [-1, 1] on the device, the same n times."""
    return (image.to(device) / 127.5 - 1).expand(n, *image.shape)


def repeated(small: Tensor, factor: int) -> Tensor:
    """Each pixel of `small` (C, s, s) as a block of `factor` × `factor`."""
    return small.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
