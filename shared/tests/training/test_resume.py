"""A training that is stopped anywhere, by force or by request, and resumed ends with the very same weights."""

import json
import random
import shutil
import signal
import time

import pytest
import torch

from torchworks.shared.training import checkpoint
from torchworks.shared.training.metrics import read_lines

STARTED = "steps, run"  # printed once the run directory is there


def ending(run):
    """All that a finished run is: its exported weights, and the nets, optimizers and scores of its last state."""
    last, problems = checkpoint.newest(run / "checkpoints")
    assert last is not None
    assert not problems
    figures = json.loads((run / "result.json").read_text())
    scores = {name: figures.get(name) for name in ("accuracy", "distance", "steps", "best_step", "findings")}
    state = {name: last.state[name] for name in ("optimizers", "guard", "ema", "task", "position", "samples", "rng")}
    weights = (run / "model.safetensors").read_bytes()
    return {"step": last.step, "scores": scores, "weights": weights, "nets": last.nets, "state": state}


def assert_same(ours, theirs, place=""):
    """Equal, bit for bit."""
    assert type(ours) is type(theirs), place
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), place
        for key in ours:
            assert_same(ours[key], theirs[key], f"{place}/{key}")
    elif isinstance(ours, (list, tuple)):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            assert_same(*pair, f"{place}/{number}")
    else:
        assert torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) else ours == theirs, place


def train(launch, task, run, *options, **environment):
    """Start `run`, or continue it if it has been started."""
    where = "--resume" if (run / "config.json").exists() else "--out"
    return launch("train", task, where, run, *options, **environment)


def reference(launch, task, tmp_path, *options):
    """What an uninterrupted run ends with."""
    running = train(launch, task, tmp_path / "reference", *options)
    assert running.wait() == 0, running.text
    return ending(tmp_path / "reference")


def newest_step(run):
    return max(checkpoint.steps(run / "checkpoints"), default=0)


# ---- killed ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("task", "wait"), [("classifier", 0.02), ("gan", 0.01)])
def test_ten_kills_at_random_moments_change_nothing(launch, tmp_path, task, wait):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"kills drawn with seed {seed}")
    moments, run, reached = random.Random(seed), tmp_path / "run", []
    options = ("--trainer.steps", 200, "--trainer.checkpoint-every", 3, "--slow", wait)
    for _ in range(10):
        running = train(launch, task, run, *(() if reached else options))
        running.until(STARTED)
        time.sleep(moments.uniform(0, 0.45))
        running.process.kill()
        assert running.wait() == -signal.SIGKILL, running.text
        reached.append(newest_step(run))
    assert len(set(reached)) > 2, f"the kills came too early to mean anything: {reached}"

    running = train(launch, task, run)
    assert running.wait() == 0, running.text
    assert_same(ending(run), reference(launch, task, tmp_path, "--trainer.steps", 200))


def test_a_kill_at_any_point_of_writing_a_checkpoint_loses_nothing(launch, tmp_path):
    """A checkpoint takes ten operations on the file system: syncs, renames, deletions."""
    run, reached = tmp_path / "run", []
    for operation in (2, 7, 9, 10, 12, 14, 18, 19, 20, 22):
        running = train(launch, "gan", run, TOY_FAULT=f"kill {operation}")
        assert running.wait() == -signal.SIGKILL, running.text
        reached.append(newest_step(run))
    assert reached == sorted(reached)
    assert len(set(reached)) > 3, reached

    running = train(launch, "gan", run)
    assert running.wait() == 0, running.text
    left = [path.name for path in (run / "checkpoints").iterdir() if not path.name.startswith("step-")]
    assert left == [], "what the killed writers left is not cleared away"
    assert_same(ending(run), reference(launch, "gan", tmp_path))


def test_rolling_back_is_part_of_what_a_resume_repeats(launch, tmp_path):
    expected = reference(launch, "shaken", tmp_path)
    assert [finding["step"] for finding in expected["scores"]["findings"]] == [30, 45]
    run = tmp_path / "run"
    for step in (33, 47):  # between a roll-back and the next checkpoint
        running = train(launch, "shaken", run, "--slow", "0.02") if step == 33 else train(launch, "shaken", run)
        running.until("rolled back" if step == 33 else "step 45")
        running.process.kill()
        running.wait()
    running = train(launch, "shaken", run)
    assert running.wait() == 0, running.text
    assert_same(ending(run), expected)


