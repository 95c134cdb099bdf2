"""Command-line arguments of CLIP. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Images, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Search:
    """Find images by a sentence: rank those of a folder, or of a data source, by how well it describes them."""

    run: Run
    where: Annotated[str, Positional, arg(metavar="FOLDER", help_behavior_hint="")]
    """A folder of image files, or a data source such as digit-scenes, of which the test part is searched."""
    sentence: Annotated[str, Positional, arg(metavar="SENTENCE", help_behavior_hint="")]
    """What the images should show, such as "a white four above a red two"."""
    n: int = 12
    """Number of images to name."""
    out: Annotated[Path | None, by_default("FILE", "no picture")] = None
    """Draw them, in the order found, into this image file."""
    index: Annotated[Path | None, by_default("FILE", "RUN/search-index.safetensors")] = None
    """Where the vectors of the folder's images are kept: only new and changed files are read again."""
    save: Annotated[Path | None, by_default("DIR", "nothing is saved")] = None
    """Save a model that searches these images, with all of them in it, which `serving export` takes like a run."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class ZeroShot:
    """Tell which of some sentences describes an image best; the model need not have seen such a class in training."""

    run: Run
    images: Images = ()
    labels: Annotated[tuple[str, ...], by_default("SENTENCES", "those that the model was saved with")] = ()
    """The sentences, such as "a red seven" "a blue one"."""
    top: int = 3
    """Sentences to print for each image."""
    save: Annotated[Path | None, by_default("DIR", "nothing is saved")] = None
    """Save a model that chooses among these sentences, which `serving export` takes like a run."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "search": Command(Search, "torchworks.hybrid_multimodal.contrastive.use:search"),
    "zero-shot": Command(ZeroShot, "torchworks.hybrid_multimodal.contrastive.use:zero_shot"),
}
