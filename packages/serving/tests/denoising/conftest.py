"""Services of diffusion models: in this process, and as a process of their own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parents[1]))

import drawing_bundles
import tiny_bundles
from processes import Service, started

from torchworks.serving.app import create_app
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """One bundle of each tiny diffusion model, and of a classifier."""
    path = tmp_path_factory.mktemp("drawing")
    for name in drawing_bundles.SPECS:
        drawing_bundles.write(name, path / name)
    tiny_bundles.write("classifier", path / "classifier")
    return path


@pytest.fixture(scope="session")
def registry(folder) -> Registry:
    made = Registry(Settings())
    for path in sorted(folder.iterdir()):
        made.add(ServedModel.load(path, Settings()))
    return made


@pytest.fixture(scope="session")
def client(registry) -> Iterator[TestClient]:
    app = create_app(registry, Settings())
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1)) as made:
        yield made


@pytest.fixture(scope="session")
def service(folder, tmp_path_factory) -> Iterator[Service]:
    """A process of its own."""
    said = tmp_path_factory.mktemp("said") / "log"
    with started(said, *sorted(folder.iterdir())) as made:
        yield made
