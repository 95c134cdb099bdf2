"""A3C: gradients of workers, one worker beside A2C, what happens when a worker fails or somebody stops the training."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from torchworks.rl.algorithms.a3c import flat_gradient, loss_of_gradient
from torchworks.rl.asynchronous.config import AsynchronousConfig
from torchworks.rl.policies.config import RolloutConfig
from torchworks.shared.config import TrainerConfig, UserError
from torchworks.shared.testing_runs import finish, start

TRAIN = ("-m", "torchworks.rl", "train")
FEW = ("--device", "cpu", "--trainer.eval-every", 0, "--rollout.environments", 4, "--trainer.batch-size", 32)


def test_a_loss_that_is_given_its_gradient_has_it_and_its_value():
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    net(torch.randn(5, 3)).square().sum().backward()
    wanted = {name: p.grad.clone() for name, p in net.named_parameters()}
    found = flat_gradient(net.parameters())
    net.zero_grad()
    loss = loss_of_gradient(net.parameters(), found, torch.tensor(3.5))
    loss.backward()
    assert loss.item() == 3.5
    assert all(torch.equal(p.grad, wanted[name]) for name, p in net.named_parameters())


def test_parameters_without_a_gradient_count_as_zeros():
    net = torch.nn.Linear(2, 1)
    (2 * net.weight).sum().backward()
    assert flat_gradient(net.parameters()).tolist() == [2, 2, 0]


def test_ppo_is_not_learnt_by_workers():
    with pytest.raises(UserError, match="use the recipe ppo"):
        AsynchronousConfig(rollout=RolloutConfig(epochs=1), trainer=TrainerConfig(batch_size=64))


@pytest.mark.slow
def test_one_worker_is_a2c_bit_for_bit(tmp_path: Path):
    """The same number of updates, evaluated never, so that the rates of learning are the same too."""
    common = ("--trainer.steps", 30, *FEW)
    finish(start(*TRAIN, "a2c", *common, "--rollout.steps", 8, "--out", tmp_path / "a2c"))
    finish(start(*TRAIN, "a3c", *common, "--workers", 1, "--out", tmp_path / "a3c"))
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("a3c", "a2c"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


FAILING = """
import multiprocessing
import os
import signal

import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv


class Failing(CartPoleEnv):
    taken = 0

    def step(self, action):
        Failing.taken += 1
        if Failing.taken > 40 and multiprocessing.parent_process():  # in a worker
            {deed}
        return super().step(action)


gymnasium.register("Failing-v0", Failing, max_episode_steps=50)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deed", "words", "code"),
    [
        ('raise ValueError("the pole broke")', "): ValueError: the pole broke. That is a fault of the environment", 2),
        ("os.kill(os.getpid(), signal.SIGKILL)", "of 2: signal 9 ended it.", 1),
    ],
)
def test_a_worker_that_fails_ends_the_command_with_a_paragraph(tmp_path: Path, deed, words, code):
    (tmp_path / "failing.py").write_text(FAILING.format(deed=deed), encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command = [*TRAIN, "a3c", "--data", "failing:Failing-v0", "--trainer.steps", 500, *FEW, "--out", tmp_path / "run"]
    done = subprocess.run(
        [sys.executable, *map(str, command)], env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def children(process: int) -> list[int]:
    """Processes that `process` has started, and those that they have."""
    found = [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return found + [each for child in found for each in children(child)]


def gone(process: int) -> bool:
    """Whether it has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_who_stops_the_training_stops_the_workers_too(tmp_path: Path, number, code):
    """Ctrl-C reaches all processes of a terminal; a kill reaches the first one only, which can do nothing about it."""
    words = ("a3c", "--trainer.steps", 100_000, "--trainer.log-every", 1, *FEW, "--out", tmp_path / "run")
    process = subprocess.Popen(
        [sys.executable, *map(str, (*TRAIN, *words))], env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    log, until = tmp_path / "run" / "metrics.jsonl", time.monotonic() + 200
    while not (log.exists() and log.stat().st_size) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    workers = children(process.pid)
    assert len(workers) >= 2
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=100)
    assert process.returncode == code, said
    assert "Traceback" not in said
    while not all(map(gone, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert all(map(gone, workers))
    if number == signal.SIGINT:
        assert "--resume" in said
