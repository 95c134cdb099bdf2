"""Two tiny tasks with everything that makes a resume hard; `toy_recipes.py` is their command line.

The classifier has batch normalization, dropout (torch's global generator) and momentum; the GAN has two optimizers,
noise, a phase that repeats, a lazy gradient penalty, averaging and state of its own. `plain` is the classifier without
normalization and dropout, `game` the GAN without the penalty: what several processes can do exactly alike.
"""

import tempfile
import time

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from torchworks.shared.data import (
    BucketOrder,
    Field,
    ResidentLoader,
    Schema,
    Source,
    TensorDataset,
    Windows,
    pad_to_longest,
)
from torchworks.shared.task import Diagnosis, Out, Phase, Task
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.optim import adam


def circle_and_ring(n: int = 512) -> dict[str, Tensor]:
    """Points of two classes in the plane, without any random generator."""
    angle = torch.arange(n) * 2.399963
    radius = torch.where(torch.arange(n) % 2 == 0, 0.4, 1.0) + 0.1 * torch.sin(torch.arange(n) * 1.7)
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1).float()
    return {"x": points, "label": torch.arange(n) % 2}


class Rows:
    """A loader whose batch at a position depends on the position alone."""

    def __init__(self, batch_size: int, rank: int = 0, world: int = 1, slow: float = 0.0):
        self.data, self.size, self.rank, self.world, self.slow = circle_and_ring(), batch_size, rank, world, slow

    def wait(self):
        if self.slow:
            time.sleep(self.slow)

    def iter_from(self, position: int):
        while True:
            generator = torch.Generator().manual_seed(position)
            order = torch.randperm(512, generator=generator)[: self.size * self.world]
            mine = order[self.rank * self.size : (self.rank + 1) * self.size]
            self.wait()
            yield {name: value[mine] for name, value in self.data.items()}
            position += 1

    def __iter__(self):
        for start in range(0, 512, 200):
            self.wait()
            yield {name: value[start : start + 200] for name, value in self.data.items()}


class Classifier(Task):
    watch, watch_mode = "accuracy", "max"

    def __init__(self, drop: float = 0.1, norm: bool = True):
        middle = [nn.BatchNorm1d(32)] if norm else []
        self.model = nn.Sequential(nn.Linear(2, 32), *middle, nn.ReLU(), nn.Dropout(drop), nn.Linear(32, 2))

    def nets(self):
        return {"model": self.model}

    def optimizer(self, net):
        return torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)

    def loss(self, phase, batch):
        logits = self.model(batch["x"])
        right = (logits.argmax(1) == batch["label"]).float().mean()
        return Out(nn.functional.cross_entropy(logits, batch["label"]), logs={"accuracy": right})

    def evaluate(self, batch):
        noisy = batch["x"] + 0.1 * torch.randn_like(batch["x"])  # from the global generator, as careless tasks do
        return {"accuracy": ((self.model(noisy).argmax(1) == batch["label"]).float().sum(), len(noisy))}


class Gan(Task):
    phases = (
        Phase("d", "discriminator", repeat=2),
        Phase("g", "generator", clip=5.0),
        Phase("r1", "discriminator", every=4),
    )
    exported = ("generator",)
    watch = "distance"

    def __init__(self, lazy: bool = True):
        self.phases = Gan.phases if lazy else Gan.phases[:2]
        self.generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
        self.discriminator = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))
        self.seen = 0

    def nets(self):
        return {"generator": self.generator, "discriminator": self.discriminator}

    def optimizer(self, net):
        # A large eps: a gradient that is 0 in one process and 1e-9 in two must not become a whole step of Adam.
        return torch.optim.Adam(self.nets()[net].parameters(), lr=1e-3, betas=(0.0, 0.9), eps=1e-4)

    def loss(self, phase, batch):
        real = batch["x"]
        if phase == "r1":
            real = real.clone().requires_grad_()
            score = self.discriminator(real)
            (slope,) = torch.autograd.grad(score.sum(), real, create_graph=True)
            return Out(slope.square().sum(1).mean() + 0 * score.mean())
        fake = self.generator(self.random.normal(len(real), 4))
        if phase == "g":
            return Out(-self.discriminator(fake).mean())
        self.seen += len(real)
        margin = nn.functional.relu(1 - self.discriminator(real)) + nn.functional.relu(
            1 + self.discriminator(fake.detach())
        )
        return Out(margin.mean(), logs={"gap": margin.mean() - 2})

    def evaluate(self, batch):
        fake = self.generator(self.random.normal(len(batch["x"]), 4))
        return {"distance": ((fake.mean(0) - batch["x"].mean(0)).norm(), 1)}

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


class Shaken(Classifier):
    """A classifier whose doctor remembers every loss that it was shown, and rolls back at steps 30 and 45."""

    def __init__(self):
        super().__init__()
        self.seen: list[float] = []

    def diagnose(self, step, figures):
        if "train/loss" not in figures:
            return None
        self.seen.append(round(figures["train/loss"], 6))
        return Diagnosis("shaken", "rollback") if step in (30, 45) else None

    def state_dict(self):
        return {"seen": list(self.seen)}

    def load_state_dict(self, state):
        self.seen = list(state["seen"])


