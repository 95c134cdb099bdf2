"""The one picture that a command writes."""

from pathlib import Path

from torchworks.shared.config import UserError
from torchworks.shared.runs.outputs import prepare


def prepare_picture(file: Path, *, overwrite: bool) -> None:
    """Make the folder of `file`. Raises `UserError` if that cannot be done, if the name is no picture's, or if there
    is something of that name that may not be replaced."""
    if file.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"--out {file} is no picture's name; it must end in .png, .jpg or .jpeg.")
    if file.is_dir():
        raise UserError(f"--out {file} is a folder; give the name of a picture.")
    prepare(file.parent, [file.name], overwrite=overwrite)
