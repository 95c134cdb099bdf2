"""Latent diffusion: from a configuration to an experiment. The autoencoder is trained here, before anything else."""

import dataclasses

import torch
from torch import Tensor

from torchworks.diffusion.images.build import classes_of, experiment_of, judged, model_of
from torchworks.diffusion.images.task import DiffusionTask
from torchworks.diffusion.latent.autoencoder_task import AutoencoderTask
from torchworks.diffusion.latent.config import LatentConfig
from torchworks.diffusion.latent.space import LatentModel, LatentSpace, check_scale
from torchworks.diffusion.models import registry
from torchworks.diffusion.process.pretraining import pretrain, steps_of
from torchworks.shared.config import LoaderConfig, OptimConfig
from torchworks.shared.data import Dataset, TensorDataset, open_loader, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.training.experiment import Experiment


def build(config: LatentConfig, device: Device) -> Experiment:
    """As for pixels, but of latents; every process trains the same autoencoder, in a minute at most."""
    source = open_source(config.data, config.loader)
    classes = classes_of(source) if config.conditional else ()
    channels = source.need("image")[0].shape[0]
    space, scores = trained_space(config, source.train, source.test, channels, device)
    net = registry.net_of(config.net, space.shape[0], len(classes))
    judge, fidelity = judged(config, source, device)
    model = LatentModel(net, space)
    task = DiffusionTask(
        model, config, image_shape=space.shape, num_classes=len(classes), fidelity=fidelity, decode=space.decode
    )
    train, test = (latents_of(space, dataset, device) for dataset in (source.train, source.test))
    check_scale(train.tensors["latent"])
    more = {"autoencoder": dataclasses.asdict(config.autoencoder), "image": [channels, config.loader.image_size]}
    saved = model_of(config, task, classes, "diffusion-latent", more)
    experiment = experiment_of(config, device, source, task, saved, judge, train=train, test=test)
    pixels = experiment.baselines
    return dataclasses.replace(experiment, baselines=lambda: {**pixels(), "psnr_autoencoder": scores["psnr"]})


def trained_space(
    config: LatentConfig, train: Dataset, test: Dataset, channels: int, device: Device
) -> tuple[LatentSpace, dict[str, float]]:
    """The space of an autoencoder trained on `train`, and how well it gives back `test`."""
    settings = config.autoencoder
    task = AutoencoderTask(registry.autoencoder_of(settings, channels), settings)
    scores = pretrain(
        task, config, train, test, name="autoencoder", steps=steps_of(config, settings.steps),
        batch_size=settings.batch_size, optim=OptimConfig(lr=settings.lr, schedule="linear"), device=device,
    )  # fmt: skip
    space = LatentSpace(task.model, config.loader.image_size).to(device.device).eval()
    space.measure(_map(train, space.raw, device))
    return space, scores


def latents_of(space: LatentSpace, dataset: Dataset, device: Device) -> TensorDataset:
    """The latents of all images, computed once, with their labels."""
    tensors = {"latent": _map(dataset, space.encode, device)}
    if "label" in dataset.schema:
        tensors["label"] = torch.stack([dataset[i]["label"] for i in range(len(dataset))])
    return TensorDataset(tensors)


@torch.no_grad()
def _map(dataset: Dataset, function, device: Device) -> Tensor:
    batches = open_loader(dataset, LoaderConfig(), 256, train=False, device=device.device)
    return torch.cat([function(batch["image"].float().to(device.device)).cpu() for batch in batches])
