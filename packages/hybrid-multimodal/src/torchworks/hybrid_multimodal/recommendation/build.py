"""From a configuration to an experiment of recommendation: events, net, task, baselines, and the model to save."""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.data.interactions import TEST, TRAIN, VALID, events_of
from torchworks.hybrid_multimodal.recommendation import comparison
from torchworks.hybrid_multimodal.recommendation.config import FactorConfig, HistoryConfig, RecommendationConfig
from torchworks.hybrid_multimodal.recommendation.predictor import BUILDER, CATALOGUE, USUAL, Recommender, new_net
from torchworks.hybrid_multimodal.recommendation.rows import Divided
from torchworks.hybrid_multimodal.recommendation.task import FactorTask, HistoryTask, Recommendation
from torchworks.shared.config import UserError
from torchworks.shared.data import Field, Loader, LoaderFactory, Schema, TensorDataset, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

EVALUATION_BATCH = 256
SAMPLES = 64
"""Requests that are kept with the model."""


def build(config: RecommendationConfig, device: Device) -> Experiment:
    """A recommender of the items of a source. Raises `UserError` for data without events, or with too few."""
    source = open_source(config.data, config.loader, config.seed)
    divided = Divided.of(*events_of(source))
    net = new_net(described(config), len(divided.catalogue.users), divided.count - 1)
    getattr(net, "start_from", lambda counts: None)(divided.counts())
    loaders = LoaderFactory(config, device, evaluation_batch=EVALUATION_BATCH)
    task, train = _task(config, divided, net, loaders)
    valid, test = (loaders.ordered(_tested(divided, part)) for part in (VALID, TEST))
    beside = Beside(config, divided, task, valid, test)
    return Experiment(
        task=task,
        train=train,
        select=valid,
        test=test,
        sources=(source,),
        models=(_model(config, divided, net, beside),),
        baselines=beside.scores,
    )


def _tested(divided: Divided, part: int) -> TensorDataset:
    rows = divided.tested(part)
    if not len(rows):
        raise UserError(
            f"No user has an event in the {'validation' if part == VALID else 'test'} part. Add events, or choose "
            "another --loader.split."
        )
    return rows


def _task(
    config: RecommendationConfig, divided: Divided, net: nn.Module, loaders: LoaderFactory
) -> tuple[Recommendation, Loader]:
    options: dict[str, Any] = {"count": divided.count, "lr": config.optim.lr, "l2": config.l2}
    if isinstance(config, HistoryConfig):
        return HistoryTask(net, **options), loaders.training(divided.training_rows())
    assert isinstance(config, FactorConfig)
    task = FactorTask(net, seen=divided.matrix(TRAIN).bool(), **options)
    rows = divided.training_rows() if config.loss == "softmax" else divided.training_pairs()
    return task, loaders.training(rows)


def described(config: RecommendationConfig) -> dict[str, Any]:
    """What the net is rebuilt from."""
    method = config.method if isinstance(config, FactorConfig) else "multi-dae"
    return {
        "method": method,
        "embed_dim": config.embed_dim,
        "drop_rate": config.drop_rate,
        "item_bias": isinstance(config, FactorConfig) and config.loss == "softmax",
    }


class Beside:
    """What stands beside the scores of the net: recommenders without training, and the mixture with EASE. `share` is
    the part of EASE in it, 0 if there is none."""

    def __init__(
        self, config: RecommendationConfig, divided: Divided, task: Recommendation, valid: Loader, test: Loader
    ):
        self.config, self.divided, self.task, self.valid, self.test = config, divided, task, valid, test
        self.share = 0.0

    @torch.no_grad()
    def scores(self) -> dict[str, Any]:
        """Scores of the others, the share of EASE that is best of the validation part, and how all was measured."""
        candidates = self.divided.candidates(TEST)
        scorers = comparison.classical(self.divided)
        found: dict[str, Any] = {}
        if getattr(self.config, "blend", False) and "ease" in scorers:
            self.task.model.eval()
            self.share = comparison.best_share(self.task.scores, scorers["ease"], self.valid)
            scorers["blend"] = comparison.mixed(self.task.scores, scorers["ease"], self.share)
            found["blend_share_of_ease"] = self.share
        found |= comparison.compared(scorers, self.test, candidates)
        return found | {"protocol": comparison.protocol(self.divided, candidates)}


# ------------------------------------------------------------------------------------------------------- model


def _model(config: RecommendationConfig, divided: Divided, net: nn.Module, beside: Beside) -> TrainedModel:
    history = divided.histories(TRAIN, VALID, TEST)
    requests = example_requests(divided, history)
    return TrainedModel(
        builder=BUILDER,
        config={**described(config), "longest": history.shape[1]},
        net=Recommender(net, history, divided.counts()),
        complete=lambda: {"share_of_ease": beside.share},
        golden={name: value[:4] for name, value in requests.tensors.items()},
        test=requests,
        inputs={name: name for name in requests.tensors},
        preprocessing={},
        files={CATALOGUE: divided.catalogue.to_json()},
    )


def example_requests(divided: Divided, history: Tensor) -> TensorDataset:
    """What callers may ask, spread over the users: every other row is a stranger who likes the last items of a user,
    every fourth leaves out items, asks for fewer, or wants one genre only."""
    users = torch.nonzero(history.any(1)).flatten()
    users = users[torch.linspace(0, len(users) - 1, min(SAMPLES, len(users))).long()]
    row, few = torch.arange(len(users)), min(5, history.shape[1])
    recent = torch.stack([torch.cat([torch.zeros(few).long(), items[items > 0]])[-few:] for items in history[users]])
    stranger, special = row % 2 == 1, row % 4 > 1
    zeros = torch.zeros_like(recent)
    genres = len(divided.catalogue.genre_names)
    fields = {
        "user": torch.where(stranger, 0, users),
        "items": torch.where(stranger[:, None], recent.flip(1), zeros),
        "exclude": torch.where(special[:, None], recent + (recent == 0), zeros),
        "only": torch.where(special, 1 + row % max(1, genres), 0).clamp(max=genres),
        "k": torch.where(special, 5, USUAL),
    }
    return TensorDataset(fields, Schema(tuple(Field(name, "id", tuple(v.shape[1:])) for name, v in fields.items())))
