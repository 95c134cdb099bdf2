"""Promises of the benchmarks of a GPT: what they compare is alike."""

import os
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import gpt_speed
import seq_generation
import seq_service
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


def test_texts_of_services_that_stream_are_read_alike():
    """Ours sends events with pieces of text, LitServe lines with ids, of which several may come together."""
    events = b'data: {"index":0,"text":"1,"}\n\ndata: {"index":0,"text":"2"}\n\ndata: {"usage":{},"seed":0}\n\n'
    for lines in (b'{"token": 1}\n{"token": 2}\n', b'{"token": 1}{"token": 2}'):
        for answer in (events, lines):
            assert seq_service.text_of(answer, lambda ids: ",".join(map(str, ids))) == "1,2"


def test_a_service_is_to_generate_four_times_as_much_for_sixteen_callers():
    def rates(ours: float, theirs: float) -> dict[str, seq_service.Rates]:
        return {seq_service.OURS: seq_service.Rates([ours]), seq_service.LITSERVE: seq_service.Rates([theirs])}

    more, beside = seq_service.targets({"1 stream": rates(100, 90), "16 streams": rates(390, 300)})
    assert (more.measured, more.met) == ("3.90 ×", False)
    assert (beside.measured, beside.met) == ("1.30 ×", True)


def test_the_time_of_a_group_of_processes_is_that_of_its_members():
    begun = seq_service.cpu_seconds(os.getpgrp())
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert seq_service.cpu_seconds(os.getpgrp()) >= begun + 0.05
