"""For all tests: those marked `gpu` are skipped where there is no CUDA device; TORCHWORKS_TEST_BF16=1 or 0 decides
whether `--precision auto` takes bf16 on the CPU (see tests/forced/sitecustomize.py)."""

import importlib.util
import os
from pathlib import Path

import pytest

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


def cuda() -> bool:
    """Whether torch finds a CUDA device."""
    import torch

    return torch.cuda.is_available()
