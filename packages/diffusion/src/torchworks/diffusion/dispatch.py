"""The commands `sample` and `evaluate`: the job of a run, known by the builder of its model, does them."""

from torchworks.diffusion.images.commands import Evaluate, Sample
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.runs.files import check_finished

CAPTIONS = "diffusion-text2image"
"""The builder of models that draw captions."""


def sample(arguments: Sample) -> int:
    """Draw what `arguments` ask for and print the paths written."""
    if _builder(arguments) == CAPTIONS:
        from torchworks.diffusion.text2image.use import sample as draw
    else:
        from torchworks.diffusion.images.sample import sample as draw
    return draw(arguments)


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write what there is to see, print a table."""
    if _builder(arguments) == CAPTIONS:
        from torchworks.diffusion.text2image.evaluate import evaluate as score
    else:
        from torchworks.diffusion.images.evaluate import evaluate as score
    return score(arguments)


def _builder(arguments: Sample | Evaluate) -> str:
    check_finished(arguments.run)
    return read_manifest(arguments.run).builder
