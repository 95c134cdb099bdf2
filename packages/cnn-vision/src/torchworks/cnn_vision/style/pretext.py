"""How the small feature net comes to be trained: it tells crops of photographs apart.

The bundled photographs for training are cut into cells of 160 × 160 pixels, and each cell is a class (surrogate
classes, Dosovitskiy et al. 2014, "Discriminative Unsupervised Feature Learning with Convolutional Neural Networks",
arXiv:1406.6909, whose classes are single patches). Training crops lie in the upper 96 rows of a cell and test crops in
the lower 64, so they share no pixel. Crops are mirrored, recoloured and often made grey, so that colour alone tells
little.

Shape letters: N crops, S pixels, K cells.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from torchworks.cnn_vision.classification.build import open_loaders
from torchworks.cnn_vision.classification.task import Classification
from torchworks.cnn_vision.data.paintings import LICENCE, TRAIN, photograph
from torchworks.cnn_vision.models.pretrained import read_weights
from torchworks.cnn_vision.style.config import FeaturesConfig
from torchworks.cnn_vision.style.features import SMALL_WIDTHS, FeatureNet, SmallVGG, small_layers
from torchworks.shared.config import UserError, to_dict
from torchworks.shared.data import Source, TensorDataset, flip
from torchworks.shared.data.dataset import Field, Schema, fit
from torchworks.shared.data.split import digests, fingerprint
from torchworks.shared.machine.device import choose, seed_everything
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec, save_model
from torchworks.shared.numbers.stream import SampleRandom
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import Progress, Silent
from torchworks.shared.training.trainer import Trainer

CELL, CROP, TRAIN_ROWS = 160, 64, 96
CROPS = 40, 8
"""Training and test crops of each cell."""


def features_experiment(config: FeaturesConfig) -> Experiment:
    """A small net that tells the cells apart; its convolutional part is what the run is for."""
    if config.data != "photos":
        raise UserError(
            f"The feature net is trained on --data photos alone, whose parts it learns to tell apart; {config.data} "
            "was given. A net trained on other data is given to the other recipes by --features."
        )
    source = cells(config.loader.image_size, config.seed)
    classes = source.schema["label"].classes
    net = SmallVGG(len(classes))
    settings = config.trainer
    device = choose(settings.device, settings.precision, settings.channels_last)
    task = Classification(net, len(classes), lr=config.optim.lr, weight_decay=0.01)
    task.watch = None
    train, select, test = open_loaders(
        config, device, source.train, (source.test, source.test), [flip(), recoloured()]
    )  # fmt: skip

    def package_model(folder: Path) -> None:
        predictor = build_feature_maps({"image_size": config.loader.image_size})
        predictor.net.load_state_dict(net.cpu().float().plain().state_dict())
        save_model(
            folder, predictor, package=config.package, recipe=config.recipe, builder="cnn-vision-features",
            config={"image_size": config.loader.image_size}, golden={"image": source.test.tensors["image"][:2]},
        )  # fmt: skip

    return Experiment(
        task, train, select, test, (source,), package_model, lambda: {"accuracy_baseline": 1 / len(classes)}
    )


def cells(size: int, seed: int) -> Source:
    """Crops of all cells, uint8 (N, 3, S, S), and which cell each is of."""
    rng = np.random.default_rng(seed)
    train: list[Tensor] = []
    test: list[Tensor] = []
    names: list[str] = []
    for photo_name in TRAIN:
        photo = photograph(photo_name)
        for top in range(0, photo.shape[1] - CELL + 1, CELL):
            for left in range(0, photo.shape[2] - CELL + 1, CELL):
                cell = photo[:, top : top + CELL, left : left + CELL]
                names.append(f"{Path(photo_name).stem}-{top}-{left}")
                train.append(_crops(cell[:, :TRAIN_ROWS], CROPS[0], rng))
                test.append(_crops(cell[:, TRAIN_ROWS:], CROPS[1], rng))
    schema = Schema((Field("image", "image", (3, size, size)), Field("label", "label", (), tuple(names))))
    parts = [
        TensorDataset(
            {"image": fit(torch.cat(crops), 3, size), "label": torch.arange(len(names)).repeat_interleave(count)},
            schema
        )
        for crops, count in zip((train, test), CROPS, strict=True)
    ]  # fmt: skip
    mark = fingerprint(*(digests(part.tensors["image"]) for part in parts))
    return Source("photos", LICENCE, parts[0], parts[1], schema, mark)


def _crops(cell: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    tops, lefts = (rng.integers(0, side - CROP + 1, count).tolist() for side in cell.shape[1:])
    return torch.stack([cell[:, y : y + CROP, x : x + CROP] for y, x in zip(tops, lefts, strict=True)])


def recoloured(grey: float = 0.4, gain: float = 0.4, offset: float = 0.3) -> Any:
    """An augmentation: a share `grey` of the images becomes grey; each channel is multiplied by a factor within
    1 ± `gain`, and a number within ± `offset` (in normalised units) is added to it."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        mean = images.mean(1, keepdim=True).expand_as(images)
        images = torch.where(random.uniform(1, 1, 1) < grey, mean, images)
        channels = images.shape[1]
        factor, added = random.uniform(channels, 1, 1) * 2 - 1, random.uniform(channels, 1, 1) * 2 - 1
        return images * (1 + gain * factor) + offset * added

    return apply


# ------------------------------------------------------------------------------------------------------- in use


class FeatureMaps(Predictor):
    """image (N, 3, S, S), uint8 → features (N, C), the means over the last map."""

    def __init__(self, net: nn.Module, signature: Signature):
        super().__init__(net, signature)
        assert isinstance(net, nn.Sequential)
        self.whole = FeatureNet(net, (0.5,) * 3, (0.5,) * 3, ("relu4_1",))

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.whole(inputs[0].float() / 255)["relu4_1"].mean((2, 3))


def build_feature_maps(config: dict[str, Any]) -> FeatureMaps:
    """Builder "cnn-vision-features"."""
    layers, size = small_layers(), config["image_size"]
    image = TensorSpec("image", "image", "uint8", ("N", 3, size, size))
    channels = next(layer.out_channels for layer in reversed(layers) if isinstance(layer, nn.Conv2d))
    return FeatureMaps(layers, Signature((image,), (TensorSpec("features", "features", "float32", ("N", channels)),)))


def kept_weights(root: Path) -> dict[str, Tensor]:
    """Weights that the recipe `features` makes with its own settings, trained now unless `root` has them already."""
    from torchworks.cnn_vision.style.recipes import features

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
    progress.say(f"the small feature net is trained first, once, and kept as {file}; --features names another")
    seed_everything(config.seed)
    config = dataclasses.replace(
        config, trainer=dataclasses.replace(config.trainer, device="cpu", precision="fp32", channels_last="off")
    )
    experiment = features_experiment(config)
    alone = dataclasses.replace(device, rank=0, world=1)
    trainer = Trainer(
        experiment.task, experiment.train, None, config.trainer,
        optim=config.optim, seed=config.seed, progress=progress, device=alone,
    )  # fmt: skip
    trainer.fit()
    net = experiment.task.nets()["model"]
    assert isinstance(net, SmallVGG)
    return {name: value.contiguous() for name, value in net.float().plain().state_dict().items()}
