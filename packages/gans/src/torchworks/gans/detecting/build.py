"""A detector of swapped faces: from a configuration to an experiment."""

import torch
from torch import Tensor

from torchworks.gans.detecting.baselines import baselines
from torchworks.gans.detecting.config import SwapDetectorConfig
from torchworks.gans.detecting.data import CLASSES, open_pair, swap_of, test_images, training_images
from torchworks.gans.detecting.metrics import threshold
from torchworks.gans.detecting.plots import draw_roc
from torchworks.gans.detecting.predictor import detector_config
from torchworks.gans.detecting.task import SwapDetectorTask
from torchworks.gans.models.meso4 import Meso4
from torchworks.shared.data import LoaderFactory, TensorDataset
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import first_says

PICTURE = "roc.png"


def build_detector(config: SwapDetectorConfig, device: Device) -> Experiment:
    """Swaps two faces and two others, then learns to tell the first from their swaps."""
    learnt, unseen = open_pair(config.data, config), open_pair(config.unseen, config)
    say = first_says(device.rank)
    for run, what in ((config.run, config.data), (config.unseen_run, config.unseen)):
        if run is None:
            say(f"first faces of {what} are swapped by a net of {config.swap_steps} steps")
    swap = swap_of(config.data, config.run, config.seed, config, device)
    other = swap_of(config.unseen, config.unseen_run, config.seed + 1000, config, device)
    train, valid = training_images(learnt, swap, config)
    test = test_images(learnt, unseen, swap, other)
    loaders = LoaderFactory(config, device)
    detector = Meso4(config.loader.image_size, width=config.net.width, hidden_dim=config.net.hidden_dim)
    task = SwapDetectorTask(detector, config)
    model = _model(config, task, valid, test)

    def compared() -> dict[str, float]:
        found, curves = baselines(train, test)
        model.files[PICTURE] = draw_roc(task.scores.curves, curves)  # those of the test, which was scored just before
        return found

    return Experiment(
        task=task,
        train=loaders.training(train),
        select=loaders.ordered(valid),
        test=loaders.ordered(test),
        sources=(*learnt, *unseen),
        models=(model,),
        baselines=compared,
    )


def _model(
    config: SwapDetectorConfig, task: SwapDetectorTask, valid: TensorDataset, test: TensorDataset
) -> TrainedModel:
    return TrainedModel(
        builder="gans-swap-detector",
        config=detector_config(config.net, config.loader.image_size),
        complete=lambda: {"threshold": threshold(_logits(task, valid.tensors["image"]), valid.tensors["label"])},
        net=task.detector,
        test=TensorDataset({"image": test.tensors["image"], "label": test.tensors["label"]}),
        inputs={"image": "image"},
        targets={"probability": "label"},
        labels=CLASSES,
    )


@torch.no_grad()
def _logits(task: SwapDetectorTask, images: Tensor) -> Tensor:
    device = next(task.detector.parameters()).device
    net = task.detector.eval()
    return torch.cat([net(rows.to(device).float() / 255).float().cpu() for rows in images.split(256)])
