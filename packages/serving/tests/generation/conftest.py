"""Services of generators: in this process, and as a process of their own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parents[1]))

import generator_bundles
import tiny_bundles
from processes import Service, started

from torchworks.serving.app import create_app
from torchworks.serving.limits import Settings
from torchworks.serving.monitoring.monitor import Monitor
from torchworks.serving.monitoring.settings import MonitorSettings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """One bundle of each tiny generator, and of a classifier."""
    path = tmp_path_factory.mktemp("generators")
    for name in generator_bundles.SPECS:
        generator_bundles.write(name, path / name)
    generator_bundles.write("fixed", path / "letters", "letters", generator_bundles.LETTERS)
    tiny_bundles.write("classifier", path / "classifier")
    return path


@pytest.fixture(scope="session")
def monitor(tmp_path_factory) -> Monitor:
    return Monitor(MonitorSettings(keep_inputs=True), tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="session")
def client(folder, monitor) -> Iterator[TestClient]:
    registry = Registry(Settings(), monitor)
    for path in sorted(folder.iterdir()):
        registry.add(ServedModel.load(path, Settings()))
    app = create_app(registry, Settings())
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1)) as made:
        yield made


@pytest.fixture(scope="session")
def service(folder, tmp_path_factory) -> Iterator[Service]:
    """A process of its own."""
    said = tmp_path_factory.mktemp("said") / "log"
    with started(said, *sorted(folder.iterdir()), "--max-tokens", 20000) as made:
        yield made
