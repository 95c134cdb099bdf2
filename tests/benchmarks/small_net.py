"""The cost of a trainer: a net so small that the loop around it is most of the work.

Everybody trains the same net (32 → 64 → 10, batches of 64) with the same fused AdamW in fp32. "DataLoader" is
torch's, shuffled, without workers, over 4,096 single samples. Who logs, writes the loss every 50 steps.
"""

import torch
from race import Clock, Loop
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from training import train, train_with_lightning

from torchworks.shared.config import TrainerConfig
from torchworks.shared.data import ResidentLoader, TensorDataset
from torchworks.shared.machine.device import Device
from torchworks.shared.task import Out, Task

SAMPLES, FEATURES, CLASSES, BATCH = 4096, 32, 10, 64
LOG_EVERY = 50  # as Lightning by default


def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(SAMPLES, FEATURES, generator=generator)
    return {"x": x, "label": torch.randint(CLASSES, (SAMPLES,), generator=generator)}


class Samples(Dataset):
    """One sample at a time, for a DataLoader to collate."""

    def __init__(self):
        self.tensors = tensors()

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {name: tensor[i] for name, tensor in self.tensors.items()}


def data_loader() -> DataLoader:
    return DataLoader(Samples(), batch_size=BATCH, shuffle=True)


def small_net(clock: Clock | None = None) -> nn.Module:
    net = nn.Sequential(nn.Linear(FEATURES, 64), nn.ReLU(), nn.Linear(64, CLASSES))
    if clock is not None:
        clock.watch(net)
    return net


def adamw(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)


BARE, OURS = "bare loop, DataLoader", "ours, DataLoader"
INDEXED, RESIDENT = "bare loop, indexed tensors", "ours, ResidentLoader"


def loops(device: Device) -> dict[str, Loop]:
    """Ours and the bare loop, by name."""
    return {
        BARE: lambda clock: bare(clock, device),
        OURS: lambda clock: ours(clock, device, data_loader()),
    }


def loops_without_data_loader(device: Device) -> dict[str, Loop]:
    return {
        BARE: lambda clock: bare(clock, device),
        INDEXED: lambda clock: bare_indexed(clock, device),
        RESIDENT: lambda clock: ours(clock, device, resident_loader(device)),
    }


def loops_with_peers(device: Device) -> dict[str, Loop]:
    """The same DataLoader for everybody. To be raced after the others, because importing the peers makes every loop
    in the process slower, by a fifth or so. Peers that are not installed are left out."""
    peers: dict[str, Loop] = {
        "Accelerate": lambda clock: with_accelerate(clock, device),
        "Lightning": lambda clock: with_lightning(clock, device, barebones=False),
        "Lightning, barebones": lambda clock: with_lightning(clock, device, barebones=True),
    }
    there = {name: loop for name, loop in peers.items() if _installed(name.split(",")[0].lower())}
    ordinary = loops(device)
    return {BARE: ordinary[BARE], OURS: ordinary[OURS], **there} if there else {}


def _installed(package: str) -> bool:
    try:
        __import__(package)
    except ImportError:
        return False
    return True


# ---- by hand: nothing is logged --------------------------------------------------------------------------


def bare(clock: Clock, device: Device) -> None:
    net = small_net(clock).to(device.device)
    optimizer, loader = adamw(net), data_loader()
    step = 0
    while step < clock.steps:
        for batch in loader:
            x, label = batch["x"].to(device.device), batch["label"].to(device.device)
            optimizer.zero_grad()
            cross_entropy(net(x), label).backward()
            optimizer.step()
            step += 1
            if step == clock.steps:
                break


def bare_indexed(clock: Clock, device: Device) -> None:
    net = small_net(clock).to(device.device)
    optimizer = adamw(net)
    x, label = (tensor.to(device.device) for tensor in tensors().values())
    for step in range(clock.steps):
        place = step % (SAMPLES // BATCH)
        if place == 0:
            order = torch.randperm(SAMPLES, device=device.device).split(BATCH)
        optimizer.zero_grad()
        cross_entropy(net(x[order[place]]), label[order[place]]).backward()
        optimizer.step()


# ---- ours: JSON lines and progress lines every 50 steps --------------------------------------------------


class SmallTask(Task):
    def __init__(self, clock: Clock | None = None):
        self.model = small_net(clock)

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> torch.optim.Optimizer:
        return adamw(self.model)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        return Out(cross_entropy(self.model(batch["x"]), batch["label"]))


def resident_loader(device: Device) -> ResidentLoader:
    return ResidentLoader(TensorDataset(tensors()), BATCH, device=device.device)


def ours(clock: Clock, device: Device, loader: DataLoader | ResidentLoader) -> None:
    config = TrainerConfig(steps=clock.steps, batch_size=BATCH, log_every=LOG_EVERY)
    train(SmallTask(clock), loader, config, device)


# ---- peers -----------------------------------------------------------------------------------------------


def with_accelerate(clock: Clock, device: Device) -> None:
    """`prepare` and `backward`; nothing is logged."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=device.device.type == "cpu", mixed_precision="no")
    net = small_net(clock)
    net, optimizer, loader = accelerator.prepare(net, adamw(net), data_loader())
    step = 0
    while step < clock.steps:
        for batch in loader:
            optimizer.zero_grad()
            accelerator.backward(cross_entropy(net(batch["x"]), batch["label"]))
            optimizer.step()
            step += 1
            if step == clock.steps:
                break


def with_lightning(clock: Clock, device: Device, *, barebones: bool) -> None:
    net = small_net(clock)
    train_with_lightning(
        net, adamw(net), lambda net, batch: cross_entropy(net(batch["x"]), batch["label"]), data_loader(),
        steps=clock.steps, device=device, barebones=barebones,
    )  # fmt: skip
