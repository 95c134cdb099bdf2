"""Face swaps: from a configuration to an experiment."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from torchworks.gans.data.face_drawing import draw_face
from torchworks.gans.data.face_numbers import person, pose_of
from torchworks.gans.data.generated_faces import GeneratedFaces
from torchworks.gans.models.shared_encoder_autoencoder import SharedEncoderAutoencoder
from torchworks.gans.swapping.baselines import baselines
from torchworks.gans.swapping.config import FaceSwapConfig
from torchworks.gans.swapping.marks import payload_of
from torchworks.gans.swapping.metrics import Judges, Renders, SwapScores
from torchworks.gans.swapping.predictor import swapper_config
from torchworks.gans.swapping.survival import MOST, survival
from torchworks.gans.swapping.task import FaceSwapTask
from torchworks.gans.translation.data import open_domains
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Loader, LoaderFactory, Source, TensorDataset, ZipLoader, held_out, resident
from torchworks.shared.data.schema import Field, Schema
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

TWO_FACES = "A swap needs images of two faces, joined by a plus sign, such as folder:A+folder:B"
SHOWN = 10
"""Images in a row of the preview."""


def build_face_swap(config: FaceSwapConfig, device: Device) -> Experiment:
    """Of any two sources of images; the truth is known of two persons of `generated-faces`."""
    sources = open_faces(config)
    net = SharedEncoderAutoencoder(config.loader.image_size, width=config.net.width, latent_dim=config.net.latent_dim)
    parts = [divided(source, config) for source in sources]
    drawn = [isinstance(source.test, GeneratedFaces) for source in sources]
    renders = dict(zip("ab", map(_renders, sources), strict=True)) if all(drawn) else {}
    tests = _with_truths(*sources) if renders else [source.test for source in sources]
    loaders = LoaderFactory(config, device)
    test = joined(loaders.ordered, tests)
    scores = SwapScores(Judges(renders) if renders else None)
    task = FaceSwapTask(net, config, _shown(tests), scores)
    return Experiment(
        task=task,
        train=ZipLoader(a=loaders.training(parts[0][0], 0), b=loaders.training(parts[1][0], 1)),
        select=joined(loaders.ordered, [valid for _, valid in parts]),
        test=test,
        sources=sources,
        models=(_model(config, task, tests[0]),),
        baselines=lambda: _survival(task, tests) | (baselines(test, renders) if renders else {}),
    )


def open_faces(config: Any) -> tuple[Source, Source]:
    """The two sources of `config.data`, in color. Raises `UserError`."""
    sources = open_domains(config.data, replace(config.loader, channels=3), needs=TWO_FACES)
    for source in sources:
        source.need("image")
    return sources


def divided(source: Source, config: Any) -> tuple[Dataset, Dataset]:
    """The training images, and those by which the best state is chosen. Raises `UserError` if there are too few."""
    train, valid = held_out(source.train, config.valid_fraction, config.seed, labels=[0] * len(source.train))
    if valid is None:
        raise UserError(
            f"{source.name} has {len(source.train)} training images, of which none can be held out to choose the best "
            "state by. Bring more, and let --valid-fraction be above 0."
        )
    return train, valid


def joined(opened: Callable[[Dataset, int], Loader], datasets: list[Any]) -> ZipLoader:
    """The loaders of A's and of B's images as one."""
    return ZipLoader(a=opened(datasets[0], 0), b=opened(datasets[1], 1))


def _renders(source: Source) -> Renders:
    train: Any = source.train
    held = train.resident().tensors
    return Renders(person(train.number), held["image"], held["pose"])


def _with_truths(a: Source, b: Source) -> list[TensorDataset]:
    """The test images of each with the other person in the same poses."""
    return [_with_truth(mine.test, other.test) for mine, other in ((a, b), (b, a))]


def _with_truth(test: Any, other: Any) -> TensorDataset:
    size = test.schema["image"].shape[-1]
    truths = [torch.from_numpy(draw_face(person(other.number), pose_of(pose), size)) for pose in test.poses]
    schema = Schema((*test.schema.fields, Field("truth", "image", (3, size, size))))
    return TensorDataset({**test.resident().tensors, "truth": torch.stack(truths)}, schema)


def _shown(tests: list[Any]) -> dict[str, Tensor]:
    """The first test images, as in batches."""
    shown = {}
    for side, test in zip("ab", tests, strict=True):
        rows = [test[i] for i in range(min(SHOWN, *map(len, tests)))]
        for name in {"image", "truth"} & rows[0].keys():
            shown[f"{side}_{name}"] = torch.stack([row[name] for row in rows]).float() / 127.5 - 1
    return shown


def _survival(task: FaceSwapTask, tests: list[Any]) -> dict[str, float]:
    """What the mark of this net survives in test images of A as B."""
    device = next(task.autoencoder.parameters()).device
    rows = [tests[0][i]["image"] for i in range(min(MOST, len(tests[0])))]
    images = torch.stack(rows).to(device).float() / 255
    task.autoencoder.eval()
    return survival(images, task.swapped(images, 1), payload_of(task.autoencoder))


def _model(config: FaceSwapConfig, task: FaceSwapTask, test: Any) -> TrainedModel:
    images = resident(test).tensors["image"]
    kept = {"image": images, "person": torch.ones(len(images), dtype=torch.int64)}
    return TrainedModel(
        builder="gans-face-swap",
        config=swapper_config(config.net, config.loader.image_size),
        complete=lambda: {"payload": payload_of(task.autoencoder)},
        net=task.autoencoder,
        golden={"image": images[:2], "person": torch.tensor([1, 0])[: len(images)]},
        test=TensorDataset(kept),
        inputs={"image": "image", "person": "person"},
        tolerance=TOLERANCE,
    )


TOLERANCE = 0.02
"""Of an image in [0, 1]: where a number of the invisible mark is midway between two places, rounding decides."""
