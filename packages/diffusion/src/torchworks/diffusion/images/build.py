"""Diffusion on pixels: from a configuration to an experiment."""

from typing import Any

import torch

from torchworks.diffusion.images.config import ImagesConfig, PixelsConfig
from torchworks.diffusion.images.predictor import predictor_config
from torchworks.diffusion.images.task import DiffusionTask
from torchworks.diffusion.models import registry
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, LoaderFactory, Source, open_source
from torchworks.shared.fidelity import Fidelity, Judge, Selection, bounds, features_of, judge_for
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import first_says


def build(config: ImagesConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without classes, if the model is to draw requested ones."""
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    classes = classes_of(source) if config.conditional else ()
    judge, fidelity = judged(config, source, device)
    net = registry.net_of(config.net, channels, len(classes))
    shape = (channels, size, size)
    task = DiffusionTask(net, config, image_shape=shape, num_classes=len(classes), fidelity=fidelity)
    return experiment_of(config, device, source, task, model_of(config, task, classes), judge)


def judged(config: PixelsConfig, source: Source, device: Device) -> tuple[Judge, Fidelity]:
    """The judge of these images, and the scores by it."""
    judge = judge_for(source, image_size=config.loader.image_size, device=device.device, say=first_says(device.rank))
    return judge, Fidelity(judge, reference=features_of(judge, source.train)).to(device.device)


def experiment_of(
    config: ImagesConfig,
    device: Device,
    source: Source,
    task: DiffusionTask,
    model: TrainedModel,
    judge: Judge,
    *,
    train: Dataset | None = None,
    test: Dataset | None = None,
) -> Experiment:
    """`task` on the images of `source`, or on what `train` and `test` hold in their place."""
    loaders, train = LoaderFactory(config, device), train or source.train
    return Experiment(
        task=task,
        train=loaders.training(train),
        select=Selection(loaders.shuffled(train), min(len(train), config.most_drawn)),
        test=loaders.ordered(test or source.test),
        sources=(source,),
        models=(model,),
        baselines=lambda: bounds(judge, source),
    )


def model_of(
    config: ImagesConfig,
    task: DiffusionTask,
    classes: tuple[str, ...],
    builder: str = "diffusion-images",
    more: dict[str, Any] | None = None,
) -> TrainedModel:
    """What is saved of the model; `more` is what its builder needs beside `predictor_config`."""
    latents = sample_normal(config.seed, range(2), *task.image_shape).flatten(1)
    return TrainedModel(
        builder=builder,
        config=predictor_config(config.net, config.process, config.sampling, task.image_shape, classes) | (more or {}),
        net=task.model,
        golden={"latent": latents} | ({"label": torch.tensor([0, 1])} if classes else {}),
        labels=classes,
    )


def classes_of(source: Source) -> tuple[str, ...]:
    """Raises `UserError` unless there are at least two."""
    classes = source.schema["label"].classes if "label" in source.schema else ()
    if len(classes) < 2:
        found = f"only the class '{classes[0]}'" if classes else "no labels"
        raise UserError(
            f"This model learns to draw the class that is asked for, so its data need at least two classes, but "
            f"{source.name} has {found}. Give each class a sub-folder, or add --no-conditional."
        )
    return classes
