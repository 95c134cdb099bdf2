"""Images from noise by StyleGAN2: from a configuration to an experiment."""

import torch

from torchworks.gans.adversarial.doctor import Doctor
from torchworks.gans.models import registry
from torchworks.gans.models.stylegan2 import StyleGAN2Generator
from torchworks.gans.noise.experiment import experiment_of, judged
from torchworks.gans.noise.predictor import CROSSOVER, FINE, TRUNCATION, generator_config
from torchworks.gans.styles.config import StyleGAN2Config
from torchworks.gans.styles.task import StyleGAN2Task
from torchworks.shared.data import open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment

REMEDIES = {
    "mode collapse": "Try --net.output tanh if the images have areas of exact black or white, else a smaller "
    "--optim.lr, a larger --adversarial.r1, or larger batches.",
    "discriminator won": "Try a smaller --ada.images or a larger --ada.p, so that augmentation sets in sooner, or a "
    "larger --adversarial.r1.",
    "oscillation": "Try a larger --adversarial.r1 or a smaller --optim.lr.",
}


def build(config: StyleGAN2Config, device: Device) -> Experiment:
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    generator = registry.generator(config.net, size, channels)
    assert isinstance(generator, StyleGAN2Generator)
    judge, fidelity = judged(source, config, device)
    task = StyleGAN2Task(
        generator,
        registry.discriminator(config.net, size, channels),
        config.adversarial,
        style=config.style,
        ada=config.ada,
        lr=config.optim.lr,
        fidelity=fidelity,
        seed=config.seed,
    )
    task.doctor = Doctor(config.doctor, loss=config.adversarial.loss, watch=task.watch, remedies=REMEDIES)
    model = TrainedModel(
        builder="gans-generator",
        config=generator_config(config.net, size, channels, ()),
        net=generator,
        golden={
            "latent": sample_normal(config.seed, range(2), task.latent_dim),
            TRUNCATION: torch.tensor([1.0, 0.5]),
            FINE: sample_normal(config.seed, range(2, 4), task.latent_dim),
            CROSSOVER: torch.tensor([1, task.layers]),
        },
    )
    return experiment_of(config, device, source, judge, task, model)
