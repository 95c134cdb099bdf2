"""Transfer: a net that was trained on some classes learns others from a few images.

Without `--pretrained`, the recipe first trains the net itself, on other classes of the same data; nothing of these
images or labels is seen again. What comes of it is read against the same net trained from scratch: same images, same
steps, same step size, all layers free.
"""

import dataclasses
from typing import Any

from torchworks.cnn_vision.classification.build import classifier_experiment
from torchworks.cnn_vision.config import ClassifierConfig, TransferConfig
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.shared.config import OptimConfig, UserError
from torchworks.shared.machine.device import choose, seed_everything
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import Progress, Silent
from torchworks.shared.training.trainer import Trainer

PRETRAIN_BATCH = 64


def transfer_experiment(config: TransferConfig) -> Experiment:
    """As `classifier_experiment`, from pretrained weights, with a net trained from scratch as its baseline."""
    check_pretraining(config)
    net = None if config.pretrained else pretrained_net(config)
    if net is not None:
        seed_everything(config.seed)
        net.reset_classifier(len(config.classes))
    experiment = classifier_experiment(config, net)
    pixels = experiment.baselines
    return dataclasses.replace(experiment, baselines=lambda: {**pixels(), **from_scratch(config)})


def check_pretraining(config: TransferConfig) -> None:
    """Raise `UserError` unless there is a net to start from, or classes to train one on."""
    if not config.pretrained and not config.pretrain_classes:
        raise UserError(
            "Transfer starts from a trained net. Name one by --pretrained (imagenet, a file of weights, or the "
            "directory of a run), or classes of the data to train one on first by --pretrain-classes."
        )
    if not config.pretrained and not config.classes:
        raise UserError(
            "--pretrain-classes names classes to train on first, but nothing says which are to be learnt after them. "
            "Name them by --classes."
        )
    both = set(config.pretrain_classes) & set(config.classes)
    if both and not config.pretrained:
        raise UserError(
            f"--pretrain-classes and --classes both name {', '.join(sorted(both))}, so nothing would be transferred to "
            "them. Name different ones."
        )


def pretrained_net(config: TransferConfig) -> Backbone:
    """The net, trained on `pretrain_classes`."""
    net, _ = _trained(
        pretraining(config), f"first the net is trained on the classes {', '.join(config.pretrain_classes)}"
    )
    return net


def pretraining(config: TransferConfig) -> ClassifierConfig:
    """How the net comes to be trained: on all images of the other classes, at once and as a whole."""
    return dataclasses.replace(
        plain(config),
        classes=config.pretrain_classes,
        shots=0,
        freeze="none",
        rate_decay=1.0,
        optim=OptimConfig(lr=config.pretrain_lr, schedule="one-cycle"),
        trainer=dataclasses.replace(config.trainer, steps=config.pretrain_steps, batch_size=PRETRAIN_BATCH),
    )


def from_scratch(config: TransferConfig) -> dict[str, float]:
    """Accuracy on the test images of the same net trained on the same images from new weights."""
    new = dataclasses.replace(plain(config), pretrained="", freeze="none", rate_decay=1.0)
    _, scores = _trained(new, "for comparison the same net is trained from scratch")
    return {"accuracy_from_scratch": scores["accuracy"]}


def plain(config: TransferConfig) -> ClassifierConfig:
    """What of `config` any classifier has."""
    shared: dict[str, Any] = {field.name: getattr(config, field.name) for field in dataclasses.fields(ClassifierConfig)}
    shared["recipe"] = "classify"
    return ClassifierConfig(**shared)


def _trained(config: ClassifierConfig, what: str) -> tuple[Backbone, dict[str, float]]:
    """A net trained without leaving files, and its scores on the test images. Each process does it by itself."""
    seed_everything(config.seed)
    settings = dataclasses.replace(config.trainer, eval_every=0, patience=0)
    device = choose(settings.device, settings.precision, settings.channels_last)
    progress = Progress(settings.steps) if device.rank == 0 else Silent()
    progress.say(what)
    alone = dataclasses.replace(device, rank=0, world=1)
    experiment = classifier_experiment(config, device=alone)
    trainer = Trainer(
        experiment.task, experiment.train, experiment.test, settings,
        optim=config.optim, seed=config.seed, progress=progress, device=alone,
    )  # fmt: skip
    scores = trainer.fit().scores
    net = experiment.task.nets()["model"]
    assert isinstance(net, Backbone)
    return net, scores
