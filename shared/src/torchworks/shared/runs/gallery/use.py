"""What `make gallery` does: read the runs, write the page, say what is left out."""

from pathlib import Path

from torchworks.shared.config import UserError
from torchworks.shared.runs.gallery.commands import Gallery
from torchworks.shared.runs.gallery.page import MARK, write_page
from torchworks.shared.runs.gallery.reading import read_runs
from torchworks.shared.runs.outputs import prepare_file


def run(arguments: Gallery) -> None:
    """Raises `UserError` if there is no finished run, or if the page cannot be written."""
    out = arguments.out or arguments.runs / "gallery.html"
    runs, left_out = read_runs(arguments.runs)
    if not runs:
        why = f" {left_out[0].name}: {left_out[0].reason}" if left_out else " Train one: make train-gans."
        raise UserError(f"There is no finished run under {arguments.runs}.{why}")
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out {out} must end in .html.")
    check_replaceable(out)
    prepare_file(out, overwrite=True)
    size = write_page(out, runs, left_out, arguments.runs)
    for folder in left_out[:5]:
        print(f"left out {folder.name}: {folder.reason}")
    if len(left_out) > 5:
        print(f"left out {len(left_out) - 5} more folders, which the page names")
    print(f"{len(runs)} run{'s' * (len(runs) > 1)}, {size / 1e6:.1f} MB; open it in a browser:")
    print(out)


def check_replaceable(out: Path) -> None:
    """Raise `UserError` if there is a file of that name that is no gallery."""
    if not out.is_file():
        return
    with out.open("rb") as file:
        if MARK.encode() not in file.read(1000):
            raise UserError(f"{out} exists and is not a gallery, so it is not replaced. Choose another name with OUT=.")
