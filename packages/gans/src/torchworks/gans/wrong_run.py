"""What is said where a command is given a run of another job than its own."""

from torchworks.shared.config import UserError
from torchworks.shared.runs.opening import FinishedRun

USES = {
    "noise": ("draws images from noise", "gans sample {run}"),
    "styles": ("draws images from noise", "gans sample {run}"),
    "wasserstein": ("draws images from noise", "gans sample {run}"),
    "codes": ("draws images from noise", "gans sample {run}"),
    "big": ("draws images from noise", "gans sample {run}"),
    "translation": ("turns images into others", "gans translate {run} IMAGES… --out DIR"),
    "enlarging": ("enlarges images", "gans enlarge {run} IMAGES… --out DIR"),
    "swapping": ("swaps faces", "gans swap {run} IMAGES… --to B --out DIR"),
    "detecting": ("tells swapped faces from others", "gans detect {run} IMAGES…"),
}
"""By the package of its recipe: what a run does, and the command for it."""


def wrong_run(run: FinishedRun, lacks: str, recipes: str) -> UserError:
    """Says what the run does and `lacks`, which command is for it, and which `recipes` do what was asked for."""
    job = type(run.config).build.partition(":")[0].split(".")[-2]
    does, command = USES.get(job, ("is for something else", ""))
    told = f"{run.folder} is a run of {run.config.recipe}, which {does} and {lacks}. "
    use = f"Use `{command.format(run=run.folder)}`, or train" if command else "Train"
    return UserError(f"{told}{use} {recipes}.")
