"""Command-line arguments of monitoring. Imports nothing heavy, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class Register:
    """Register a bundle as a new version of a model in MLflow (needs the extra serving[mlflow])."""

    bundle: Annotated[Path, Positional, arg(metavar="BUNDLE", help="Folder that `serving export` wrote.")]
    uri: Annotated[str, arg(metavar="URI")]
    """MLflow's tracking server, such as https://mlflow.example, or sqlite:///mlflow.db (files then go to ./mlruns)."""
    name: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the bundle's name)")] = None
    """Name of the registered model."""
    experiment: Annotated[str, arg(metavar="NAME")] = "serving"
    """Experiment in which the bundle is logged as a run."""
    alias: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: none)")] = None
    """Also give the new version this alias, such as champion."""
