"""The recipe `speed`: the highest accuracy on small images in little time, through the trainer that all recipes use.

Why it is fast, besides the net (`models/airbench.py`): images that live on the device and are augmented there, a few
hundred large steps along a linear schedule, Muon's steps for kernels, large learning rates for biases and the last
layer, label smoothing, and predictions averaged over an image and its mirror image.
"""

from dataclasses import replace

from torch import Tensor

from torchworks.cnn_vision.classification.build import classes_of, trained_model
from torchworks.cnn_vision.classification.predictor import build_classifier, classifier_config
from torchworks.cnn_vision.data.augmentations import augmentations
from torchworks.cnn_vision.data.loading import open_loaders
from torchworks.cnn_vision.models.airbench import SMALLEST, AirNet
from torchworks.cnn_vision.speedrun.config import SpeedConfig
from torchworks.cnn_vision.speedrun.predictor import new_net
from torchworks.cnn_vision.speedrun.task import Speed
from torchworks.shared.classification.baselines import logistic_regression
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Part, ResidentLoader, open_source
from torchworks.shared.data.learnable import check_learnable, unscored
from torchworks.shared.machine.device import Device
from torchworks.shared.training.experiment import Experiment

AIRBENCH = "airbench94"
WHITENING_IMAGES = 1024


def build(config: SpeedConfig, device: Device) -> Experiment:
    """The net is whitened by the training images."""
    check_size(config)
    source = open_source(config.data, config.loader)
    classes = classes_of(source)
    check_learnable(source.train, source.name, "label")
    channels, size = source.schema["image"].shape[:2]
    half = [0.5] * channels  # mean and deviation that loaders normalize by
    plain = classifier_config(config.model, size, channels, classes, True, None, half, half)
    plain |= {"tta": config.tta, "options": {"widths": list(config.widths)} if config.model == AIRBENCH else {}}
    build_classifier(plain)  # dropped: its random numbers come first, so that a seed gives the weights it always gave
    net = new_net(plain)
    if isinstance(net, AirNet):
        net.whiten(some_images(source.train))
    changes = augmentations(config.augment, size // 2)  # half the usual: few epochs need little change (2 pixels)
    train, test = open_loaders(config, device, source.train, [source.test], changes)
    task = Speed(net, len(classes), config, config.whitening_epochs * train.batches)
    return Experiment(
        task=task,
        train=train,
        select=test,
        test=test,
        sources=(replace(source, notes=(*source.notes, *unscored([source.test], "label"))),),
        models=(trained_model("cnn-vision-speed", plain, task, source.test),),
        baselines=lambda: logistic_regression(source.train, source.test),
    )


def check_size(config: SpeedConfig) -> None:
    """Raise `UserError` for images that are too small for the net."""
    if config.model == AIRBENCH and config.loader.image_size < SMALLEST:
        raise UserError(
            f"{AIRBENCH} halves an image three times and needs {SMALLEST} pixels or more, but --loader.image-size is "
            f"{config.loader.image_size}."
        )


def some_images(dataset: Dataset) -> Tensor:
    """Images from all over the data set as the net gets them, float (N, C, S, S)."""
    spread = range(0, len(dataset), -(-len(dataset) // WHITENING_IMAGES))
    (batch,) = ResidentLoader(Part(dataset, spread), WHITENING_IMAGES, train=False)
    return batch["image"]
