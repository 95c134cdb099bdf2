"""Trainings in processes of their own, for tests that kill and resume them, or share a training between two."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file

BETWEEN_TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
"""What is put before the words of a command that two processes share."""


def start(*words: object, launcher: Sequence[str] = ()) -> subprocess.Popen:
    """Python with these words, one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen) -> None:
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed


def killed_and_resumed(train: Sequence[str], folder: Path) -> tuple[Path, Path]:
    """Two runs of the command `train`, as in ("-m", "torchworks.gans", "train", …), of 40 steps that are all logged:
    one killed after step 23 and resumed, one whole. Asserts that their weights are the same, bit for bit."""
    whole, killed = folder / "whole", folder / "killed"
    finish(start(*train, "--out", whole))
    process, log = start(*train, "--out", killed), killed / "metrics.jsonl"
    while process.poll() is None and _logged(log) < 23:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert process.stdout is not None
    process.stdout.close()
    finish(start(*train[:3], "--resume", killed))
    ours, theirs = (load_file(run / "model.safetensors") for run in (killed, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    return killed, whole


def _logged(log: Path) -> int:
    """Steps that stand in the log so far."""
    return log.read_text(encoding="utf-8").count('"kind": "train"') if log.exists() else 0
