"""Images from noise by the Wasserstein distance: from a configuration to an experiment."""

from torchworks.gans.adversarial.doctor import Doctor
from torchworks.gans.models import registry
from torchworks.gans.noise.predictor import generator_config
from torchworks.gans.wasserstein.config import WGANConfig
from torchworks.gans.wasserstein.task import WGANTask
from torchworks.shared.data import LoaderFactory, open_source
from torchworks.shared.fidelity import Fidelity, Selection, bounds, features_of, judge_for
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import first_says

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
    judge = judge_for(source, image_size=size, device=device.device, say=first_says(device.rank))
    task = WGANTask(
        registry.generator(config.net, size, channels),
        registry.discriminator(config.net, size, channels),
        config.adversarial,
        wasserstein=config.wasserstein,
        latent_dim=config.net.latent_dim,
        lr=config.optim.lr,
        fidelity=Fidelity(judge, reference=features_of(judge, source.train)).to(device.device),
        seed=config.seed,
    )
    task.doctor = Doctor(config.doctor, loss=config.adversarial.loss, watch=task.watch, remedies=REMEDIES)
    loaders = LoaderFactory(config, device)
    model = TrainedModel(
        builder="gans-generator",
        config=generator_config(config.net, size, channels, ()),
        net=task.generator,
        golden={"latent": sample_normal(config.seed, range(2), task.latent_dim)},
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
