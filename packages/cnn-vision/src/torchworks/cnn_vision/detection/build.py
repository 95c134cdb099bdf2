"""Builder of the experiment of detection: data, net, task, baseline, model."""

from dataclasses import replace
from typing import Any

from torchvision.transforms import v2

from torchworks.cnn_vision.data.augment import changes
from torchworks.cnn_vision.data.scene_loaders import scoring_loader, training_loader
from torchworks.cnn_vision.detection.config import DetectorConfig
from torchworks.cnn_vision.detection.task import Detection
from torchworks.cnn_vision.models.dense import DETECTORS, PUBLISHED, create_detector, size_of_classifier
from torchworks.cnn_vision.models.normalization import HALF, IMAGENET, each_channel, expected, run_of
from torchworks.shared.data import held_out
from torchworks.shared.data.fields import open_fields
from torchworks.shared.data.learnable import check_learnable, classes_in, unscored
from torchworks.shared.detection.baselines import constant_prediction
from torchworks.shared.inference.predictor import preprocessing
from torchworks.shared.machine.device import Device
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

VGG = (0.48235, 0.45882, 0.40784), (1 / 255,) * 3
"""Mean and standard deviation of torchvision's weights of SSD300, whose pixels are from 0 to 255."""


def build(config: DetectorConfig, device: Device) -> Experiment:
    """A detector of the objects of a source. Raises `UserError` for sources without boxes, or masks where the net needs
    them."""
    fields = fields_of(masks=config.model in DETECTORS["mask_rcnn"])
    source = open_fields(config.data, config.loader, config.seed, fields)
    classes, (channels, size) = source.schema["boxes"].classes, source.schema["image"].shape[:2]
    mean, std = normalization(config, channels)
    plain = {
        "model": config.model,
        "options": options_of(config),
        "image_size": size,
        "channels": channels,
        "classes": list(classes),
        "mean": mean,
        "std": std,
    }
    task = Detection(new_net(config, plain), len(classes), lr=config.optim.lr, weight_decay=config.weight_decay)
    train, valid = held_out(source.train, config.valid_fraction, config.seed)
    check_learnable(train, source.name, "box_label")
    notes = unscored([source.test], "box_label")
    if valid is not None and not classes_in(valid, "box_label", stop_at=1):
        notes.append(f"None of the {len(valid)} images held out shows an object, so the last state is the one kept.")
        valid = None
    if valid is None:
        task.watch = None
    model = TrainedModel(
        builder="cnn-vision-detector",
        config=plain,
        net=task.model,
        labels=classes,
        # no targets: the model always returns D detections, the truth has a varying number
        test=source.test,
        inputs={"image": "image"},
        preprocessing=preprocessing(plain, fit="letterbox"),
    )
    return Experiment(
        task=task,
        train=training_loader(config, device, train, mean, std, transform_of(config, channels, size)),
        select=scoring_loader(config, device, valid or train, mean, std),
        test=scoring_loader(config, device, source.test, mean, std),
        sources=(replace(source, notes=(*source.notes, *notes)),),
        models=(model,),
        baselines=lambda: constant_prediction(train, source.test, len(classes)),
    )


# ----------------------------------------------------------------------------------------------------- data


def fields_of(*, masks: bool) -> tuple[str, ...]:
    """The fields that a detector is trained on."""
    return ("image", "boxes", "box_label", *(("instance",) if masks else ()))


def transform_of(config: DetectorConfig, channels: int, size: int) -> v2.Transform | None:
    """The augmentations that `--augment` names."""
    if not config.augment:
        return None
    zoom, stretch = ((0.7, 1.6), 1.2) if "crop" in config.augment else ((1.0, 1.0), 1.0)
    flip, color = "flip" in config.augment, "color" in config.augment
    return changes(size, flip=flip, zoom=zoom, stretch=stretch, color=color, grey=channels == 1)


# ------------------------------------------------------------------------------------------------------ net


def new_net(config: DetectorConfig, plain: dict[str, Any]) -> Any:
    """The net, with pretrained weights if the configuration names some."""
    return create_detector(
        config.model,
        num_classes=size_of_classifier(config.model, len(plain["classes"])),
        in_channels=plain["channels"],
        pretrained=True if config.pretrained == "coco" else config.pretrained,
        **plain["options"],
    )


def options_of(config: DetectorConfig) -> dict[str, Any]:
    """The options that the net's pretrained weights need."""
    if run := run_of(config.pretrained):
        return read_manifest(run).config.get("options", {})
    return dict(PUBLISHED.get(config.model, {})) if config.pretrained == "coco" else {}


def normalization(config: DetectorConfig, channels: int) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, of pixels in [0, 1], by which images are normalized."""
    if config.normalize == "half":
        return each_channel(*HALF, channels)
    if config.normalize == "imagenet":
        return each_channel(*IMAGENET, channels)
    return expected(config.pretrained, channels, VGG if config.model == "ssd300_vgg16" else IMAGENET)
