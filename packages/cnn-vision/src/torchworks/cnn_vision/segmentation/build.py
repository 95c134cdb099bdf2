"""Builder of the experiment of segmentation: data, net, task, baselines, model."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from torchworks.cnn_vision.data.augment import changes
from torchworks.cnn_vision.data.scene_loaders import scoring_loader, training_loader
from torchworks.cnn_vision.models.dense import create_segmenter
from torchworks.cnn_vision.models.normalization import expected
from torchworks.cnn_vision.segmentation.baselines import baselines
from torchworks.cnn_vision.segmentation.config import SegmentConfig, net_options
from torchworks.cnn_vision.segmentation.frequencies import balanced, pixel_classes, pixel_counts
from torchworks.cnn_vision.segmentation.predictor import segmenter_config
from torchworks.cnn_vision.segmentation.task import Segmentation
from torchworks.shared.data import Dataset, held_out
from torchworks.shared.data.boxes.draw import pixel_colors
from torchworks.shared.data.fields import open_fields
from torchworks.shared.data.learnable import check_learnable, unscored
from torchworks.shared.inference.predictor import preprocessing
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

SHOWN = 4
"""Images in the preview."""
COUNTED = 200
"""Training images by which the frequencies of the classes are estimated."""


def build(config: SegmentConfig, device: Device) -> Experiment:
    """A net that learns the masks of a source. Raises `UserError` for sources without them."""
    source = open_fields(config.data, config.loader, config.seed, ("image", "mask"))
    classes = pixel_classes(source)
    channels, size = source.schema["image"].shape[:2]
    net = new_model(config, channels, len(classes))
    mean, std = expected(config.pretrained, channels)
    plain = segmenter_config(config.model, net_options(config), size, channels, classes, mean, std)
    train, valid = held_out(source.train, config.valid_fraction, config.seed)
    check_learnable(train, source.name, "mask")
    weights = balanced(pixel_counts(train, len(classes))) if config.class_weights == "balanced" else None
    if weights is None and not config.pretrained:
        expect_frequencies(net, pixel_counts(train, len(classes), most=COUNTED))
    task = Segmentation(
        net,
        len(classes),
        lr=config.optim.lr,
        weight_decay=config.weight_decay,
        dice_weight=config.dice_weight,
        aux_weight=config.aux_weight,
        class_weights=weights,
        shown=shown(valid or train, mean, std),
        colors=pixel_colors(source.schema),
    )
    if valid is None:
        task.watch = None
    return Experiment(
        task=task,
        train=training_loader(config, device, train, mean, std, transform_of(config, channels, size)),
        select=scoring_loader(config, device, valid or source.test, mean, std),
        test=scoring_loader(config, device, source.test, mean, std),
        sources=(replace(source, notes=(*source.notes, *unscored([source.test], "mask"))),),
        models=(trained_model(net, plain, source.test),),
        baselines=lambda: baselines(train, source.test, len(classes), config.seed),
    )


def trained_model(net: nn.Module, plain: dict[str, Any], test: Dataset) -> TrainedModel:
    """The segmenter with test images, by which its exports are judged."""
    return TrainedModel(
        builder="cnn-vision-segmenter",
        config=plain,
        net=net,
        labels=tuple(plain["classes"]),
        test=test,
        inputs={"image": "image"},
        targets={"mask": "mask"},
        preprocessing=preprocessing(plain, fit="letterbox"),
    )


def transform_of(config: SegmentConfig, channels: int, size: int) -> v2.Transform | None:
    """The augmentations that the configuration asks for."""
    if not config.augment:
        return None
    return changes(size, flip=config.flip, color=config.colors, grey=channels == 1)


def new_model(config: SegmentConfig, channels: int, num_classes: int) -> nn.Module:
    """The net, with pretrained weights if the configuration names some."""
    pretrained = True if config.pretrained == "coco" else config.pretrained
    options = {"num_classes": num_classes, "in_channels": channels, **net_options(config)}
    return create_segmenter(config.model, pretrained=pretrained, **options)


@torch.no_grad()
def expect_frequencies(model: nn.Module, counts: Tensor) -> None:
    """Set the last biases of each head to the log frequency of each class of pixels, of which there are `counts` (G,).
    Otherwise the net needs hundreds of steps to learn that nearly all pixels are background (Lin et al. 2017,
    arXiv:1708.02002, section 4.1, for boxes)."""
    shares = (counts + 1) / (counts + 1).sum()
    for head in (model.classifier, getattr(model, "aux_classifier", None)):
        if isinstance(head, nn.Module):
            *_, bias = head.parameters()
            bias.copy_(shares.log())


def shown(dataset: Dataset, mean: list[float], std: list[float]) -> dict[str, Tensor]:
    """Samples for previews, with the `input` that the net takes."""
    samples = [dataset[i] for i in range(min(SHOWN, len(dataset)))]
    fields = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
    scale = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)
    return fields | {"input": (fields["image"].float() / 255 - scale[0]) / scale[1]}
