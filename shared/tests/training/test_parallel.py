"""Two processes with half the batch each train like one with the whole, whatever the strategy."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed as dist
from torch import nn

from torchworks.shared.training import checkpoint, parallel
from torchworks.shared.training.metrics import read_lines

HERE = Path(__file__).parent.parent
SHORT = ("--trainer.steps", 15)


def together(launch_two, *words):
    processes = launch_two("train", *words)
    codes = [process.wait() for process in processes]
    assert codes == [0, 0], "\n".join(process.text for process in processes)


def alone(launch, *words):
    process = launch("train", *words)
    assert process.wait() == 0, process.text


def losses(run):
    lines = [line for line in read_lines(run / "metrics.jsonl") if line["kind"] == "train"]
    names = [name for name in lines[0] if name.endswith("/loss")]
    return [[line.get(name, 0.0) for name in names] for line in lines]


def assert_alike(ours, theirs, tolerance):
    """Equal up to `tolerance`, relative to 1."""
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def assert_same_training(ours, theirs, tolerance=2e-6):
    """The same figures all along, and the same weights and moments at the end."""
    assert_alike(torch.tensor(losses(ours)), torch.tensor(losses(theirs)), tolerance)
    (one, _), (other, _) = (checkpoint.newest(run / "checkpoints") for run in (ours, theirs))
    assert (one.step, one.state["samples"]) == (other.step, other.state["samples"])
    assert_alike(one.nets, other.nets, tolerance)
    assert one.state["optimizers"].keys() == other.state["optimizers"].keys()
    for name, state in other.state["optimizers"].items():
        assert_alike(one.state["optimizers"][name]["state"], state["state"], tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("plain", ()),
        ("gan", ()),
        ("gan", ("--trainer.accumulate", 3)),
        ("plain", ("--trainer.strategy", "fsdp")),
        ("game", ("--trainer.strategy", "fsdp", "--trainer.accumulate", 3)),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(map(str, value[1::2])),
)
def test_two_processes_train_like_one_with_the_doubled_batch(launch, launch_two, tmp_path, task, options):
    together(launch_two, task, "--out", tmp_path / "two", "--trainer.batch-size", 16, *SHORT, *options)
    alone(launch, task, "--out", tmp_path / "one", "--trainer.batch-size", 32, *SHORT)
    assert_same_training(tmp_path / "two", tmp_path / "one")
    scores = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "two")]
    for name in ("accuracy", "distance"):
        assert scores[0].get(name) == pytest.approx(scores[1].get(name), abs=1e-4)


def test_processes_whose_parts_weigh_differently_take_the_mean_of_all(launch, launch_two, tmp_path):
    """As with texts of different lengths: `unequal` weighs its losses by an integer that depends on the rows."""
    together(launch_two, "unequal", "--out", tmp_path / "two", "--trainer.batch-size", 16, *SHORT)
    alone(launch, "unequal", "--out", tmp_path / "one", "--trainer.batch-size", 32, *SHORT)
    (one, _), (two, _) = (checkpoint.newest(tmp_path / name / "checkpoints") for name in ("one", "two"))
    assert_alike(two.nets, one.nets, 2e-6)


def test_a_loss_over_the_whole_batch_has_the_gradient_of_one_process_with_all_rows(launch, launch_two, tmp_path):
    together(launch_two, "contrast", "--out", tmp_path / "two", "--trainer.batch-size", 16, *SHORT)
    alone(launch, "contrast", "--out", tmp_path / "one", "--trainer.batch-size", 32, *SHORT)
    assert_same_training(tmp_path / "two", tmp_path / "one", tolerance=5e-6)


@pytest.mark.slow
def test_a_sharded_checkpoint_goes_on_in_one_process_and_back(launch, launch_two, tmp_path):
    run, sharded = tmp_path / "run", ("--trainer.strategy", "fsdp", "--trainer.batch-size", 16)
    together(launch_two, "game", "--out", run, *sharded, "--trainer.steps", 8)
    saved = checkpoint.load(checkpoint.path_of(run / "checkpoints", 8))
    assert saved.nets.keys() == {"generator", "generator.ema", "discriminator"}
    assert set(saved.nets["generator"]) == {"0.weight", "0.bias", "2.weight", "2.bias"}

    alone(launch, "game", "--resume", run, "--trainer.steps", 12)
    together(launch_two, "game", "--resume", run, "--trainer.steps", 16)
    assert json.loads((run / "result.json").read_text())["steps"] == 16


@pytest.mark.parametrize("task", ["windows", "buckets"])
def test_texts_go_on_in_two_processes_with_the_very_same_batches(launch, launch_two, tmp_path, task):
    """Stopped after 20 of 40 steps, in the middle of an epoch; in one process with the double batch the same."""
    options = ("--trainer.batch-size", 16, "--optim.schedule", "constant")
    together(launch_two, task, "--out", tmp_path / "whole", *options, "--trainer.steps", 40)
    together(launch_two, task, "--out", tmp_path / "parts", *options, "--trainer.steps", 20)
    together(launch_two, task, "--resume", tmp_path / "parts", "--trainer.steps", 40)
    alone(launch, task, "--out", tmp_path / "one", "--optim.schedule", "constant", "--trainer.steps", 40)
    whole, parts, one = (checkpoint.newest(tmp_path / name / "checkpoints")[0] for name in ("whole", "parts", "one"))
    assert whole.step == parts.step == one.step == 40
    assert_alike(parts.nets, whole.nets, 0)
    assert_alike(one.nets, whole.nets, 5e-5)


def test_a_signal_to_one_process_stops_both_and_the_run_goes_on(launch_two, launch, tmp_path):
    run = tmp_path / "run"
    processes = launch_two("train", "plain", "--out", run, "--trainer.batch-size", 16, "--slow", 0.02)
    processes[0].until("step 10/60")
    processes[1].send(signal.SIGTERM)
    assert [process.wait() for process in processes] == [143, 143]
    assert max(checkpoint.steps(run / "checkpoints")) % 10 == 0

    together(launch_two, "plain", "--resume", run)
    alone(launch, "plain", "--out", tmp_path / "one", "--trainer.batch-size", 32)
    (one, _), (two, _) = (checkpoint.newest(folder / "checkpoints") for folder in (tmp_path / "one", run))
    assert_alike(two.nets, one.nets, 5e-6)


@pytest.mark.slow
def test_torchrun_starts_it(launch, tmp_path, toy_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = ["train", "plain", "--out", tmp_path / "two", "--trainer.batch-size", "16", *map(str, SHORT)]
    environment = {**os.environ, "PYTHONPATH": toy_path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, HERE / "toy_recipes.py", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(f"run {tmp_path / 'two'}") == 1, "only the first process talks"
    assert done.stdout.splitlines()[-1] == str(tmp_path / "two")
    alone(launch, "plain", "--out", tmp_path / "one", "--trainer.batch-size", 32, *SHORT)
    assert_same_training(tmp_path / "two", tmp_path / "one")


def test_blocks_within_blocks_are_sharded_too():
    """In one process of a group of one: sharding must go from the inside out."""
    net = nn.Sequential(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.ModuleList([nn.Linear(4, 4)])[0], nn.Linear(4, 2))
    x = torch.randn(3, 4)
    expected, whole = net(x), net.state_dict()
    whole = {name: value.clone() for name, value in whole.items()}
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        sharded = parallel.shard(net)
        torch.testing.assert_close(sharded(x), expected)
        assert parallel.net_state(sharded).keys() == whole.keys()
        assert all(torch.equal(value, whole[name]) for name, value in parallel.net_state(sharded).items())
    finally:
        dist.destroy_process_group()