@pytest.mark.parametrize("task", ["windows", "mapped", "buckets", "ids", "contrast", "texts"])
def test_data_of_any_kind_go_on_in_the_middle_of_an_epoch(launch, tmp_path, task):
    """Killed while the state of step 14 or 21 is written; an epoch has 13 batches of windows, 9 of buckets, 3 of ids, 7
    of texts."""
    run = tmp_path / "run"
    assert train(launch, task, run, TOY_FAULT="kill 24").wait() == -signal.SIGKILL
    assert newest_step(run) in (14, 20, 21)
    running = train(launch, task, run)
    assert running.wait() == 0, running.text
    assert_same(ending(run), reference(launch, task, tmp_path))


def test_a_text_in_memory_and_in_a_mapped_file_train_the_same_weights(launch, tmp_path):
    for task in ("windows", "mapped"):
        running = train(launch, task, tmp_path / task)
        assert running.wait() == 0, running.text
    assert_same(ending(tmp_path / "windows"), ending(tmp_path / "mapped"))


# ---- asked to stop -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_state_and_tells_how_to_continue(launch, tmp_path, signum, code):
    run = tmp_path / "run"
    running = train(launch, "gan", run, "--slow", "0.02", "--trainer.checkpoint-every", "0")
    running.until("step 25/60")
    running.send(signum)
    assert running.wait() == code, running.text
    assert newest_step(run) >= 25
    assert f"Continue with `train --resume {run}`" in " ".join(running.text.split())

    running = train(launch, "gan", run)
    assert running.wait() == 0, running.text
    assert_same(ending(run), reference(launch, "gan", tmp_path))


@pytest.mark.slow
def test_a_signal_is_heard_during_an_evaluation(launch, tmp_path):
    """The classifier's evaluation draws from the global generator; what is saved then must not show it."""
    run, short = tmp_path / "run", ("--trainer.steps", 6, "--trainer.eval-every", 3, "--trainer.log-every", 1)
    running = train(launch, "classifier", run, "--slow", 0.3, *short)
    running.until("step 3/6")
    time.sleep(0.2)  # the evaluation of step 3 takes 0.9 s
    running.send(signal.SIGTERM)
    assert running.wait() == 143, running.text
    saved, _ = checkpoint.newest(run / "checkpoints")
    assert (saved.step, saved.state["evaluated"]) == (3, 0)

    running = train(launch, "classifier", run)
    assert running.wait() == 0, running.text
    assert [line["step"] for line in read_lines(run / "metrics.jsonl") if line["kind"] == "eval"] == [3, 6]
    assert_same(ending(run), reference(launch, "classifier", tmp_path, *short))


def test_a_second_signal_ends_it_at_once(launch, tmp_path):
    running = train(launch, "plain", tmp_path / "run", "--slow", "12")  # seconds of a batch, the first before it begins
    running.until(STARTED)
    time.sleep(0.5)
    running.send(signal.SIGTERM)
    time.sleep(0.5)
    assert running.process.is_alive(), "the first signal lets the step come to its end"
    before = time.monotonic()
    running.send(signal.SIGTERM)
    assert running.wait() == 143
    assert time.monotonic() - before < 8


# ---- damaged -----------------------------------------------------------------------------------------------


def stopped(launch, task, run):
    """A run that was stopped after step 20, with several checkpoints."""
    running = train(launch, task, run, "--slow", 0.02)
    running.until("step 25/60")
    running.send(signal.SIGTERM)
    assert running.wait() == 143
    return run


def test_a_truncated_newest_checkpoint_is_passed_over_and_named(launch, tmp_path):
    run = stopped(launch, "classifier", tmp_path / "run")
    newest = checkpoint.path_of(run / "checkpoints", newest_step(run)) / "state.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    running = train(launch, "classifier", run)
    assert running.wait() == 0, running.text
    assert f"skipped a damaged checkpoint: {newest.parent.name}/state.pt has" in running.text
    assert_same(ending(run), reference(launch, "classifier", tmp_path))


def test_with_every_checkpoint_damaged_nothing_is_started_over_in_silence(launch, tmp_path):
    run = stopped(launch, "plain", tmp_path / "run")
    for path in (run / "checkpoints").glob("step-*/model.safetensors"):
        path.write_bytes(b"x" + path.read_bytes()[1:])
    before = (run / "metrics.jsonl").read_bytes()
    running = train(launch, "plain", run)
    assert running.wait() == 2
    text = " ".join(running.text.split())
    assert "No checkpoint in" in text
    assert "SHA-256 differs" in text
    assert (run / "metrics.jsonl").read_bytes() == before


def test_without_its_best_checkpoint_a_run_still_ends(launch, tmp_path):
    run = stopped(launch, "classifier", tmp_path / "run")
    shutil.rmtree(checkpoint.path_of(run / "checkpoints", 20))
    running = train(launch, "classifier", run)
    assert running.wait() == 0, running.text
    assert (run / "result.json").exists()
