"""Everything that can be wrong is found before the first step."""

import shutil

import pytest
import torch
from torch import nn

from torchworks.shared.config import TrainerConfig, UserError
from torchworks.shared.machine.device import Device
from torchworks.shared.task import Phase, Task
from torchworks.shared.training.trainer import Trainer

BATCHES = [{"x": torch.ones(4, 3)}] * 2


class Wrong(Task):
    """A task whose first step would be noticed."""

    def __init__(self):
        self.model = nn.Linear(3, 1)

    def nets(self):
        return {"model": self.model}

    def optimizer(self, net):
        return torch.optim.SGD(self.model.parameters(), lr=0.1)

    def evaluate(self, batch):
        return {"error": ((self.model(batch["x"]) - 1).sum(), 1)}

    def loss(self, phase, batch):
        raise AssertionError("the first step was taken")


def trainer(task, data=BATCHES, evaluation=None, *, folder=None, **config):
    device = Device(torch.device("cpu"))
    return Trainer(task, data, evaluation, TrainerConfig(**config), folder=folder, device=device)


def wrong(**attributes):
    return type("Wrong", (Wrong,), attributes)()


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (lambda: wrong(phases=(Phase("train", "modle"),)), "a net 'modle'.*Did you mean 'model'"),
        (lambda: wrong(phases=(Phase("a", "model"), Phase("a", "model"))), "the same name"),
        (lambda: wrong(phases=(Phase("a", "model", every=0),)), "`every` and `repeat` of at least 1"),
        (lambda: wrong(phases=(Phase("a", "model", repeat=0),)), "`every` and `repeat` of at least 1"),
        (lambda: wrong(nets=lambda self: {"model": nn.Linear(3, 1)}), "'model' as an attribute"),
        (lambda: wrong(exported=("generator",)), "'generator' as an attribute"),
        (lambda: wrong(nets=lambda self: {"model": self.model.requires_grad_(False)}), "no parameters to train"),
        (lambda: wrong(watch="eror"), "'eror'.*Did you mean 'error'"),
        (lambda: wrong(watch="error", watch_mode="least"), "'min' or 'max'"),
    ],
)
def test_a_task_that_cannot_work_is_found_before_the_first_step(task, message):
    with pytest.raises(UserError, match=message):
        trainer(task(), evaluation=BATCHES).fit()


def test_a_loss_over_the_whole_batch_is_not_accumulated():
    task = wrong(phases=(Phase("train", "model", whole_batch=True),))
    with pytest.raises(UserError, match=r"'train' needs the whole batch at once.*--trainer\.accumulate"):
        trainer(task, accumulate=2)


@pytest.mark.parametrize("layer", [nn.Embedding, nn.EmbeddingBag])
def test_sparse_embeddings_are_refused_by_name(layer):
    def init(self):
        self.model = nn.Sequential(layer(5, 3, sparse=True), nn.Linear(3, 1))

    with pytest.raises(UserError, match=r"embedding '0' of 'model'.*Leave sparse=True out"):
        trainer(wrong(__init__=init))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"log_every": 0}, "--trainer.log-every must be at least 1, but it is 0"),
        ({"accumulate": 0}, "--trainer.accumulate"),
        ({"steps": -1}, "--trainer.steps"),
        ({"eval_every": -5}, "--trainer.eval-every"),
        ({"max_bad_steps": 0}, "--trainer.max-bad-steps"),
        ({"ema": 1.0}, "--trainer.ema must be at least 0 and below 1, but it is 1.0"),
    ],
)
def test_settings_that_make_no_sense_cannot_be_made(config, message):
    with pytest.raises(UserError, match=message):
        TrainerConfig(**config)


def test_empty_data_are_found_before_the_first_step():
    with pytest.raises(UserError, match="training data are empty"):
        trainer(wrong(), []).fit()
    with pytest.raises(UserError, match="evaluation data are empty"):
        trainer(wrong(), evaluation=[]).fit()
    with pytest.raises(UserError, match="training data are empty"):
        trainer(wrong(), iter([]), overfit_one_batch=True)


def test_early_stopping_without_anything_to_evaluate_is_found_before_the_first_step():
    with pytest.raises(UserError, match="patience"):
        trainer(wrong(watch="error"), patience=2).fit()


def test_an_evaluation_that_fails_does_so_before_the_first_step():
    def evaluate(self, batch):
        raise ZeroDivisionError("a mistake in the evaluation")

    with pytest.raises(ZeroDivisionError):
        trainer(wrong(evaluate=evaluate), evaluation=BATCHES).fit()


def test_too_little_room_for_checkpoints_is_found_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1 << 30, (1 << 30) - 100, 100))
    with pytest.raises(UserError, match=f"GiB in {tmp_path}.*are free. Free disk space"):
        trainer(wrong(), folder=tmp_path).fit()
