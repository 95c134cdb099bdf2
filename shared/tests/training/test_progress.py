"""A bar with rate, losses, memory and time left on a terminal; plain lines, one an interval, anywhere else."""

import io
import re

import pytest
from rich.console import Console

from torchworks.shared.training import progress
from torchworks.shared.training.progress import Progress, Silent

FIGURES = {
    "d/loss": 1.23456789, "d/grad_norm": 0.5, "skipped": 0.0, "skipped_in_row/d": 0.0, "lr": 2e-4,
    "samples_per_second": 4321.5, "seconds": 12.0, "memory": 1.5,
}  # fmt: skip


def test_a_rate_in_the_tasks_own_unit_stands_for_that_in_samples():
    bar = plain()
    bar.write("train", 1, {**FIGURES, "tokens_per_second": 99000.0})
    assert "tokens/s 99000" in text(bar)
    assert "samples/s" not in text(bar)


class Clock:
    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def plain(total=100):
    return Progress(total, Console(file=io.StringIO(), width=200, highlight=False))


def text(bar):
    return bar._console.file.getvalue()


def test_off_a_terminal_each_interval_is_one_plain_line(clock):
    bar = plain()
    bar.begin(0)
    clock.now += 1000  # the first step warms up and is no measure
    for step in range(1, 21):
        bar.advance(step)
        clock.now += 0.5 * (step < 20)
    bar.write("train", 20, FIGURES)
    bar.write("eval", 20, {"accuracy": 0.975})
    bar.close()
    assert text(bar).splitlines() == [
        "step 20/100  eta 0:40  d/loss 1.235  d/grad_norm 0.5  samples/s 4322  GiB 1.5",
        "step 20  evaluation  accuracy 0.975",
    ]


def test_nothing_is_guessed_from_the_first_step_nor_beyond_the_end(clock):
    bar = plain(4)
    bar.begin(0)
    for step in (1, 2, 6):
        clock.now += 10
        bar.advance(step)
        bar.write("train", step, {})
    assert [line.strip() for line in text(bar).splitlines()] == ["step 1/4", "step 2/4  eta 0:20", "step 6/4  eta 0:00"]


def test_the_time_left_counts_from_where_a_resume_began(clock):
    bar = plain()
    clock.now += 1000  # opening the data took long, and is not training
    bar.begin(90)
    clock.now += 5
    bar.write("train", 95, {})
    assert "eta 0:05" in text(bar)


@pytest.mark.parametrize(("seconds", "shown"), [(9, "0:09"), (75, "1:15"), (3700, "1:01:40")])
def test_the_time_left_is_read_as_a_clock(clock, seconds, shown):
    bar = plain(2)
    bar.begin(0)
    clock.now += seconds
    bar.write("train", 1, {})
    assert f"eta {shown}" in text(bar)


def test_skipped_steps_are_shown_as_soon_as_there_are_any():
    bar = plain()
    bar.write("train", 1, {**FIGURES, "skipped": 3.0})
    assert "skipped 3" in text(bar)


def test_what_is_said_is_not_taken_for_markup():
    bar = plain()
    bar.say("see [bold]runs[/bold] [/]")
    assert text(bar) == "see [bold]runs[/bold] [/]\n"


def terminal(width):
    return Progress(100, Console(file=io.StringIO(), force_terminal=True, width=width, legacy_windows=False))


def screen(bar):
    """The last drawing of the bar, without escape sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text(bar)).replace("\r", "\n").strip().splitlines()


def test_on_a_terminal_there_is_a_bar_with_rate_losses_and_memory(clock):
    bar = terminal(140)
    bar.begin(0)
    clock.now += 10
    bar.write("train", 20, FIGURES)
    line, below = screen(bar)[-2:]
    assert "20/100" in line
    assert "eta" in line
    assert below == "d/loss 1.235  d/grad_norm 0.5  samples/s 4322  GiB 1.5"
    bar.close()


def test_on_a_narrow_terminal_nothing_is_cut_off(clock):
    bar = terminal(40)
    bar.begin(0)
    bar.write("train", 20, FIGURES)
    bar.close()
    assert all(len(line) <= 40 for line in screen(bar))
    words = " ".join(screen(bar)).split()
    assert {"20/100", "eta", "d/loss", "1.235", "samples/s", "4322", "GiB", "1.5"} <= set(words)


def test_the_bar_is_redrawn_twice_a_second_at_most(clock):
    bar = terminal(100)
    bar.begin(0)
    before = text(bar)
    for step in range(1, 101):
        clock.now += 0.01
        bar.advance(step)
    assert 1 <= (text(bar).count("/100") - before.count("/100")) <= 3
    bar.close()


def test_silence_is_silent(capsys):
    silent = Silent()
    silent.begin(0)
    silent.advance(1)
    silent.say("x")
    silent.write("train", 1, {})
    silent.close()
    assert capsys.readouterr().out == ""
