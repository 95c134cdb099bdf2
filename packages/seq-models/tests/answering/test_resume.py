"""A model that writes answers, through the command line: killed and resumed."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

TRAIN = [
    "-m", "torchworks.seq_models", "train", "answer-generated", "--data", "facts:train=200,test=10",
    "--device", "cpu", "--precision", "fp32", "--trainer.log-every", "1", "--trainer.batch-size", "8",
    "--trainer.steps", "40", "--trainer.eval-every", "15", "--trainer.checkpoint-every", "4", "--trainer.ema", "0.9",
    "--net.depth", "1", "--net.embed-dim", "16", "--net.num-heads", "2", "--net.ff-dim", "24", "--net.drop-rate", "0.1",
    "--vocabulary", "300",
]  # fmt: skip
RESUME = ["-m", "torchworks.seq_models", "train", "--resume"]


def start(*words):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed


@pytest.mark.slow
def test_a_writer_killed_and_resumed_ends_with_the_very_same_weights_and_samples(tmp_path):
    """With dropout, averaged weights, batches by length, and answers written between steps."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(start(*TRAIN, "--out", whole))
    process, log = start(*TRAIN, "--out", killed), killed / "metrics.jsonl"
    while process.poll() is None and (not log.exists() or log.read_text().count('"kind": "train"') < 23):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    finish(start(*RESUME, killed))
    ours, theirs = (load_file(run / "model.safetensors") for run in (killed, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    samples = [(run / "samples" / "sample-00000040.txt").read_text() for run in (killed, whole)]
    assert samples[0] == samples[1]
