"""For all tests: those marked `gpu` are skipped where there is no CUDA device; TORCHWORKS_TEST_BF16=1 or 0 decides
whether `--precision auto` takes bf16 on the CPU (see tests/forced/sitecustomize.py). The fixture `manual` is a source
of data without images."""

import gc
import importlib.util
import os
from pathlib import Path

import pytest

MANUAL = """
import torch
from torchworks.shared.data import Field, Schema, Source, TensorDataset

def open_manual(rest, config, seed):
    schema = Schema((Field("tokens", "tokens", (16,)),))
    part = TensorDataset({"tokens": torch.arange(160).view(10, 16)}, schema)
    return Source("manual", "CC0", part, part, schema, "0123")
"""
FORCED = Path(__file__).parent / "tests" / "forced"


def pytest_configure() -> None:
    """Force the precision that `auto` takes, here and in processes that tests start."""
    if os.environ.get("TORCHWORKS_TEST_BF16"):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(FORCED), os.environ.get("PYTHONPATH")]))
        spec = importlib.util.spec_from_file_location("forced", FORCED / "sitecustomize.py")
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Import torch only if a collected test asks for a GPU."""
    wanting = [item for item in items if item.get_closest_marker("gpu")]
    if wanting and not cuda():
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: it would look through millions of objects again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def cuda() -> bool:
    """Whether torch finds a CUDA device."""
    import torch

    return torch.cuda.is_available()


@pytest.fixture
def manual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed package of somebody else, with a data source `manual`: ten texts of 16 tokens."""
    (tmp_path / "manual_of_somebody.py").write_text(MANUAL)
    info = tmp_path / "manual-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: manual\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[torchworks.sources]\nmanual = manual_of_somebody:open_manual\n")
    monkeypatch.syspath_prepend(tmp_path)
