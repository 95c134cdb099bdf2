"""Scores of an evaluation: sums over all rows, torchmetrics, averaged nets, and nothing changed by it."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import BinaryAccuracy

from torchworks.shared.config import TrainerConfig
from torchworks.shared.machine.device import Device
from torchworks.shared.task import Task
from torchworks.shared.training.trainer import Trainer

CPU = Device(torch.device("cpu"))
UNEQUAL = [{"x": torch.full((n, 1), float(n))} for n in (1, 2, 5)]


class Scored(Task):
    """Evaluated by whatever `evaluate` it is given."""

    def __init__(self, evaluate):
        self.model, self.given = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1), nn.Dropout(0.5)), evaluate

    def nets(self):
        return {"model": self.model}

    def optimizer(self, net):
        return torch.optim.SGD(self.model.parameters(), lr=0.1)

    def evaluate(self, batch):
        return self.given(self, batch)


def scores(evaluate, batches=UNEQUAL, **config):
    task = evaluate if isinstance(evaluate, Task) else Scored(evaluate)
    return Trainer(task, [], batches, TrainerConfig(**config), device=CPU).score(batches)


def test_a_pair_of_sum_and_count_is_a_mean_over_rows_and_not_over_batches():
    assert scores(lambda task, batch: {"mean": (batch["x"].sum(), len(batch["x"]))}) == {"mean": 30 / 8}
    assert scores(lambda task, batch: {"mean": (float(batch["x"].sum()), len(batch["x"]))}) == {"mean": 30 / 8}


def test_a_metric_gives_its_own_figure_and_is_empty_again_for_the_next_evaluation():
    metric = MeanMetric()

    def evaluate(task, batch):
        metric.update(batch["x"])
        return {"mean": metric}

    task = Scored(evaluate)
    assert scores(task) == scores(task) == {"mean": 30 / 8}


def test_a_metric_may_give_several_scores():
    metric = MetricCollection({"accuracy": BinaryAccuracy()})

    def evaluate(task, batch):
        metric.update(batch["x"].flatten() / 6, (batch["x"].flatten() > 1).int())
        return {"all": metric}

    assert scores(evaluate) == {"accuracy": pytest.approx(6 / 8)}


def test_a_metric_is_emptied_even_if_the_evaluation_fails():
    metric = MeanMetric()

    def evaluate(task, batch):
        metric.update(batch["x"])
        if len(batch["x"]) == 5:
            raise ZeroDivisionError
        return {"mean": metric}

    with pytest.raises(ZeroDivisionError):
        scores(evaluate)
    assert metric.update_count == 0


def test_what_all_batches_need_is_made_once_before_each_pass():
    class Prepared(Scored):
        passes = 0

        def begin_evaluation(self):
            assert not self.model.training
            assert not torch.is_grad_enabled()
            self.passes += 1

    task = Prepared(lambda task, batch: {"passes": (task.passes, 1)})
    assert scores(task) == {"passes": 1.0}
    assert scores(task) == {"passes": 2.0}


def test_a_metric_of_the_task_is_moved_to_the_device():
    class Moved(MeanMetric):
        place = None

        def to(self, device):
            self.place = device
            return self

    task = Scored(lambda task, batch: {"x": (batch["x"].sum(), 1)})
    task.metric = Moved()
    scores(task)
    assert task.metric.place == CPU.device


def test_noise_is_the_same_at_each_evaluation():
    def evaluate(task, batch):
        return {"noise": (task.random.normal(len(batch["x"])).sum(), 1)}

    task = Scored(evaluate)
    assert scores(task) == scores(task)


def test_evaluating_leaves_modes_gradients_and_generators_as_they_were():
    def evaluate(task, batch):
        assert not task.model.training
        assert not torch.is_grad_enabled()
        noise = torch.rand(()) + random.random() + np.random.rand()
        return {"x": (task.model(batch["x"]).sum() + noise, 1)}

    task = Scored(evaluate)
    task.model.train()
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    expected = [torch.rand(()).item(), random.random(), np.random.rand()]
    torch.manual_seed(1), random.seed(1), np.random.seed(1)
    scores(task)
    assert [torch.rand(()).item(), random.random(), np.random.rand()] == expected
    assert task.model.training
    assert all(torch.equal(value, before[name]) for name, value in task.model.state_dict().items())


def test_the_averaged_net_is_the_one_evaluated_and_the_trained_one_comes_back():
    seen = []
    task = Scored(lambda task, batch: seen.append(task.model) or {})
    model = task.model
    scores(task, ema=0.9)
    assert all(net is not model for net in seen)
    assert task.model is model
