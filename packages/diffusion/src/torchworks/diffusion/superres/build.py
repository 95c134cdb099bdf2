"""Super-resolution: from a configuration to an experiment."""

import torch
from torch import Tensor

from torchworks.diffusion.images.build import judged
from torchworks.diffusion.images.task import PREVIEW_COLUMNS
from torchworks.diffusion.restore.restoring import shrunk
from torchworks.diffusion.superres.baselines import baselines
from torchworks.diffusion.superres.config import SuperresConfig
from torchworks.diffusion.superres.net import superres_net
from torchworks.diffusion.superres.predictor import predictor_config
from torchworks.diffusion.superres.task import SuperresTask
from torchworks.shared.data import Dataset, LoaderFactory, open_source
from torchworks.shared.fidelity import Selection
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment


def build(config: SuperresConfig, device: Device) -> Experiment:
    """On images of any source; classes, where there are some, only score."""
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    judge, fidelity = judged(config, source, device)
    shown = images_of(source.test, PREVIEW_COLUMNS)
    task = SuperresTask(superres_net(config.net, channels), config, shown, fidelity)
    small = ((shrunk(shown[:2], config.factor) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    shape = (channels, size, size)
    latent = sample_normal(config.seed, range(len(small)), *shape).flatten(1)
    model = TrainedModel(
        builder="diffusion-superres",
        config=predictor_config(config, shape),
        net=task.model,
        golden={"latent": latent, "small": small},
    )
    loaders = LoaderFactory(config, device)
    return Experiment(
        task=task,
        train=loaders.training(source.train),
        select=Selection(loaders.shuffled(source.train), min(len(source.train), config.most_drawn)),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(model,),
        baselines=lambda: baselines(judge, source, config.factor),
    )


def images_of(dataset: Dataset, most: int) -> Tensor:
    """The first images (N, C, S, S) in [-1, 1], at most so many."""
    rows = [dataset[i]["image"] for i in range(min(most, len(dataset)))]
    return torch.stack(rows) / 127.5 - 1
