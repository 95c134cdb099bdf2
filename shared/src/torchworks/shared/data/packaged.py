"""Files of data that lie in installed packages, which are never imported."""

import importlib.metadata
from pathlib import Path

from torchworks.shared.config import UserError


def packaged_file(package: str, path: str, *, said: str, extra: str, instead: str, version: str) -> Path:
    """The file `path` of `package`. Raises `UserError` if the package, which `extra`, such as "seq-models[series]",
    brings, is not installed, or lacks the file, which `version` has. `said` begins the sentence, such as "The data
    'ml-100k' lie", and `instead` is what can be used without, such as "a table of your own: --data csv:FILE"."""
    try:
        found = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"{said} in the package {package}, which is not installed. Install the extra {extra}, or use {instead}."
        ) from None
    file = Path(str(found.locate_file(path)))
    if not file.is_file():
        raise UserError(f"The installed {package} {found.version} lacks {file}. Install {package} {version}.")
    return file
