"""The `speed` recipe: as much accuracy as there is time for, on small images, through the trainer that all recipes use.

What makes it quick, besides the net (`models/airbench.py`): images that live on the device and are augmented there, a
few hundred large steps along a linear schedule, Muon's steps for kernels, large learning rates for biases and the last
layer, label smoothing, and an answer averaged over an image and its mirror image.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.cnn_vision.classification import predictor
from torchworks.cnn_vision.classification.baselines import logistic_regression
from torchworks.cnn_vision.classification.build import augmentations, classes_of, open_loaders
from torchworks.cnn_vision.classification.predictor import ClassifierPredictor
from torchworks.cnn_vision.classification.task import Classification
from torchworks.cnn_vision.config import POSITIVE, SHARE, SpeedConfig, check_ranges
from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.airbench import SMALLEST, AirNet
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Part, ResidentLoader, open_source
from torchworks.shared.machine.device import choose
from torchworks.shared.task import Out
from torchworks.shared.training.evaluation import swapped
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.optim import Muon, adamw, sgd

WHITENING_IMAGES = 1024
BUILDER = "cnn-vision-speed"


class Speed(Classification):
    """Classification with three learning rates; `tta` scores the mean over mirror images, and the biases of an
    `AirNet`'s whitening are trained in the first `whitening_steps` only."""

    watch = None  # the last state is the one to keep: the schedule has come to its end

    def __init__(self, model: nn.Module, num_classes: int, config: SpeedConfig, whitening_steps: float):
        super().__init__(model, num_classes, lr=config.optim.lr, label_smoothing=config.label_smoothing)
        self.config, self.whitening_steps = config, whitening_steps

    def optimizer(self, net: str) -> Optimizer:
        config, groups = self.config, parameter_groups(self.model, self.config)
        if config.optimizer == "adamw":
            return adamw(groups, lr=self.lr)
        if config.optimizer == "sgd":
            return sgd(groups, lr=self.lr, momentum=config.momentum, nesterov=True)
        groups[0] |= {"orthogonal": True, "momentum": config.kernel_momentum}
        return Muon(groups, lr=self.lr, momentum=config.momentum)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        if isinstance(self.model, AirNet):  # and not its data-parallel wrapper, which wants all gradients at every step
            self.model.train_whitening = self.step < self.whitening_steps
        return super().loss(phase, batch)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        if not self.config.tta:
            return super().evaluate(batch)
        with swapped(self, {"model": Mirrored(self.model)}):
            return super().evaluate(batch)


def parameter_groups(net: nn.Module, config: SpeedConfig) -> list[dict[str, Any]]:
    """Kernels of convolutions, matrices and biases, each with its learning rate; biases do not decay."""
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    kernels = [parameter for parameter in trained if parameter.ndim > 2]
    matrices = [parameter for parameter in trained if parameter.ndim == 2]
    biases = [parameter for parameter in trained if parameter.ndim < 2]
    lr, decay = config.optim.lr, config.weight_decay
    return [
        {"params": kernels, "lr": lr, "weight_decay": decay},
        {"params": matrices, "lr": lr if config.head_lr is None else config.head_lr, "weight_decay": decay},
        {"params": biases, "lr": lr if config.bias_lr is None else config.bias_lr, "weight_decay": 0.0},
    ]


class Mirrored(nn.Module):
    """Logits whose softmax is the mean of a net's probabilities for an image and for its mirror image."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        both = torch.stack([self.net(x), self.net(x.flip(-1))])  # (2, N, K)
        return both.float().log_softmax(-1).logsumexp(0)


# ---- predictor -------------------------------------------------------------------------------------------


class MirroredPredictor(ClassifierPredictor):
    """`ClassifierPredictor` with the mean of the probabilities of an image and of its mirror image."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return (super().forward(inputs[0]) + super().forward(inputs[0].flip(-1))) / 2


def build_speed(config: dict[str, Any]) -> ClassifierPredictor:
    """The predictor of a run of `speed`; builder "cnn-vision-speed"."""
    plain = predictor.build_classifier(config)
    kind = MirroredPredictor if config["tta"] else ClassifierPredictor
    options: dict[str, Any] = {"num_classes": len(config["classes"]), "in_channels": config["channels"]}
    net = create_model(config["model"], small_images=True, **options, **config["options"])
    return kind(net, plain.signature, config["mean"], config["std"])


# ---- experiment ------------------------------------------------------------------------------------------


def speed_experiment(config: SpeedConfig) -> Experiment:
    """The net whitened by the training images, and everything on the device."""
    check_numbers(config)
    source = open_source(config.data, config.loader)
    classes = classes_of(source)
    channels, size = source.schema["image"].shape[:2]
    half = [0.5] * channels  # mean and deviation that loaders normalise by
    plain = predictor.classifier_config(config.model, size, channels, classes, True, None, half, half)
    plain |= {"tta": config.tta, "options": {"widths": list(config.widths)} if config.model == "airbench94" else {}}
    whole = build_speed(plain)
    if isinstance(whole.net, AirNet):
        whole.net.whiten(some_images(source.train))

    settings = config.trainer
    device = choose(settings.device, settings.precision, settings.channels_last)
    changes = augmentations(config.augment, size // 2)  # half the usual: few epochs need little change (2 pixels)
    train, test = open_loaders(config, device, source.train, [source.test], changes)
    task = Speed(whole.net, len(classes), config, config.whitening_epochs * train.batches)

    def package_model(folder: Path) -> None:
        whole.net = task.model
        predictor.save(folder, whole, builder=BUILDER, plain=plain, config=config, source=source)

    return Experiment(
        task=task,
        train=train,
        select=test,
        test=test,
        sources=(source,),
        package_model=package_model,
        baselines=lambda: logistic_regression(source.train, source.test),
    )


def some_images(dataset: Dataset) -> Tensor:
    """Images from all over the data set as the net gets them, float (N, C, S, S)."""
    spread = range(0, len(dataset), -(-len(dataset) // WHITENING_IMAGES))
    (batch,) = ResidentLoader(Part(dataset, spread), WHITENING_IMAGES, train=False)
    return batch["image"]


def check_numbers(config: SpeedConfig) -> None:
    """Raise `UserError` for a number that makes no sense."""
    check_ranges(
        config,
        head_lr=POSITIVE,
        bias_lr=POSITIVE,
        momentum=SHARE,
        kernel_momentum=SHARE,
        weight_decay=POSITIVE,
        label_smoothing=SHARE,
        whitening_epochs=POSITIVE,
    )
    if min(config.widths) < 1:
        raise UserError(f"--widths are numbers of channels, each 1 or more, but they are {config.widths}.")
    if config.model == "airbench94" and config.loader.image_size < SMALLEST:
        raise UserError(
            f"airbench94 halves an image three times and needs {SMALLEST} pixels or more, but --loader.image-size is "
            f"{config.loader.image_size}."
        )
    if config.optimizer == "muon" and config.trainer.strategy == "fsdp":
        raise UserError("Muon needs whole kernels, which --strategy fsdp cuts up. Use --optimizer sgd, or ddp.")
