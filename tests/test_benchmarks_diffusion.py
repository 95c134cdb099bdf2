"""Promises of the benchmarks of diffusion models: what they compare is alike, and what they say follows from the
times."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import bench_diffusion
import diffusion_speed
from diffusion_speed import EXPORTED, OURS, THEIRS
from race import Times

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddim", "dpmpp-2m"])
def test_all_draw_the_same_images(name):
    assert diffusion_speed.difference(name, rows=2) < 1e-4


@pytest.mark.parametrize(("seconds", "met"), [(0.7, True), (0.9, False)])
def test_a_target_is_met_only_by_what_is_as_fast(seconds, met):
    def times(value: float) -> Times:
        return Times((value,) * 3, (value,) * 3)

    table = {OURS: times(seconds), EXPORTED: times(0.1), THEIRS: times(1.0)}
    found = bench_diffusion.targets({"ddim, 20 steps, batch 1": table}, {})
    assert [target.met for target in found] == [met, True]
