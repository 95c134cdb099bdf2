"""Builder of the experiment of driving perception: data, net, task, baselines, model."""

from dataclasses import replace

from torchvision.transforms import v2

from torchworks.cnn_vision.data.augment import changes
from torchworks.cnn_vision.data.scene_loaders import scoring_loader, training_loader
from torchworks.cnn_vision.driving.baselines import baselines
from torchworks.cnn_vision.driving.config import DriveConfig
from torchworks.cnn_vision.driving.task import Driving
from torchworks.cnn_vision.models.driving import DrivingNet
from torchworks.cnn_vision.models.normalization import HALF, each_channel
from torchworks.cnn_vision.segmentation.frequencies import pixel_classes
from torchworks.shared.config import UserError
from torchworks.shared.data import Source
from torchworks.shared.data.boxes.sample import VOID
from torchworks.shared.data.fields import open_fields
from torchworks.shared.data.learnable import check_learnable, unscored
from torchworks.shared.inference.predictor import preprocessing
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

FIELDS = ("image", "boxes", "box_label", "mask", "depth")


def build(config: DriveConfig, device: Device) -> Experiment:
    """Three tasks on one net. Raises `UserError` for sources without boxes, masks or depth."""
    source = open_fields(config.data, config.loader, config.seed, FIELDS)
    _check_parts(source)
    check_learnable(source.train, source.name, "box_label", "mask")
    things, classes = source.schema["boxes"].classes, pixel_classes(source)
    channels, size = source.schema["image"].shape[:2]
    mean, std = each_channel(*HALF, channels)
    equal = config.weighting == "equal"
    plain = {
        "image_size": size, "channels": channels, "things": list(things), "classes": list(classes),
        "equal_weights": equal, "mean": mean, "std": std,
    }  # fmt: skip
    net = DrivingNet(num_things=len(things), num_pixels=len(classes), in_channels=channels, equal_weights=equal)
    task = Driving(net, len(things), len(classes), lr=config.optim.lr, weight_decay=config.weight_decay)
    model = TrainedModel(
        builder="cnn-vision-driver",
        config=plain,
        net=net,
        labels=things,
        test=source.test,
        inputs={"image": "image"},
        targets={"mask": "mask", "depth": "depth"},
        preprocessing=preprocessing(plain, fit="letterbox"),
    )
    scored = scoring_loader(config, device, source.test, mean, std)
    return Experiment(
        task=task,
        train=training_loader(config, device, source.train, mean, std, transform_of(config, channels, size)),
        select=scored,
        test=scored,
        sources=(replace(source, notes=(*source.notes, *unscored([source.test], "box_label"))),),
        models=(model,),
        baselines=lambda: baselines(source.train, source.test, len(things), len(classes)),
    )


def transform_of(config: DriveConfig, channels: int, size: int) -> v2.Transform | None:
    """The augmentations; no zoom, since an object twice as large is at half the distance."""
    return changes(size, flip=True, zoom=(1.0, 1.0), stretch=1.0, grey=channels == 1) if config.augment else None


def _check_parts(source: Source) -> None:
    """Raise `UserError` if no image of a part has a mask, or none has depth."""
    for words, part in (("training", source.train), ("testing", source.test)):
        for name, is_known in (("mask", lambda x: x != VOID), ("depth", lambda x: x > 0)):
            if not any(is_known(part[i][name]).any() for i in range(len(part))):
                raise UserError(f"None of the {len(part)} images for {words} in {source.name} has a {name}; some must.")
