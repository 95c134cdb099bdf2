"""Diffusion on pixels: from a configuration to an experiment."""

import torch

from torchworks.diffusion.images.config import ImagesConfig
from torchworks.diffusion.images.predictor import predictor_config
from torchworks.diffusion.images.task import DiffusionTask
from torchworks.diffusion.models import registry
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory, Source, open_source
from torchworks.shared.fidelity import Fidelity, Selection, bounds, features_of, judge_for
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import first_says


def build(config: ImagesConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without classes, if the model is to draw requested ones."""
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    classes = _classes(source) if config.conditional else ()
    judge = judge_for(source, image_size=size, device=device.device, say=first_says(device.rank))
    fidelity = Fidelity(judge, reference=features_of(judge, source.train)).to(device.device)
    net = registry.net_of(config.net, channels, len(classes))
    shape = (channels, size, size)
    task = DiffusionTask(net, config, image_shape=shape, num_classes=len(classes), fidelity=fidelity)
    loaders = LoaderFactory(config, device)
    return Experiment(
        task=task,
        train=loaders.training(source.train),
        select=Selection(loaders.shuffled(source.train), min(len(source.train), config.most_drawn)),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(_model(config, task, classes),),
        baselines=lambda: bounds(judge, source),
    )


def _model(config: ImagesConfig, task: DiffusionTask, classes: tuple[str, ...]) -> TrainedModel:
    latents = sample_normal(config.seed, range(2), *task.image_shape).flatten(1)
    return TrainedModel(
        builder="diffusion-images",
        config=predictor_config(config.net, config.process, config.sampling, task.image_shape, classes),
        net=task.model,
        golden={"latent": latents} | ({"label": torch.tensor([0, 1])} if classes else {}),
        labels=classes,
    )


def _classes(source: Source) -> tuple[str, ...]:
    classes = source.schema["label"].classes if "label" in source.schema else ()
    if len(classes) < 2:
        found = f"only the class '{classes[0]}'" if classes else "no labels"
        raise UserError(
            f"This model learns to draw the class that is asked for, so its data need at least two classes, but "
            f"{source.name} has {found}. Give each class a sub-folder, or add --no-conditional."
        )
    return classes
