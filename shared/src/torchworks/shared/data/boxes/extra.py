"""What the extra `shared[boxes]` installs, imported when data need it."""

import importlib
from types import ModuleType

from torchworks.shared.config import UserError


def needed(module: str, distribution: str, why: str) -> ModuleType:
    """`module` of `distribution`; raises `UserError` if it is not installed. `why` begins the message: Polygons are."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{why} read with {distribution}, which is not installed. Install it, or shared with the extra boxes: "
            f"pip install {distribution}."
        ) from error
