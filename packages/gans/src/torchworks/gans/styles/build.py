"""Images from noise by StyleGAN2: from a configuration to an experiment."""

import torch

from torchworks.gans.adversarial.doctor import Doctor
from torchworks.gans.models import registry
from torchworks.gans.models.stylegan2 import StyleGAN2Generator
from torchworks.gans.noise.predictor import CROSSOVER, FINE, TRUNCATION, generator_config
from torchworks.gans.styles.config import StyleGAN2Config
from torchworks.gans.styles.task import StyleGAN2Task
from torchworks.shared.data import LoaderFactory, open_source
from torchworks.shared.fidelity import Fidelity, Selection, bounds, features_of, judge_for
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import first_says

REMEDIES = {
    "mode collapse": "Try a smaller --optim.lr, a larger --adversarial.r1, or larger batches.",
    "discriminator won": "Try a smaller --ada.images or a larger --ada.p, so that augmentation sets in sooner, or a "
    "larger --adversarial.r1.",
    "oscillation": "Try a larger --adversarial.r1 or a smaller --optim.lr.",
}


def build(config: StyleGAN2Config, device: Device) -> Experiment:
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    generator = registry.generator(config.net, size, channels)
    assert isinstance(generator, StyleGAN2Generator)
    judge = judge_for(source, image_size=size, device=device.device, say=first_says(device.rank))
    task = StyleGAN2Task(
        generator,
        registry.discriminator(config.net, size, channels),
        config.adversarial,
        style=config.style,
        ada=config.ada,
        lr=config.optim.lr,
        fidelity=Fidelity(judge, reference=features_of(judge, source.train)).to(device.device),
        seed=config.seed,
    )
    task.doctor = Doctor(config.doctor, loss=config.adversarial.loss, watch=task.watch, remedies=REMEDIES)
    loaders = LoaderFactory(config, device)
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
    return Experiment(
        task=task,
        train=loaders.training(source.train),
        select=Selection(loaders.shuffled(source.train), len(source.train)),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(model,),
        baselines=lambda: bounds(judge, source),
    )
