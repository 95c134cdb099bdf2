"""Images of requested classes by BigGAN: from a configuration to an experiment."""

import torch

from torchworks.gans.adversarial.doctor import Doctor
from torchworks.gans.big.config import BigGANConfig
from torchworks.gans.big.task import BigGANTask
from torchworks.gans.models import registry
from torchworks.gans.noise.build import classes_of
from torchworks.gans.noise.experiment import experiment_of, judged
from torchworks.gans.noise.predictor import generator_config
from torchworks.shared.data import open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment


def build(config: BigGANConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without classes."""
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    classes = classes_of(source)
    judge, fidelity = judged(source, config, device)
    task = BigGANTask(
        registry.generator(config.net, size, channels, len(classes)),
        registry.discriminator(config.net, size, channels, len(classes)),
        config.adversarial,
        orthogonal=config.orthogonal,
        latent_dim=config.net.latent_dim,
        num_classes=len(classes),
        lr=config.optim.lr,
        fidelity=fidelity,
        seed=config.seed,
    )
    game = config.adversarial
    task.doctor = Doctor(config.doctor, loss=game.loss, penalties=(game.r1, game.r2), watch=task.watch)
    model = TrainedModel(
        builder="gans-generator",
        config=generator_config(config.net, size, channels, classes),
        net=task.generator,
        golden={"latent": sample_normal(config.seed, range(2), task.latent_dim), "label": torch.tensor([0, 1])},
        labels=classes,
    )
    return experiment_of(config, device, source, judge, task, model)
