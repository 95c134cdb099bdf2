"""Figures are means over their window, weighted as the losses are, and every line of metrics.jsonl can be read."""

import json
import math
import sys
from functools import partial

import pytest
import torch

from torchworks.shared.config import UserError
from torchworks.shared.training import metrics
from torchworks.shared.training.metrics import JsonLines, TensorBoard, Window, read_lines

CPU = torch.device("cpu")


@pytest.fixture(params=["processor", "gpu's way"])
def window(request, monkeypatch):
    """A window on a processor, and one that keeps figures as it does for a GPU."""
    if request.param != "processor":
        monkeypatch.setattr(metrics, "_OnHost", partial(metrics._OnDevice, device=CPU))
    return Window(CPU)


def figures(**values):
    return {name: torch.tensor(value) for name, value in values.items()}


def test_a_window_gives_means_by_weight_for_each_phase(window):
    window.add("d", figures(loss=1.0, gap=0.0), 3)
    window.add("d", figures(loss=5.0, gap=4.0), torch.tensor(1))
    window.add("g", figures(loss=-2.0))
    read = window.close(figures(skipped=7.0)).get()
    assert read == {"d/loss": 2.0, "d/gap": 1.0, "g/loss": -2.0, "skipped": 7.0}


def test_a_new_window_begins_empty(window):
    window.add("d", figures(loss=1.0))
    window.close({})
    window.add("g", figures(loss=3.0))
    assert window.close({}).get() == {"g/loss": 3.0}


def test_a_reading_keeps_what_it_was_told_while_the_next_window_fills(window):
    counter = torch.tensor(1.0)
    window.add("d", figures(loss=1.0))
    reading = window.close({"skipped": counter})
    counter.add_(5)
    window.add("d", figures(loss=9.0))
    assert reading.get() == {"d/loss": 1.0, "skipped": 1.0}


def test_a_window_that_was_saved_in_its_middle_closes_with_the_same_figures(window):
    steps = [(figures(loss=0.1 * n, gap=1.0 / (n + 1)), n + 1) for n in range(7)]
    first, second = Window(CPU), Window(CPU)
    for step in steps:
        window.add("d", *step)
    for step in steps[:4]:
        first.add("d", *step)
    second.load_state_dict(first.state_dict())
    for step in steps[4:]:
        second.add("d", *step)
    assert second.close({}).get() == pytest.approx(window.close({}).get(), rel=1e-6)


def test_a_figure_is_what_it_was_when_it_was_logged(window):
    strength = torch.tensor(1.0)
    window.add("d", {"strength": strength})
    strength.add_(4)
    window.add("d", {"strength": strength})
    assert window.close({}).get() == {"d/strength": 3.0}


def test_many_steps_between_two_log_lines_are_added_up_on_the_way_with_the_same_result(window):
    rows = [(figures(loss=float(n % 7)), 1 + n % 3) for n in range(700)]
    for row in rows:
        window.add("d", *row)
    expected = sum(n % 7 * weight for n, (_, weight) in enumerate(rows)) / sum(weight for _, weight in rows)
    assert window.close({}).get()["d/loss"] == pytest.approx(expected, rel=1e-6)


def test_a_phase_that_logs_now_this_and_now_that_is_a_mistake_and_not_a_mixture(window):
    window.add("d", figures(loss=1.0, real=2.0))
    with pytest.raises(AssertionError, match="the same metrics"):
        window.add("d", figures(loss=1.0, fake=2.0))


@pytest.mark.gpu
def test_readings_of_a_gpu_arrive_without_waiting():
    device = torch.device("cuda", 0)
    window = Window(device)
    window.add("d", {"loss": torch.tensor(2.0, device=device)})
    reading = window.close({})
    assert reading._values.is_pinned()
    assert reading.get() == {"d/loss": 2.0}


# ---- metrics.jsonl -----------------------------------------------------------------------------------------


def written(path, *lines, step=0):
    sink = JsonLines(path, step)
    for line in lines:
        sink.write(*line)
    sink.close()
    return read_lines(path)


def test_each_line_is_plain_json_with_null_for_what_is_not_finite(tmp_path):
    path = tmp_path / "metrics.jsonl"
    written(path, ("train", 5, {"a/loss": math.nan, "b": math.inf, "c": 0.5}), ("eval", 5, {"error": 1e-30}))
    lines = [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]
    assert lines == [
        {"kind": "train", "step": 5, "a/loss": None, "b": None, "c": 0.5},
        {"kind": "eval", "step": 5, "error": 1e-30},
    ]


def test_a_line_is_on_the_disk_as_soon_as_it_is_written(tmp_path):
    sink = JsonLines(tmp_path / "metrics.jsonl")
    sink.write("train", 1, {"loss": 1.0})
    assert len(read_lines(tmp_path / "metrics.jsonl")) == 1
    sink.close()


def test_a_resume_drops_what_it_will_write_again_and_keeps_the_rest(tmp_path):
    path = tmp_path / "metrics.jsonl"
    written(path, *(("train", step, {"loss": 1.0}) for step in (5, 10, 15, 20)))
    lines = written(path, ("train", 15, {"loss": 2.0}), step=12)
    assert [(line["step"], line["loss"]) for line in lines] == [(5, 1.0), (10, 1.0), (15, 2.0)]


def test_a_last_line_cut_off_by_a_crash_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    written(path, ("train", 5, {"loss": 1.0}), ("train", 10, {"loss": 1.0}))
    path.write_text(path.read_text()[:-20])
    assert [line["step"] for line in read_lines(path)] == [5]
    lines = written(path, ("train", 10, {"loss": 2.0}), step=10)
    assert [(line["step"], line["loss"]) for line in lines] == [(5, 1.0), (10, 2.0)]


# ---- elsewhere ---------------------------------------------------------------------------------------------


def test_tensorboard_gets_the_same_figures_and_none_twice_after_a_resume(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for start, steps in ((0, (5, 10, 15)), (10, (15, 20))):
        sink = TensorBoard(tmp_path, start)
        for step in steps:
            sink.write("train", step, {"d/loss": step + start / 100})
        sink.close()
    seen = events.EventAccumulator(str(tmp_path))
    seen.Reload()
    values = [(event.step, round(event.value, 2)) for event in seen.Scalars("train/d/loss")]
    assert values == [(5, 5.0), (10, 10.0), (15, 15.1), (20, 20.1)]


def test_tensorboard_that_is_not_installed_is_a_mistake_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match=r"shared\[tensorboard\]"):
        TensorBoard(tmp_path)
