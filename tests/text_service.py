"""Commands of seq-models, and a service of what they trained, in the tests' own process."""

import contextlib
import io
from pathlib import Path

from fastapi.testclient import TestClient

from torchworks.seq_models.commands import COMMANDS
from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.cli import main


def run(*words: object) -> str:
    """What is printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main("seq-models", "lm", COMMANDS, [str(word) for word in words]) == 0
    return out.getvalue()


def served(run: Path, **options) -> TestClient:
    settings = Export(run, seconds=0, **options)
    export(settings)
    registry = Registry(Settings())
    registry.add(ServedModel.load(open_bundle(folder_of(settings)), Settings(Limits(generate_rows=3))))
    return TestClient(create_app(registry, Settings()))
