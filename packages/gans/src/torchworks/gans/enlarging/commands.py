"""Commands for runs that enlarge images. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Images, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Enlarge:
    """Enlarge images of any size, by a run of srresnet, srgan or esrgan.

    Large images go through the net in tiles that overlap, and come out as if they had gone through whole.
    Grey images stay grey, transparency is kept, and photographs are turned upright. Results have 8 bits a color.
    """

    run: Run
    images: Images
    out: Annotated[Path | None, by_default("DIR", "RUN/enlarged")] = None
    """Folder for the results, PNG files named after the images."""
    max_memory: Annotated[float, arg(metavar="MIB")] = 1024.0
    """Memory that images and net may take while one image is enlarged, beside PyTorch itself."""
    tile: Annotated[int | None, by_default("N", "the largest for which there is memory")] = None
    """Side of a tile in pixels of the small image."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"enlarge": Command(Enlarge, "torchworks.gans.enlarging.use:enlarge")}
