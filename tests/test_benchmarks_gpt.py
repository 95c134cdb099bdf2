"""Promises of the benchmarks of a GPT: what they compare is alike."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import gpt_speed
import seq_generation
from race import Times, race

TINY = seq_generation.Size(1, 32)


def test_both_generate_the_same_tokens():
    made = seq_generation.generators(TINY, rows=2, steps=12)
    ours, theirs = (generate() for generate in made.values())
    assert ours == theirs
    assert [len(text) for text in ours] == [12, 12]


def test_both_train_to_the_same_weights():
    torch.manual_seed(0)
    ours, theirs = seq_generation.nets(TINY)
    loops = seq_generation.loops_of(ours, theirs, rows=2, length=8)
    times = race(loops, rounds=2, length=1, warm_up=1)
    assert list(times) == [seq_generation.OURS, seq_generation.THEIRS]
    for name, value in theirs.state_dict().items():
        if not name.endswith("c_attn.bias"):  # a bias of all keys changes nothing: Adam follows its rounding errors
            torch.testing.assert_close(ours.reference_state()[name], value, atol=1e-5, rtol=0)


def test_a_target_is_met_by_the_median_ratio_of_times():
    ours, theirs = Times((1.0, 2.0, 1.0), (1.0, 2.0, 1.0)), Times((2.0, 2.0, 3.0), (2.0, 2.0, 3.0))
    times = {seq_generation.OURS: ours, seq_generation.THEIRS: theirs}
    tables = {"training, tiny": times}
    (target,) = gpt_speed.targets(tables)
    assert (target.measured, target.met) == ("2.00 ×", True)
    assert not gpt_speed.targets({"greedy generation": {seq_generation.OURS: theirs, seq_generation.THEIRS: theirs}})[
        0
    ].met
