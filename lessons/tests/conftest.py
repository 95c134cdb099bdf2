"""Lessons draw into a folder of the test, and leave matplotlib and the random numbers as they were."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the figures."""
    import matplotlib.pyplot as plt
    import torch

    monkeypatch.setenv("TORCHWORKS_LESSONS", str(tmp_path / "figures"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    plt.switch_backend("agg")
    state = torch.get_rng_state()
    yield tmp_path / "figures"
    torch.set_rng_state(state)
    plt.close("all")
