"""Reading a run's configuration back, without importing torch."""

import json
from pathlib import Path
from typing import Any

from torchworks.shared.config import Config, UserError, find_recipe, from_dict


def read_json(path: Path) -> Any:
    """Read a run's JSON file; raises `UserError` naming the file if it is missing or damaged."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path.parent} is not a run directory: there is no {path.name} in it.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}. Restore it from a copy, or train again.") from error


def load_config(folder: Path) -> Config:
    """The configuration of a run, through the recipe it names; raises `UserError` if it is not a run of ours."""
    path = folder / "config.json"
    values = read_json(path)
    try:
        package, recipe = values.pop("package"), values["recipe"]
    except (KeyError, AttributeError, TypeError):
        raise UserError(f"{path} names no package and recipe: it is not a run's configuration.") from None
    return from_dict(type(find_recipe(package, recipe)()), values, where=str(path))
