"""How every judge is trained: one fixed recipe, on one thread of the CPU in float32, so that its seed says all.

The same recipe measures how good images are to learn from (`cas`). Measured on one core: 300 steps on the 1,438
training digits take 3 s at 16 × 16 pixels, 7 s at 32 × 32, and read 99.2 to 99.7 % of the test digits right (three
seeds each). Color takes 20 s; larger sets get up to 1,500 steps.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig, UserError
from torchworks.shared.data import Dataset, ResidentLoader, Schema, TensorDataset, open_loader, shift
from torchworks.shared.fidelity.judge import FEATURES, Judge, JudgeNet, reduce
from torchworks.shared.machine.device import Device
from torchworks.shared.numbers.stream import mix
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw
from torchworks.shared.training.progress import Estimate, Silent
from torchworks.shared.training.trainer import Trainer

RECIPE = 1
"""Version of the recipe; raise it when anything here or in `JudgeNet` changes what comes out."""

_BATCH = 128
_STEPS, _MOST_STEPS, _EPOCHS = 300, 1500, 8
_LR = 3e-3
_TURNS = 4


class JudgeTask(Task):
    """Classify images, or predict their rotation if `turns` is set."""

    watch = None

    def __init__(self, model: JudgeNet, *, turns: bool = False):
        self.model, self.turns = model, turns

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> torch.optim.Optimizer:
        return adamw(self.model, lr=_LR)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        images, labels = batch["image"], batch.get("label")
        if self.turns:
            labels = self.random.integers(_TURNS, len(images))
            images = turned(images, labels)
        assert labels is not None
        return Out(F.cross_entropy(self.model(images), labels), len(images))

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, tuple[Tensor, int]]:
        images, labels = batch["image"], batch.get("label")
        if self.turns:
            labels = batch["index"] % _TURNS
            images = turned(images, labels)
        right = self.model(images).argmax(1) == labels
        return {"accuracy": (right.sum(), len(right))}


def turned(images: Tensor, quarters: Tensor) -> Tensor:
    """`images` (N, C, H, H), each rotated by its number of quarter turns, int64 (N,) in 0..3."""
    every = torch.stack([images.rot90(turn, (2, 3)) for turn in range(_TURNS)])
    return every[quarters, torch.arange(len(images), device=images.device)]


def train_judge(
    name: str, train: Dataset, test: Dataset, seed: int = 0, say: Callable[[str], None] = Silent.say
) -> Judge:
    """A judge of the images of `train`; `test` gives its accuracy and nothing else. `say` is told how long it takes."""
    classes = class_names(train.schema)
    small, unseen = reduced(train), reduced(test)
    steps = min(max(_STEPS, _EPOCHS * len(small) // _BATCH), _MOST_STEPS)
    net, accuracy = _fit(small, unseen, len(classes), steps, seed, say)
    with torch.no_grad(), _one_thread():
        features = torch.cat([net.features(batch["image"]) for batch in ResidentLoader(small, 2 * _BATCH)])
    std = features.std(0)
    std = torch.where(std > 1e-6, std, 1.0)  # a map that is always dark stays 0
    suffix = FEATURES if classes else f"rot{FEATURES}"
    judge = Judge(net, features.mean(0), std, f"{name}{suffix}", classes)
    judge.accuracy = accuracy
    return judge


def cas(train: Dataset | tuple[Tensor, Tensor], test: Dataset, *, seed: int = 0) -> float:
    """Classification accuracy score (Ravuri and Vinyals 2019): the share of the real images `test` that a
    classifier reads right which has seen only `train`.

    `train` is a data set, or images (N, C, H, W) in [-1, 1] with labels, int64 (N,), such as a generator's. The
    classifier and its 300 steps are always the same, so a score for generated images compares with that for real
    ones. Raises `UserError` if `test` has fewer than two classes.
    """
    classes = class_names(test.schema)
    if not classes:
        raise UserError(
            "The accuracy of a classifier trained on generated images (CAS) needs real test images of at least two "
            "classes, but these data have no labels. Use labelled data, or leave this score out."
        )
    small = _synthetic(*train) if isinstance(train, tuple) else reduced(train)
    return _fit(small, reduced(test), len(classes), _STEPS, seed)[1]


def class_names(schema: Schema) -> tuple[str, ...]:
    """Names of the classes; empty if there are no labels, or a single class, which cannot train a classifier."""
    names = schema["label"].classes if "label" in schema else ()
    return names if len(names) > 1 else ()


def reduced(dataset: Dataset) -> TensorDataset:
    """`dataset` in memory, at the size at which judges look at it."""
    batches = open_loader(dataset, LoaderConfig(), 2 * _BATCH, train=False)
    names = [name for name in ("image", "label") if name in dataset.schema]
    parts = [batch | {"image": _bytes(reduce(batch["image"]))} for batch in batches]
    return TensorDataset({name: torch.cat([part[name] for part in parts]) for name in names})


def _synthetic(images: Tensor, labels: Tensor) -> TensorDataset:
    small = torch.cat([_bytes(reduce(part)) for part in images.split(2 * _BATCH)])
    return TensorDataset({"image": small, "label": labels.cpu()})


def _bytes(images: Tensor) -> Tensor:
    """[-1, 1] → uint8 on the CPU."""
    return ((images.detach().float() + 1) * 127.5).round().clamp(0, 255).to("cpu", torch.uint8)


def _fit(
    train: TensorDataset,
    test: TensorDataset,
    num_classes: int,
    steps: int,
    seed: int,
    say: Callable[[str], None] = Silent.say,
) -> tuple[JudgeNet, float]:
    """A net trained on `train`, and its accuracy on `test`; 0 classes: trained to predict rotations."""
    channels, side = train.tensors["image"].shape[1:3]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mix(seed, "judge"))
        net = JudgeNet(channels, num_classes or _TURNS)
    loader = ResidentLoader(train, _BATCH, seed=seed, augment=(shift(side // 16),))
    config = TrainerConfig(steps=steps, batch_size=_BATCH, log_every=steps)
    schedule = OptimConfig(lr=_LR, schedule="cosine", warmup=steps // 10)
    trainer = Trainer(
        JudgeTask(net, turns=not num_classes),
        loader,
        ResidentLoader(test, 2 * _BATCH, train=False),
        config,
        optim=schedule,
        seed=seed,
        progress=Estimate(steps, say),
        device=Device(torch.device("cpu"), channels_last=True),
    )
    with _one_thread():
        return net, trainer.fit().scores["accuracy"]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums come out the same on any number of cores, and nets this small hardly gain by more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
