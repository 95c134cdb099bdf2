"""Nets of recommendation are RecBole's: the same keys, outputs and gradients, with the same random weights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torchworks.hybrid_multimodal", reason="needs the package that has these nets")
for library in ("pandas", "colorlog", "colorama", "tensorboard"):
    pytest.importorskip(library, reason="RecBole imports it")

PROGRAM = Path(__file__).parent / "recbole_parity.py"


@pytest.mark.slow
def test_nets_of_recommendation_are_recboles(tmp_path: Path):
    words = [sys.executable, "-W", "ignore", str(PROGRAM)]
    done = subprocess.run(words, cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["bpr", "neumf", "gru4rec", "multi-dae"]
