"""Images from noise and a code: from a configuration to an experiment."""

import torch

from torchworks.gans.adversarial.doctor import Doctor
from torchworks.gans.codes.baselines import clusters_of_pixels
from torchworks.gans.codes.config import InfoGANConfig
from torchworks.gans.codes.task import InfoGANTask
from torchworks.gans.models import registry
from torchworks.gans.models.infogan import DRAWN_NUMBER, InfoGANDiscriminator, InfoGANGenerator
from torchworks.gans.noise.experiment import experiment_of, judged
from torchworks.gans.noise.predictor import CATEGORY, generator_config, number_name
from torchworks.shared.data import open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment

REMEDIES = {
    "mode collapse": "Try a smaller --optim.lr or --information.category, or larger batches.",
    "discriminator won": "Try a smaller --adversarial.discriminator-lr, or --adversarial.augment translation cutout.",
    "oscillation": "Try a smaller --optim.lr.",
}
UNBOUNDED = "wasserstein"
"""The loss whose value says nothing of who is ahead: neither does one that information is taken from."""


def build(config: InfoGANConfig, device: Device) -> Experiment:
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    generator, discriminator = (
        make(config.net, size, channels) for make in (registry.generator, registry.discriminator)
    )
    assert isinstance(generator, InfoGANGenerator)
    assert isinstance(discriminator, InfoGANDiscriminator)
    judge, fidelity = judged(source, config, device)
    task = InfoGANTask(
        generator,
        discriminator,
        config.adversarial,
        information=config.information,
        lr=config.optim.lr,
        fidelity=fidelity,
        seed=config.seed,
    )
    task.doctor = Doctor(config.doctor, loss=UNBOUNDED, watch=task.watch, remedies=REMEDIES)
    golden = {"latent": sample_normal(config.seed, range(2), task.latent_dim), CATEGORY: torch.tensor([0, 1])}
    golden |= {number_name(i): torch.tensor([DRAWN_NUMBER, 0.5]) for i in range(config.net.numbers)}
    model = TrainedModel(
        builder="gans-generator",
        config=generator_config(config.net, size, channels, ()),
        net=generator,
        golden=golden,
    )
    return experiment_of(
        config, device, source, judge, task, model,
        more_baselines=lambda: clusters_of_pixels(source, config.net.categories, config.seed),
    )  # fmt: skip
