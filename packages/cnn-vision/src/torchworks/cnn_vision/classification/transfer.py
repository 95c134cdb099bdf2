"""Transfer learning: a net that was trained on some classes learns others from a few images.

Without `--pretrained`, the recipe first trains the net itself, on other classes of the same data, whose images and
labels are not used again. The baseline is the same net trained from scratch: same images, same steps, same learning
rate, all layers trained.
"""

import dataclasses
from typing import Any

from torchworks.cnn_vision.classification.build import build as build_classifier
from torchworks.cnn_vision.classification.config import ClassifierConfig, TransferConfig
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.shared.config import OptimConfig, UserError
from torchworks.shared.machine.device import Device, seed_everything
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import Progress, Silent
from torchworks.shared.training.trainer import Trainer

PRETRAIN_BATCH = 64


def build(config: TransferConfig, device: Device) -> Experiment:
    """As for a classifier, from pretrained weights, with a net trained from scratch as another baseline."""
    check_pretraining(config)
    net = None if config.pretrained else pretrained_net(config, device)
    if net is not None:
        seed_everything(config.seed)
        net.reset_classifier(len(config.classes))
    experiment = build_classifier(config, device, net)
    pixels = experiment.baselines
    return dataclasses.replace(experiment, baselines=lambda: {**pixels(), **from_scratch(config, device)})


def check_pretraining(config: TransferConfig) -> None:
    """Raise `UserError` unless there is a net to start from, or classes to train one on."""
    if not config.pretrained and not config.pretrain_classes:
        raise UserError(
            "Transfer learning starts from a pretrained model. Set --pretrained (imagenet, a file of weights, or the "
            "directory of a run), or --pretrain-classes to train one on other classes of the data first."
        )
    if not config.pretrained and not config.classes:
        raise UserError(
            "--pretrain-classes names the classes to train on first, but --classes, those to learn after them, is "
            "missing. Set it."
        )
    both = set(config.pretrain_classes) & set(config.classes)
    if both and not config.pretrained:
        raise UserError(
            f"--pretrain-classes and --classes both name {', '.join(sorted(both))}, so these classes would not be "
            "new. Name different ones."
        )


def pretrained_net(config: TransferConfig, device: Device) -> Backbone:
    """The net, trained on `pretrain_classes`."""
    text = f"first the net is trained on the classes {', '.join(config.pretrain_classes)}"
    net, _ = _trained(pretraining(config), device, text)
    return net


def pretraining(config: TransferConfig) -> ClassifierConfig:
    """The configuration that trains the net first: on all images of the other classes, all layers at once."""
    return dataclasses.replace(
        plain(config),
        classes=config.pretrain_classes,
        shots=0,
        freeze="none",
        rate_decay=1.0,
        optim=OptimConfig(lr=config.pretrain_lr, schedule="one-cycle"),
        trainer=dataclasses.replace(config.trainer, steps=config.pretrain_steps, batch_size=PRETRAIN_BATCH),
    )


def from_scratch(config: TransferConfig, device: Device) -> dict[str, float]:
    """Accuracy on the test images of the same net trained on the same images from new weights."""
    new = dataclasses.replace(plain(config), pretrained="", freeze="none", rate_decay=1.0)
    _, scores = _trained(new, device, "for comparison the same net is trained from scratch")
    return {"accuracy_from_scratch": scores["accuracy"]}


def plain(config: TransferConfig) -> ClassifierConfig:
    """The fields of `config` that any classifier has."""
    shared: dict[str, Any] = {field.name: getattr(config, field.name) for field in dataclasses.fields(ClassifierConfig)}
    shared["recipe"] = "classify"
    return ClassifierConfig(**shared)


def _trained(config: ClassifierConfig, device: Device, what: str) -> tuple[Backbone, dict[str, float]]:
    """A net trained without leaving files, and its scores on the test images. Each process does it by itself."""
    seed_everything(config.seed)
    settings = dataclasses.replace(config.trainer, eval_every=0, patience=0)
    progress = Progress(settings.steps) if device.rank == 0 else Silent()
    progress.say(what)
    alone = dataclasses.replace(device, rank=0, world=1)
    experiment = build_classifier(config, alone)
    trainer = Trainer(
        experiment.task, experiment.train, experiment.test, settings,
        optim=config.optim, seed=config.seed, progress=progress, device=alone,
    )  # fmt: skip
    scores = trainer.fit().scores
    net = experiment.task.nets()["model"]
    assert isinstance(net, Backbone)
    return net, scores
