"""Two tiny tasks with everything that makes a resume hard; `toy_recipes.py` is their command line.

The classifier has batch normalisation, dropout (torch's global generator) and momentum; the GAN has two optimisers,
noise, a phase that repeats, a lazy gradient penalty, averaging and state of its own. `plain` is the classifier without
normalisation and dropout, `game` the GAN without the penalty: what several processes can do exactly alike.
"""

import time
from types import SimpleNamespace

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from torchworks.shared.device import choose
from torchworks.shared.experiment import Experiment
from torchworks.shared.optim import adam
from torchworks.shared.task import Diagnosis, Out, Phase, Task


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


TASKS = {
    "classifier": Classifier,
    "plain": lambda: Classifier(drop=0.0, norm=False),
    "gan": Gan,
    "game": lambda: Gan(lazy=False),
    "shaken": Shaken,
    "unequal": lambda: Unequal(drop=0.0, norm=False),
    "contrast": lambda: Contrast(drop=0.0, norm=False),
    "lean": Lean,
}


def experiment(config) -> Experiment:
    """The experiment of a `toy_recipes.ToyConfig`."""
    task, device = TASKS[config.recipe](), choose("cpu", "fp32")
    loader = Rows(config.trainer.batch_size, device.rank, device.world, config.slow)
    source = SimpleNamespace(name="circle and ring", licence="none needed: made by a formula", notes=())

    def package_model(folder):
        nets = [task.nets()[name].state_dict() for name in task.exported]
        save_file({key: value for net in nets for key, value in net.items()}, folder / "model.safetensors")

    return Experiment(task, loader, loader, loader, (source,), package_model, lambda: {"accuracy_chance": 0.5})
