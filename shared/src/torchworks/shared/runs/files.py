"""What is in the directory of a run, without importing torch: whether it is finished, and its configuration."""

import contextlib
import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torchworks.shared.config import Config, UserError, find_recipe, from_dict, nearest
from torchworks.shared.models.manifest import MANIFEST

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def check_finished(folder: Path) -> None:
    """Raise `UserError` unless `folder` is the directory of a run that has a model."""
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        raise UserError(f"{folder} may not be read by this user: let its owner allow it by `chmod -R a+rX {folder}`.")
    if folder.is_file():
        raise UserError(f"{folder} is a file, not a run directory. Pass the path printed on the last line of `train`.")
    if not folder.is_dir():
        near = nearest(folder.name, [path.name for path in folder.parent.glob("*")])
        raise UserError(f"There is no run directory {folder}.{near} Pass the path printed on the last line of `train`.")
    if (folder / MANIFEST).exists():
        return
    inside = sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    if inside:
        raise UserError(f"{folder} contains runs but is not one itself. Did you mean {inside[-1]}?")
    if (folder / "config.json").exists():
        values = read_json(folder / "config.json")
        package = values.get("package", "PACKAGE") if isinstance(values, dict) else "PACKAGE"
        remedy = f"Finish it with `{package} train --resume {shlex.quote(str(folder))}`."
        if is_held(folder):
            remedy = "It is being trained; wait for its end."
        raise UserError(f"The run {folder} is not finished: it has no model yet. {remedy}")
    raise UserError(f"{folder} is not a run directory. Pass the path printed on the last line of `train`.")


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes from training in `folder` meanwhile; the hold ends with the process, however that ends.
    Raises `UserError` if another one has it. Systems without `flock`, such as Windows, and file systems that do not
    know it hold nothing."""
    with _opened(folder) as place:
        if not _take(place):
            raise UserError(
                f"The run {folder} is being trained by another process. Wait for its end, or stop it first."
            )
        yield


def is_held(folder: Path) -> bool:
    """Whether a process is training in `folder`."""
    with _opened(folder) as place:
        return not _take(place)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    """A descriptor of `folder`; None where folders cannot be opened, as on Windows."""
    try:
        place = os.open(folder, os.O_RDONLY)
    except OSError:
        yield None
        return
    try:
        yield place
    finally:
        os.close(place)


def _take(place: int | None) -> bool:
    """Take the lock of an opened folder, for as long as it is open; False if another process has it."""
    if fcntl is None or place is None:
        return True
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def read_json(path: Path) -> Any:
    """Read a run's JSON file; raises `UserError` naming the file if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path.parent} is not a run directory: there is no {path.name} in it.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}. Restore it from a copy, or train again.") from error


def is_finished(folder: Path, steps: int) -> bool:
    """Whether the run in `folder`, configured for so many `steps`, has come to its end. One that is trained longer has
    its old result until the new end, but newer checkpoints or more steps before it."""
    if not (folder / "result.json").exists():
        return False
    result = read_json(folder / "result.json")
    done = result.get("steps", steps)
    names = (path.name.removeprefix("step-") for path in folder.glob("checkpoints/step-*"))
    further = any(int(name) > done for name in names if name.isdigit())
    return not further and (done >= steps or result.get("stopped_by") != "steps")


def load_config(folder: Path) -> Config:
    """The configuration of a run, through the recipe it names; raises `UserError` if it is not a run of ours."""
    path = folder / "config.json"
    values = read_json(path)
    try:
        package, recipe = values.pop("package"), values["recipe"]
    except (KeyError, AttributeError, TypeError):
        raise UserError(f"{path} names no package and recipe: it is not a run's configuration.") from None
    return from_dict(type(find_recipe(package, recipe)()), values, where=str(path))