class Unequal(Classifier):
    """The mean over rows that count many times or once, with how many there are as a plain integer."""

    def loss(self, phase, batch):
        counts = 1 + 4 * (batch["x"][:, 0] > 0)
        losses = nn.functional.cross_entropy(self.model(batch["x"]), batch["label"], reduction="none")
        return Out((losses * counts).sum() / counts.sum(), weight=int(counts.sum()))


class Lean(Classifier):
    """A classifier with an optimizer of the core's."""

    def optimizer(self, net):
        return adam(self.model, lr=1e-3)


class Contrast(Classifier):
    """Each point and its mirror image know each other among all of the batch, of all processes (InfoNCE)."""

    phases = (Phase("train", "model", whole_batch=True),)

    def loss(self, phase, batch):
        sides = (batch["x"], batch["x"].flip(1))
        ours, theirs = (self.gather(nn.functional.normalize(self.model(side))) for side in sides)
        return Out(nn.functional.cross_entropy(ours @ theirs.T / 0.2, torch.arange(len(ours))))


class NextSign(Task):
    """Guesses each sign of a text from the one before; padding, -1, does not count."""

    watch = "loss"

    def __init__(self):
        self.model = nn.Sequential(nn.Embedding(SIGNS, 16), nn.Tanh(), nn.Linear(16, SIGNS))

    def nets(self):
        return {"model": self.model}

    def optimizer(self, net):
        return torch.optim.Adam(self.model.parameters(), lr=0.02)

    def _sum(self, batch):
        before, target = batch["tokens"], batch.get("target")
        if target is None:
            before, target = before[:, :-1], before[:, 1:]
        losses = nn.functional.cross_entropy(
            self.model(before.clamp(min=0)).flatten(0, 1), target.flatten(), ignore_index=-1, reduction="sum"
        )
        return losses, (target >= 0).sum()

    def loss(self, phase, batch):
        total, count = self._sum(batch)
        return Out(total / count, weight=count)

    def evaluate(self, batch):
        return {"loss": self._sum(batch)}


SIGNS = 12


def signs(n: int = 3000) -> np.ndarray:
    """A text of `SIGNS` signs, most of which say what follows them."""
    text = np.cumsum(np.arange(n) % 3 == 0) * 5 + np.arange(n) * 7 + (np.arange(n) % 11 == 0)
    return (text % SIGNS).astype(np.uint8)


def windows(batch_size: int, **options) -> Windows:
    return Windows(signs(), 12, batch_size, 7, **options)


def mapped(batch_size: int, **options) -> Windows:
    with tempfile.TemporaryFile() as opened:  # the mapping outlives it
        file = np.memmap(opened, np.uint8, "w+", shape=(3000,))
    file[:] = signs()
    return Windows(file, 12, batch_size, 7, **options)


def buckets(batch_size: int, *, rank: int = 0, world: int = 1, **options) -> ResidentLoader:
    text = torch.from_numpy(signs()).long()
    tokens, lengths = pad_to_longest([text[9 * i : 9 * i + 2 + i * i % 23] for i in range(300)], pad=-1)
    schema = Schema((Field("tokens", "tokens", (24,), vocabulary=SIGNS, ragged=True, pad=-1),))
    order = BucketOrder(300, batch_size, options.get("seed", 0), rank, world, lengths=lengths, pool=4)
    return ResidentLoader(TensorDataset({"tokens": tokens, "tokens_length": lengths}, schema), batch_size, order=order)


TEXTS = {"windows": windows, "mapped": mapped, "buckets": buckets}


TASKS = {
    "classifier": Classifier,
    "plain": lambda: Classifier(drop=0.0, norm=False),
    "gan": Gan,
    "game": lambda: Gan(lazy=False),
    "shaken": Shaken,
    "unequal": lambda: Unequal(drop=0.0, norm=False),
    "contrast": lambda: Contrast(drop=0.0, norm=False),
    "lean": Lean,
    **dict.fromkeys(TEXTS, NextSign),
}


class Weights:
    """The weights of a task's exported nets: a model without a predictor."""

    def __init__(self, task: Task):
        self.task = task

    def save(self, folder, config, sources):
        nets = [self.task.nets()[name].state_dict() for name in self.task.exported]
        save_file({key: value for net in nets for key, value in net.items()}, folder / "model.safetensors")


def experiment(config, device) -> Experiment:
    """The experiment of a `toy_recipes.ToyConfig`."""
    task = TASKS[config.recipe]()
    loader = scored = Rows(config.trainer.batch_size, device.rank, device.world, config.slow)
    if config.recipe in TEXTS:
        make = TEXTS[config.recipe]
        loader = make(config.trainer.batch_size, seed=config.seed, rank=device.rank, world=device.world)
        scored = make(100, train=False)
    data = TensorDataset(circle_and_ring())
    source = Source("circle and ring", "none needed: made by a formula", data, data, data.schema, "formula")
    return Experiment(task, loader, scored, scored, (source,), (Weights(task),), lambda: {"accuracy_chance": 0.5})
