"""The learning-rate finder suggests a rate that trains; the profile is a table by phase and a trace that opens."""

import json

import pytest
import torch
from torch import nn

from torchworks.shared.config import TrainerConfig
from torchworks.shared.machine.device import Device
from torchworks.shared.task import Out, Phase, Task
from torchworks.shared.training.guard import TrainingFailed
from torchworks.shared.training.lr_finder import find_lr
from torchworks.shared.training.progress import Silent
from torchworks.shared.training.trainer import Trainer

CPU = Device(torch.device("cpu"))


class Quadratic(Task):
    """f(w) = ½ w·A w with largest curvature 4: gradient descent converges below a rate of 0.5 and diverges above."""

    def __init__(self, lr=0.01):
        self.model, self.lr = nn.Linear(5, 1, bias=False), lr
        nn.init.constant_(self.model.weight, 3.0)
        self.curvature = torch.tensor([4.0, 2.0, 1.0, 0.5, 0.25])

    def nets(self):
        return {"model": self.model}

    def optimizer(self, net):
        return torch.optim.SGD(self.model.parameters(), lr=self.lr)

    def loss(self, phase, batch):
        return Out(0.5 * (self.curvature * self.model.weight.square()).sum())


BATCHES = [{"x": torch.zeros(4, 1)}]


def trainer(task, data=BATCHES, progress=None, folder=None, **config):
    settings = TrainerConfig(**{"steps": 100, "log_every": 1, "max_bad_steps": 1, **config})
    return Trainer(task, data, config=settings, device=CPU, progress=progress, folder=folder)


# ---- the learning-rate finder ------------------------------------------------------------------------------


def test_on_a_quadratic_it_finds_a_rate_that_converges_and_where_it_diverges(tmp_path):
    found = find_lr(trainer(Quadratic()), tmp_path / "lr.png")
    assert 0.05 <= found["suggested_lr"] < 0.5
    assert 0.5 <= found["too_fast_from"] < 10
    task = Quadratic(found["suggested_lr"])
    start = task.loss("train", {}).loss.item()
    trainer(task, steps=50).fit()
    assert task.loss("train", {}).loss.item() < start / 20


def test_a_sweep_that_never_gets_too_fast_claims_no_limit(tmp_path):
    found = find_lr(trainer(Quadratic(1e-4)), tmp_path / "lr.png")
    assert found.keys() == {"suggested_lr"}
    assert 0.005 <= found["suggested_lr"] < 0.5


def test_on_a_classifier_it_finds_a_rate_that_learns(toy, tmp_path):
    torch.manual_seed(0)
    task = toy.Classifier()
    found = find_lr(trainer(task, toy.Rows(32)), tmp_path / "lr.png")
    assert 0.005 <= found["suggested_lr"] <= 0.5

    class Learner(toy.Classifier):
        def optimizer(self, net):
            return torch.optim.SGD(self.model.parameters(), lr=found["suggested_lr"], momentum=0.9)

    torch.manual_seed(0)
    loader = toy.Rows(32)
    result = Trainer(Learner(), loader, loader, TrainerConfig(steps=150), device=CPU).fit()
    assert result.scores["accuracy"] > 0.95


def test_of_two_players_it_says_where_the_first_leaves_its_range(toy, tmp_path):
    torch.manual_seed(0)
    found = find_lr(trainer(toy.Gan(), toy.Rows(32)), tmp_path / "lr.png")
    assert 3e-4 <= found["suggested_lr"] <= 0.05
    assert found["suggested_lr"] < found["too_fast_from"]


def test_it_draws_what_it_saw(tmp_path):
    find_lr(trainer(Quadratic()), tmp_path / "lr.png")
    assert (tmp_path / "lr.png").read_bytes().startswith(b"\x89PNG")


def test_a_loss_that_is_never_finite_is_not_given_a_rate(tmp_path):
    class Broken(Quadratic):
        def loss(self, phase, batch):
            return Out(super().loss(phase, batch).loss * float("nan"))

    with pytest.raises(TrainingFailed, match="not finite"):
        find_lr(trainer(Broken()), tmp_path / "lr.png")


# ---- the profile -------------------------------------------------------------------------------------------


class Told(Silent):
    def __init__(self):
        self.text = []
        self.say = self.text.append


class TwoPhases(Quadratic):
    phases = (Phase("often", "model"), Phase("rarely", "model", every=5))


def test_a_profile_is_a_table_by_phase_and_a_trace(tmp_path):
    told = Told()
    trainer(TwoPhases(), steps=30, profile=True, folder=tmp_path, progress=told).fit()
    table = (tmp_path / "profile" / "table.txt").read_text()
    assert told.text == [table]
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()[1:3]}
    assert {name: row[0] for name, row in rows.items()} == {"often": "10", "rarely": "2"}
    assert all(float(milliseconds) > 0 for milliseconds in (rows["often"][1], rows["rarely"][1]))

    trace = json.loads((tmp_path / "profile" / "trace.json").read_text())
    names = [event.get("name") for event in trace["traceEvents"]]
    assert names.count("phase often") == 10


def test_a_training_too_short_to_profile_says_so():
    told = Told()
    trainer(Quadratic(), steps=5, profile=True, progress=told).fit()
    assert told.text == ["The training ended before step 20, so there is no profile."]


def test_profiling_changes_no_weight():
    plain, profiled = Quadratic(), Quadratic()
    trainer(plain, steps=25).fit()
    trainer(profiled, steps=25, profile=True).fit()
    assert torch.equal(plain.model.weight, profiled.model.weight)
