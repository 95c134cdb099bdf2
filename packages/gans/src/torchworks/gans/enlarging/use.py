"""The command `enlarge`: a user's images, 2 or 4 times as wide and high."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from torchworks.gans.enlarging.commands import Enlarge
from torchworks.gans.enlarging.predictor import open_enlarger
from torchworks.gans.enlarging.tiles import Net, enlarged, tile_for
from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import picture_and_alpha
from torchworks.shared.inference.files import ImageFiles, drawing_files
from torchworks.shared.options import check_number
from torchworks.shared.runs.outputs import picture, progress, save_image


def enlarge(arguments: Enlarge) -> int:
    """Enlarge the images and print where they are. Raises `UserError` that names those that could not be used, once all
    others are done."""
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them, after the run.")
    check_number("--max-memory", arguments.max_memory, 1)
    if arguments.tile is not None:
        check_number("--tile", arguments.tile, 1)
    _, net = open_enlarger(arguments.run, arguments.device)
    files = ImageFiles(arguments.images)
    folder = arguments.out or arguments.run / "enlarged"
    places = drawing_files(files.names, folder, arguments.overwrite or arguments.out is None)
    for path in progress(list(files.names), "enlarging", len(files.names)):
        try:
            large = Enlarger(net, arguments.tile, arguments.max_memory)(path)
        except (Unreadable, UserError) as error:
            files.bad[path] = str(error)
            continue
        save_image(large, places[path])
        print(f"{places[path]}  {large.width} × {large.height}")
    files.refuse_bad()
    return 0


@dataclass(frozen=True)
class Enlarger:
    """Enlarges image files with a net, in tiles of a side, or as large as `max_memory` MiB allow."""

    net: Net
    tile: int | None
    max_memory: float

    def __call__(self, path: Path) -> Image.Image:
        """The image in a file, enlarged: grey (L), color (RGB), or either with alpha. Raises `Unreadable`, and
        `UserError` if there is not the memory for it."""
        color, alpha = picture_and_alpha(path)
        largest = tile_for(self.net, color.height, color.width, self.net.radius, self.max_memory)
        tile = largest if self.tile is None else min(self.tile, max(color.size))
        if tile > largest:
            raise UserError(
                f"With a --tile of {self.tile} it would take more than the {self.max_memory:g} MiB of --max-memory. "
                f"Leave --tile out, or set it to {largest} at most"
            )
        pixels = torch.from_numpy(np.array(color.convert("RGB"))).permute(2, 0, 1)
        large = picture(enlarged(self.net, pixels, tile, self.net.radius)).convert(color.mode)
        if alpha is not None:
            large.putalpha(alpha.resize(large.size, Image.Resampling.BICUBIC))
        return large
