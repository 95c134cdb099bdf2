"""Command-line arguments of captioning. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Images, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Write:
    """Describe images in words with a run of `caption` or a recipe like it.

    A line for each image: its file, its caption, and how probable the model finds that. Files that cannot be read are
    named at the end, once all others are done.
    """

    run: Run
    images: Images
    beams: Annotated[int | None, by_default("N", "as the run was trained to have")] = None
    """Beginnings that are followed at a time: above 1, a caption that is likelier as a whole may be found (beam
    search); 1 always takes the likeliest word (greedy)."""
    out: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also draw where the model looked for each word, of up to 24 images, into this image file."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "caption": Command(Write, "torchworks.hybrid_multimodal.captioning.use:caption"),
}
