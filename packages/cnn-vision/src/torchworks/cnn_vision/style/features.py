"""Trained feature nets by name: VGG-19, or the small VGG that the recipe `features` trains.

    open_features("vgg19", names, root)                 VGG-19 with torchvision's weights (548 MB, once)
    open_features("vgg19-dcbb9e9d.pth", names, root)    the same from a file
    open_features("", names, root)                      the small VGG, trained on bundled photographs once

The last takes minutes, the first time.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from torchworks.cnn_vision.data.photos import TRAIN
from torchworks.cnn_vision.models.pretrained import read_weights
from torchworks.cnn_vision.models.vgg_features import (
    SMALL,
    SMALL_WIDTHS,
    VGG19,
    FeatureNet,
    SmallVGG,
    small_features,
    small_layers,
    vgg19_features,
)
from torchworks.cnn_vision.style.config import FeaturesConfig
from torchworks.cnn_vision.style.pretext import CELL, CROP
from torchworks.cnn_vision.style.recipes import features
from torchworks.shared.config import UserError, to_dict
from torchworks.shared.machine.device import choose, seed_everything
from torchworks.shared.training.experiment import build
from torchworks.shared.training.progress import Progress, Silent
from torchworks.shared.training.trainer import Trainer


def open_features(source: str, names: Sequence[str], root: Path) -> FeatureNet:
    """A trained feature net with the maps `names`. `source` is "vgg19", a file of VGG-19's weights, the directory of
    a run of the recipe `features`, or "": the weights that this recipe trains by default, kept in `root` and trained
    first where they are missing. Raises `UserError` for weights that cannot be fetched, read or used."""
    if architecture_of(source) == VGG19:
        return vgg19_features(names, pretrained=True if source == VGG19 else source)
    state = read_weights(Path(source).expanduser()) if source else kept_weights(root.expanduser())
    layers = small_layers()
    try:
        layers.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"{source or root} holds no weights of the feature net: they do not fit. Give --features the directory of "
            "a run of the recipe features, a file of VGG-19's weights (.pth), or vgg19."
        ) from error
    return small_features(layers, names)


def architecture_of(source: str) -> str:
    """The architecture of the weights named `source`: a folder is a run of the recipe `features`, a file is
    VGG-19's."""
    return SMALL if not source or Path(source).expanduser().is_dir() else VGG19


def kept_weights(root: Path) -> dict[str, Tensor]:
    """The weights of the recipe `features` with its own settings, from `root`, or trained now and kept there."""
    config = features()
    key = hashlib.sha256(
        json.dumps([to_dict(config), TRAIN, CELL, CROP, SMALL_WIDTHS], sort_keys=True).encode()
    ).hexdigest()[:12]
    file = root / f"cnn-vision-features-{key}.safetensors"
    if not file.is_file():
        state = _trained(config, file)
        aside = file.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):  # a home that cannot be written: it is trained again next time
            file.parent.mkdir(parents=True, exist_ok=True)
            save_file(state, aside)
            aside.replace(file)
        return state
    return read_weights(file)


def _trained(config: FeaturesConfig, file: Path) -> dict[str, Tensor]:
    device = choose("cpu", "fp32", "off")
    progress = Progress(config.trainer.steps) if device.rank == 0 else Silent()
    progress.say(f"training the small feature net first; it is kept as {file}. --features names another.")
    seed_everything(config.seed)
    settings = dataclasses.replace(config.trainer, device="cpu", precision="fp32", channels_last="off")
    alone = dataclasses.replace(device, rank=0, world=1)  # every process trains the same net
    experiment = build(dataclasses.replace(config, trainer=settings), alone)
    trainer = Trainer(
        experiment.task, experiment.train, None, settings,
        optim=config.optim, seed=config.seed, progress=progress, device=alone,
    )  # fmt: skip
    trainer.fit()
    net = experiment.task.nets()["model"]
    assert isinstance(net, SmallVGG)
    return {name: value.contiguous() for name, value in net.float().plain().state_dict().items()}
