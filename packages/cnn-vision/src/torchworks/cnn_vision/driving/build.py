"""From a configuration to the experiment of driving perception: data, net, task, baselines, packing."""

from dataclasses import replace
from pathlib import Path

from torchworks.cnn_vision.data.augment import Augmented, changes
from torchworks.cnn_vision.data.fields import open_fields
from torchworks.cnn_vision.data.sample import VOID
from torchworks.cnn_vision.driving.baselines import baselines
from torchworks.cnn_vision.driving.config import DriveConfig, check_numbers
from torchworks.cnn_vision.driving.net import Driver
from torchworks.cnn_vision.driving.predictor import BUILDER, build_driver
from torchworks.cnn_vision.driving.task import Driving
from torchworks.cnn_vision.models.normalization import HALF, each_channel
from torchworks.cnn_vision.segmentation.build import scoring_loader, training_loader
from torchworks.cnn_vision.segmentation.frequencies import pixel_classes
from torchworks.cnn_vision.segmentation.predictor import preprocessing
from torchworks.shared.config import UserError
from torchworks.shared.data import Loader, Source
from torchworks.shared.machine.device import choose
from torchworks.shared.models.predictor import samples_of, save_model
from torchworks.shared.training.experiment import Experiment

FIELDS = ("image", "boxes", "box_label", "mask", "depth")


def drive_experiment(config: DriveConfig) -> Experiment:
    """Three tasks on one net. Raises `UserError` for sources without boxes, masks or depth."""
    check_numbers(config)
    source = open_fields(config.data, config.loader, config.seed, FIELDS)
    _check_parts(source)
    things, classes = source.schema["boxes"].classes, pixel_classes(source)
    channels, size = source.schema["image"].shape[:2]
    mean, std = each_channel(*HALF, channels)
    equal = config.weighting == "equal"
    plain = {
        "image_size": size, "channels": channels, "things": list(things), "classes": list(classes),
        "equal_weights": equal, "mean": mean, "std": std,
    }  # fmt: skip
    model = Driver(num_things=len(things), num_pixels=len(classes), in_channels=channels, equal_weights=equal)
    task = Driving(model, len(things), len(classes), lr=config.optim.lr, weight_decay=config.weight_decay)

    def package_model(folder: Path) -> None:
        whole = build_driver(plain)
        whole.net = task.model
        samples = samples_of(source.test)
        save_model(
            folder, whole, package=config.package, recipe=config.recipe, builder=BUILDER, config=plain,
            golden={"image": samples["image"][:2]}, preprocessing=preprocessing(plain), labels=things, data=(source,),
            samples={"image": samples["image"]}, targets={"mask": samples["mask"], "depth": samples["depth"]},
        )  # fmt: skip

    device = choose(config.trainer.device, config.trainer.precision, config.trainer.channels_last)
    train: Loader | Augmented = training_loader(replace(config, augment=False), device, source.train, mean, std)
    if config.augment:  # no zoom: what is twice as large is half as far
        transform = changes(size, flip=True, zoom=(1.0, 1.0), stretch=1.0, grey=channels == 1)
        train = Augmented(train, transform, mean=mean, std=std)
    scored = scoring_loader(config, device, source.test, mean, std)
    return Experiment(
        task=task,
        train=train,
        select=scored,
        test=scored,
        sources=(source,),
        package_model=package_model,
        baselines=lambda: baselines(source.train, source.test, len(things), len(classes)),
    )


def _check_parts(source: Source) -> None:
    """Raise `UserError` if no image of a part has what is learnt or scored there."""
    for words, part in (("training", source.train), ("testing", source.test)):
        for name, is_known in (("mask", lambda x: x != VOID), ("depth", lambda x: x > 0)):
            if not any(is_known(part[i][name]).any() for i in range(len(part))):
                raise UserError(f"None of the {len(part)} images for {words} in {source.name} has a {name}; some must.")
