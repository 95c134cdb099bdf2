"""A classifier through the command line: killed and resumed, and trained by two processes."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

TRAIN = ["-m", "torchworks.cnn_vision", "train", "classify", "--device", "cpu", "--trainer.log-every", "1"]
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
    for steps in (6, 23):
        resumed = ["--resume", killed] if killed.exists() else [*CLASSIFIER, "--out", killed]
        process = start(*resumed)
        log = killed / "metrics.jsonl"
        while process.poll() is None and (not log.exists() or log.read_text().count('"kind": "train"') < steps):
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
    """A net without batch norm, which would normalise each process's part of the batch by itself."""
    common = ["--model", "convnext_tiny", "--trainer.steps", "4", "--augment", "shift", "--optim.schedule", "constant"]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    finish(start(*common, "--trainer.batch-size", 8, "--out", tmp_path / "two", launcher=torchrun))
    finish(start(*common, "--trainer.batch-size", 16, "--out", tmp_path / "one"))
    two, one = (load_file(tmp_path / name / "model.safetensors") for name in ("two", "one"))
    for name, value in one.items():
        torch.testing.assert_close(
            two[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
