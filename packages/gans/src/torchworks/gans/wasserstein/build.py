"""Images from noise by the Wasserstein distance: from a configuration to an experiment."""

from torchworks.gans.adversarial.doctor import Doctor
from torchworks.gans.models import registry
from torchworks.gans.noise.experiment import experiment_of, judged
from torchworks.gans.noise.predictor import generator_config
from torchworks.gans.wasserstein.config import WGANConfig
from torchworks.gans.wasserstein.task import WGANTask
from torchworks.shared.data import open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment

REMEDIES = {
    "divergence": "Try a smaller --optim.lr, or a larger --wasserstein.penalty.",
    "mode collapse": "Try more --adversarial.discriminator-steps, a smaller --optim.lr, or larger batches.",
    "discriminator lost": "Try more --adversarial.discriminator-steps.",
    "lost classes": "Try more --adversarial.discriminator-steps, larger batches, or the recipe cgan.",
    "oscillation": "Try more --adversarial.discriminator-steps, or a smaller --optim.lr.",
}


def build(config: WGANConfig, device: Device) -> Experiment:
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    judge, fidelity = judged(source, config, device)
    task = WGANTask(
        registry.generator(config.net, size, channels),
        registry.discriminator(config.net, size, channels),
        config.adversarial,
        wasserstein=config.wasserstein,
        latent_dim=config.net.latent_dim,
        lr=config.optim.lr,
        fidelity=fidelity,
        seed=config.seed,
    )
    task.doctor = Doctor(config.doctor, loss=config.adversarial.loss, watch=task.watch, remedies=REMEDIES)
    model = TrainedModel(
        builder="gans-generator",
        config=generator_config(config.net, size, channels, ()),
        net=task.generator,
        golden={"latent": sample_normal(config.seed, range(2), task.latent_dim)},
    )
    return experiment_of(config, device, source, judge, task, model)
