"""From a configuration to a segmenter's experiment: data, net, task, baselines, and how the model is packed."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.data.augment import Augmented, changes
from torchworks.cnn_vision.data.draw import pixel_colours
from torchworks.cnn_vision.data.fields import open_fields
from torchworks.cnn_vision.models.dense import create_segmenter
from torchworks.cnn_vision.models.normalization import expected
from torchworks.cnn_vision.segmentation import predictor
from torchworks.cnn_vision.segmentation.baselines import baselines
from torchworks.cnn_vision.segmentation.config import SegmentConfig, check_numbers, net_options
from torchworks.cnn_vision.segmentation.frequencies import balanced, pixel_classes, pixel_counts
from torchworks.cnn_vision.segmentation.task import Segmentation
from torchworks.shared.data import Dataset, Loader, held_out, open_loader
from torchworks.shared.machine.device import Device, choose
from torchworks.shared.training.experiment import Experiment

EVALUATION_BATCH = 32
SHOWN = 4
"""Test images drawn during the training."""
COUNTED = 200
"""Training images that tell how common classes are."""


def segment_experiment(config: SegmentConfig) -> Experiment:
    """A net that learns the masks of a source. Raises `UserError` for sources without them."""
    check_numbers(config)
    source = open_fields(config.data, config.loader, config.seed, ("image", "mask"))
    classes = pixel_classes(source)
    channels, size = source.schema["image"].shape[:2]
    model = new_model(config, channels, len(classes))
    mean, std = expected(config.pretrained, channels)
    plain = predictor.segmenter_config(config.model, net_options(config), size, channels, classes, mean, std)

    train, valid = held_out(source.train, config.valid_fraction, config.seed)
    weights = balanced(pixel_counts(train, len(classes))) if config.class_weights == "balanced" else None
    if weights is None and not config.pretrained:
        expect_frequencies(model, pixel_counts(train, len(classes), most=COUNTED))
    task = Segmentation(
        model,
        len(classes),
        lr=config.optim.lr,
        weight_decay=config.weight_decay,
        dice_weight=config.dice_weight,
        aux_weight=config.aux_weight,
        class_weights=weights,
        shown=shown(valid or train, mean, std),
        colours=pixel_colours(source.schema),
    )
    if valid is None:
        task.watch = None

    def package_model(folder: Path) -> None:
        whole = predictor.build_segmenter(plain)
        whole.net = task.model
        predictor.save(folder, whole, plain=plain, config=config, source=source)

    device = choose(config.trainer.device, config.trainer.precision, config.trainer.channels_last)
    return Experiment(
        task=task,
        train=training_loader(config, device, train, mean, std),
        select=scoring_loader(config, device, valid or source.test, mean, std),
        test=scoring_loader(config, device, source.test, mean, std),
        sources=(source,),
        package_model=package_model,
        baselines=lambda: baselines(train, source.test, len(classes), config.seed),
    )


def new_model(config: SegmentConfig, channels: int, num_classes: int) -> nn.Module:
    """The net, with pretrained weights if the configuration names some."""
    pretrained = True if config.pretrained == "coco" else config.pretrained
    options = {"num_classes": num_classes, "in_channels": channels, **net_options(config)}
    return create_segmenter(config.model, pretrained=pretrained, **options)


@torch.no_grad()
def expect_frequencies(model: nn.Module, counts: Tensor) -> None:
    """Set the last biases of each head to the logarithm of how common each class of pixels is, counted as `counts`
    (G,). Else hundreds of steps go by until the net has learnt that nearly all is background (Lin et al. 2017,
    arXiv:1708.02002, section 4.1, for boxes)."""
    shares = (counts + 1) / (counts + 1).sum()
    for head in (model.classifier, getattr(model, "aux_classifier", None)):
        if isinstance(head, nn.Module):
            *_, bias = head.parameters()
            bias.copy_(shares.log())


def training_loader(
    config: Any, device: Device, train: Dataset, mean: list[float], std: list[float]
) -> Loader | Augmented:
    """Batches of training images, changed at random if the configuration says so (`augment`, `flip`, `colours`)."""
    channels, size = train.schema["image"].shape[:2]
    common = {"seed": config.seed, "device": device.device, "mean": mean, "std": std}
    place = {"rank": device.rank, "world": device.world}
    loader = open_loader(train, config.loader, config.trainer.batch_size, **common, **place)
    if not config.augment:
        return loader
    return Augmented(
        loader, changes(size, flip=config.flip, colour=config.colours, grey=channels == 1), mean=mean, std=std
    )


def scoring_loader(config: Any, device: Device, dataset: Dataset, mean: list[float], std: list[float]) -> Loader:
    """All images in order, as they are."""
    common = {"seed": config.seed, "device": device.device, "mean": mean, "std": std}
    return open_loader(dataset, config.loader, EVALUATION_BATCH, train=False, **common)


def shown(dataset: Dataset, mean: list[float], std: list[float]) -> dict[str, Tensor]:
    """Some samples to draw, with the `input` that the net is given."""
    samples = [dataset[i] for i in range(min(SHOWN, len(dataset)))]
    fields = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
    scale = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)
    return fields | {"input": (fields["image"].float() / 255 - scale[0]) / scale[1]}
