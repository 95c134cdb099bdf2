"""Commands that runs of several jobs have: the job of a run, known by the builder of its model, does them."""

from pathlib import Path

from torchworks.diffusion.images.commands import Evaluate, Sample
from torchworks.diffusion.restore.commands import Enlarge
from torchworks.shared.config import UserError
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.runs.files import check_finished

CAPTIONS = "diffusion-text2image"
"""The builder of models that draw captions."""
SUPERRES = "diffusion-superres"
"""The builder of models that were trained to enlarge."""


def sample(arguments: Sample) -> int:
    """Draw what `arguments` ask for and print the paths written."""
    if _builder(arguments.run) == CAPTIONS:
        from torchworks.diffusion.text2image.use import sample as draw
    else:
        from torchworks.diffusion.images.sample import sample as draw
    return draw(arguments)


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write what there is to see, print a table."""
    builder = _builder(arguments.run)
    if arguments.restore and builder in (CAPTIONS, SUPERRES):
        raise UserError(
            f"{arguments.run} does not draw images from noise alone, so inpaint and edit cannot use it. Leave out "
            "--restore, or use a run of flow."
        )
    if builder == CAPTIONS:
        from torchworks.diffusion.text2image.evaluate import evaluate as score
    elif builder == SUPERRES:
        from torchworks.diffusion.superres.evaluate import evaluate as score
    elif arguments.restore:
        from torchworks.diffusion.restore.scores import evaluate as score
    else:
        from torchworks.diffusion.images.evaluate import evaluate as score
    return score(arguments)


def enlarge(arguments: Enlarge) -> int:
    """Enlarge the image and print the path of the picture."""
    if _builder(arguments.run) == SUPERRES:
        from torchworks.diffusion.superres.use import enlarge as restore
    else:
        from torchworks.diffusion.restore.use import enlarge as restore
    return restore(arguments)


def _builder(run: Path) -> str:
    check_finished(run)
    return read_manifest(run).builder
