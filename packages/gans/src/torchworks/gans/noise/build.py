"""Images from noise: from a configuration to an experiment (dcgan, cgan, r3gan)."""

import torch
from torch import nn

from torchworks.gans.adversarial.doctor import Doctor
from torchworks.gans.models import registry
from torchworks.gans.models.clustered import ClusteredDiscriminator, ClusteredGenerator
from torchworks.gans.models.config import CGANNet
from torchworks.gans.noise.config import GanConfig
from torchworks.gans.noise.experiment import experiment_of, judged
from torchworks.gans.noise.predictor import generator_config
from torchworks.gans.noise.task import GanTask, to_latent
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Dataset, Source, open_loader, open_source
from torchworks.shared.fidelity import Fidelity
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment

_CLUSTERED = 20_000


def build(config: GanConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without classes, if the model draws requested ones."""
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    classes = classes_of(source) if isinstance(config.net, CGANNet) else ()
    nets = [make(config.net, size, channels, len(classes)) for make in (registry.generator, registry.discriminator)]
    _find_clusters(*nets, source.train, config.seed)
    judge, fidelity = judged(source, config, device)
    task = _task(config, nets, len(classes), fidelity)
    return experiment_of(config, device, source, judge, task, _model(config, task, channels, classes))


def _find_clusters(generator: nn.Module, discriminator: nn.Module, dataset: Dataset, seed: int) -> None:
    """Tells both nets the clusters of the data, of at most `_CLUSTERED` images, if they go by clusters."""
    if not (isinstance(generator, ClusteredGenerator) and isinstance(discriminator, ClusteredDiscriminator)):
        return
    clusters = discriminator.clusters
    if len(dataset) < len(clusters.centers):
        raise UserError(
            f"There are {len(dataset)} training images, fewer than --net.clusters {len(clusters.centers)}. Ask for "
            "fewer clusters."
        )
    features, found = [], 0
    for batch in open_loader(dataset, LoaderConfig(), 250, train=False):
        features.append(clusters.features(batch["image"]))
        found += len(batch["image"])
        if found >= _CLUSTERED:
            break
    clusters.fit(torch.cat(features), seed)
    generator.shares.copy_(clusters.shares)


def _task(config: GanConfig, nets: list[nn.Module], num_classes: int, fidelity: Fidelity) -> GanTask:
    game = config.adversarial
    task = GanTask(
        *nets,
        game,
        latent_dim=config.net.latent_dim,
        latent=registry.latent_of(config.net),
        num_classes=num_classes,
        lr=config.optim.lr,
        fidelity=fidelity,
        seed=config.seed,
    )
    task.doctor = Doctor(config.doctor, loss=game.loss, penalties=(game.r1, game.r2), watch=task.watch)
    return task


def _model(config: GanConfig, task: GanTask, channels: int, classes: tuple[str, ...]) -> TrainedModel:
    latents = to_latent(sample_normal(config.seed, range(2), task.latent_dim), task.latent)
    return TrainedModel(
        builder="gans-generator",
        config=generator_config(config.net, config.loader.image_size, channels, classes),
        net=task.generator,
        golden={"latent": latents} | ({"label": torch.tensor([0, 1])} if classes else {}),
        labels=classes,
    )


def classes_of(source: Source) -> tuple[str, ...]:
    """The classes of the data. Raises `UserError` for fewer than two."""
    classes = source.schema["label"].classes if "label" in source.schema else ()
    if len(classes) < 2:
        found = f"only the class '{classes[0]}'" if classes else "no labels"
        raise UserError(
            f"A conditional GAN draws the class that is asked for, so its data need at least two classes, but "
            f"{source.name} has {found}. Give each class a sub-folder, or use the recipe dcgan or r3gan."
        )
    return classes
