"""Properties of molecules: from a configuration to an experiment."""

import dataclasses
import json
from typing import Any

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.molecules import Molecules, molecules_of
from torchworks.hybrid_multimodal.data.scaffolds import PROTOCOLS
from torchworks.hybrid_multimodal.molecules.auxiliary import NAMES, with_descriptors
from torchworks.hybrid_multimodal.molecules.baselines import baselines
from torchworks.hybrid_multimodal.molecules.config import MoleculeConfig
from torchworks.hybrid_multimodal.molecules.predictor import BUILDER, TRAINING, new_net
from torchworks.hybrid_multimodal.molecules.task import Regression
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory, TensorDataset, open_source
from torchworks.shared.data.smiles import WIDTH
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment


def build(config: MoleculeConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without molecules."""
    _check_batch(config)
    source = open_source(config.data, config.loader, config.seed)
    whole, test = molecules_of(source)
    train, valid = whole.held_out(config.valid_fraction, config.seed)
    mean, std = standard(train)
    beside = len(NAMES) if config.auxiliary else 0
    net = new_net(dataclasses.asdict(config.net), len(train.targets) + beside)
    task = Regression(
        net, targets=train.targets, mean=mean, std=std, lr=config.optim.lr, weight_decay=config.weight_decay,
        auxiliary=config.auxiliary,
    )  # fmt: skip
    if valid is None:
        task.watch = None
    loaders = LoaderFactory(config, device)

    def compared() -> dict[str, Any]:
        return {**baselines(whole, test, std), "protocol": protocol(train, valid, test)}

    return Experiment(
        task=task,
        train=loaders.training(with_descriptors(train) if beside else train),
        select=loaders.ordered(valid or train),
        test=loaders.ordered(test),
        sources=(source,),
        models=(_model(config, net, train, test, (mean, std), beside),),
        baselines=compared,
    )


def _check_batch(config: MoleculeConfig) -> None:
    """Raise `UserError` for batches of one molecule: of a single atom, batch normalization knows no variance."""
    settings = config.trainer
    if settings.batch_size < 2 * settings.accumulate:
        raise UserError(
            f"A batch of {settings.batch_size} in {settings.accumulate} parts has fewer than two molecules in each, "
            "and the net compares the atoms of several. Choose a larger --trainer.batch-size."
        )


def standard(train: Molecules) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each target (K,), of the training molecules that have it. Raises `UserError` for a
    target that teaches nothing."""
    target, means, stds = train.tensors["target"], [], []
    for name, column in zip(train.targets, target.T, strict=True):
        values = column[column.isfinite()]
        if len(values) < 2 or not values.std() > 0:
            raise UserError(
                f"'{name}' has {len(values)} numbers in the training part, all alike, so there is nothing to learn. "
                "Choose other columns by --loader.targets."
            )
        means.append(values.mean())
        stds.append(values.std())
    return torch.stack(means), torch.stack(stds)


def protocol(train: Molecules, valid: Molecules | None, test: Molecules) -> str:
    """How scores were made, in one line."""
    held = f"{len(valid)} held out of training by the same rule to select the state" if valid else "none to select by"
    return (
        f"{PROTOCOLS[test.partition]}; {len(train)} molecules for training, {held}, {len(test)} for testing; methods "
        "beside learn from those held out too"
    )


def _model(
    config: MoleculeConfig, net: torch.nn.Module, train: Molecules, test: Molecules, scale: tuple[Tensor, Tensor],
    beside: int,
) -> TrainedModel:  # fmt: skip
    """`scale` is mean and standard deviation of the targets, `beside` how many other numbers the net learns."""
    mean, std = scale
    plain: dict[str, Any] = {
        "net": dataclasses.asdict(config.net), "targets": list(train.targets), "mean": mean.tolist(),
        "std": std.tolist(), "auxiliary": beside, "width": WIDTH,
    }  # fmt: skip
    complete = test.tensors["target"].isfinite().all(1).nonzero()[:, 0]
    measured = test.subset(complete) if len(complete) else test
    kept = {"molecule": measured.tensors["molecule"], "target": measured.tensors["target"]}
    return TrainedModel(
        builder=BUILDER,
        config=plain,
        net=net,
        test=TensorDataset(kept),
        inputs={"molecule": "molecule"},
        targets={"value": "target"} if len(complete) else {},
        preprocessing={},
        files={TRAINING: json.dumps(list(train.smiles)).encode()},
    )
