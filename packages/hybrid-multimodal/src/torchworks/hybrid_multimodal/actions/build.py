"""Action recognition: from a configuration to an experiment."""

import dataclasses

from torchworks.hybrid_multimodal.actions.baselines import ablations, baselines
from torchworks.hybrid_multimodal.actions.config import ActionConfig
from torchworks.hybrid_multimodal.actions.nets import new_net
from torchworks.hybrid_multimodal.actions.predictor import BUILDER
from torchworks.hybrid_multimodal.actions.task import Recognition
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, LoaderFactory, Schema, held_out, open_source, resident
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

EVALUATION_BATCH = 64
"""Films that are scored together."""
COMPARED_BYTES = 2 << 30
"""Films above which nothing is compared, for they would have to be held."""


def build(config: ActionConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without films of two classes or more."""
    source = open_source(config.data, config.loader, config.seed)
    frames, channels, size, classes = check_films(source.schema, source.name)
    rest, held = held_out(films_of(source.train), config.valid_fraction, config.seed)
    options = dataclasses.asdict(config.net)
    net = new_net(options, classes=len(classes), frames=frames, image_size=size, channels=channels)
    task = Recognition(
        net, lr=config.optim.lr, weight_decay=config.weight_decay, pixels=config.shift, mirrored=config.flip
    )
    loaders = LoaderFactory(config, device, evaluation_batch=EVALUATION_BATCH)

    def compared() -> dict[str, float]:
        size_of_all = sum(len(part) * source.schema["clip"].nbytes for part in (rest, source.test))
        if size_of_all > COMPARED_BYTES:
            return {}
        test = resident(source.test)
        return ablations(net, test, device.device) | baselines(resident(rest), test, config.seed)

    image = {"frames": frames, "size": size, "mode": "L" if channels == 1 else "RGB", "range": [0, 255]}
    model = TrainedModel(
        builder=BUILDER,
        config={
            "net": options, "classes": list(classes), "frames": frames, "image_size": size, "channels": channels,
        },
        net=net,
        labels=classes,
        test=source.test,
        inputs={"film": "clip"},
        targets={"action": "label"},
        preprocessing={"film": image},
    )  # fmt: skip
    return Experiment(
        task=task,
        train=loaders.training(rest),
        select=loaders.ordered(held or rest),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(model,),
        baselines=compared,
    )


def films_of(dataset: Dataset) -> Dataset:
    """What is drawn as tensors, for then it is quickly known which films are the same; films of files as they are."""
    return resident(dataset) if getattr(dataset, "drawn", False) else dataset


def check_films(schema: Schema, name: str) -> tuple[int, int, int, tuple[str, ...]]:
    """Frames, channels, pixels along a frame, and the classes. Raises `UserError` for data without films that have one
    class each."""
    clip, label = schema.need("clip", "label", source=f"'{name}'")
    if label.shape or len(label.classes) < 2:
        raise UserError(f"The films of '{name}' need one class each, of two or more; they have {len(label.classes)}.")
    frames, channels, size, _ = clip.shape
    return frames, channels, size, label.classes
