"""A classifier through the command line: killed and resumed, and trained by two processes."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from torchworks.cnn_vision import create_model
from torchworks.shared.training.metrics import read_lines

TRAIN = [
    "-m", "torchworks.cnn_vision", "train", "classify",
    "--device", "cpu", "--precision", "fp32", "--trainer.log-every", "1",
]  # fmt: skip
CLASSIFIER = [
    "--model", "resnet20", "--shots", "20", "--augment", "shift", "affine", "randaugment", "--mixing", "cutmix",
    "--valid-fraction", "0.2", "--trainer.batch-size", "16", "--trainer.steps", "40",
    "--trainer.eval-every", "15", "--trainer.checkpoint-every", "4",
]  # fmt: skip


def start(*words, launcher=()):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, *TRAIN, *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed


@pytest.mark.slow
def test_a_classifier_killed_and_resumed_ends_with_the_very_same_weights(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(start(*CLASSIFIER, "--out", whole))
    process, log = start(*CLASSIFIER, "--out", killed), killed / "metrics.jsonl"
    while process.poll() is None and (not log.exists() or log.read_text().count('"kind": "train"') < 23):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    finish(start("--resume", killed))
    ours, theirs = (load_file(run / "model.safetensors") for run in (killed, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.slow
def test_two_processes_train_a_classifier_like_one_with_the_doubled_batch(tmp_path):
    """A net without batch norm, which would normalise each process's part of the batch by itself. Adam divides
    gradients by their size, so weights whose gradients are next to nothing may differ by more than rounding."""
    common = [
        "--model", "vit_b_16", "--trainer.steps", "6", "--trainer.ema", "0", "--augment", "shift",
        "--loader.image-size", "8", "--optim.schedule", "constant", "--optim.lr", "1e-3",
    ]  # fmt: skip
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    finish(start(*common, "--trainer.batch-size", 8, "--out", tmp_path / "two", launcher=torchrun))
    finish(start(*common, "--trainer.batch-size", 16, "--out", tmp_path / "one"))
    one, two = (read_lines(tmp_path / name / "metrics.jsonl") for name in ("one", "two"))
    losses, theirs = ([line["train/loss"] for line in lines if line["kind"] == "train"] for lines in (one, two))
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert losses == pytest.approx(theirs, rel=1e-5)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    moved, apart = (torch.cat([value.flatten() for value in values]).norm() for values in (
        [one[name] - value for name, value in untrained().items()], [one[name] - two[name] for name in one],
    ))  # fmt: skip
    assert apart < 1e-3 * moved


def untrained():
    torch.manual_seed(0)
    return create_model("vit_b_16", num_classes=10, in_channels=1, small_images=True).state_dict()
