"""Training steps of the captioner and of CLIP: by our trainer, and the same nets by Lightning.

Both start from the same weights, see the same scenes of digits in the same precision, move them by as many pixels at
random, and use AdamW. Ours takes batches from the loader of the recipe; Lightning from PyTorch's DataLoader, a row at a
time, as its guides do, or, as `barebones`, from the very loader of the recipe and without its logging.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from race import Clock, Loop
from torch import Tensor, nn
from torch.nn import functional as F
from training import train, train_with_lightning

from torchworks.hybrid_multimodal.captioning.recipes import caption
from torchworks.hybrid_multimodal.contrastive.recipes import clip
from torchworks.hybrid_multimodal.models.clip import contrastive_loss
from torchworks.shared.config import Config
from torchworks.shared.data import TensorDataset, resident
from torchworks.shared.machine.device import Device, choose
from torchworks.shared.training.experiment import Experiment, build

OURS, LIGHTNING, BAREBONES = "torchworks", "Lightning", "Lightning, barebones"
SCENES = "digit-scenes:train=1000,test=100"
Loss = Callable[[nn.Module, dict[str, Tensor]], Tensor]


def recipe(name: str) -> tuple[Any, Loss]:
    """`caption` or `clip` on few scenes, and its loss as Lightning gets it."""
    config, loss = {"caption": (caption(), of_captions), "clip": (clip(), of_pairs)}[name]
    return dataclasses.replace(config, data=SCENES), loss


def loops(name: str) -> dict[str, Loop]:
    """Of a recipe, in the precision and memory format that it chooses on a CPU."""
    config, loss = recipe(name)
    device = choose("cpu", channels_last_on_cpu=config.channels_last_on_cpu)

    def by_ours(clock: Clock) -> None:
        made = built(config, device, clock)
        train(made.task, made.train, dataclasses.replace(config.trainer, steps=clock.steps), device, config.optim)

    def by_lightning(clock: Clock, *, barebones: bool) -> None:
        made = built(config, device, clock)
        net = made.task.nets()["model"]
        optimizer = torch.optim.AdamW(net.parameters(), lr=config.optim.lr, weight_decay=config.weight_decay)
        batches = made.train if barebones else rows_one_by_one(made, config)
        train_with_lightning(
            net, optimizer, loss, batches, steps=clock.steps, device=device, barebones=barebones,
        )  # fmt: skip

    return {
        OURS: by_ours,
        LIGHTNING: lambda clock: by_lightning(clock, barebones=False),
        BAREBONES: lambda clock: by_lightning(clock, barebones=True),
    }


def built(config: Config, device: Device, clock: Clock) -> Experiment:
    torch.manual_seed(0)
    made = build(config, device)
    clock.watch(made.task.nets()["model"])
    return made


class Rows(torch.utils.data.Dataset):
    """A row at a time: an image scaled to [-1, 1] and moved by up to `pixels`, and its tokens."""

    def __init__(self, dataset: TensorDataset, pixels: int):
        self.images, self.tokens, self.pixels = dataset.tensors["image"], dataset.tensors["tokens"], pixels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        image, size = self.images[row].float() / 127.5 - 1, self.images.shape[-1]
        wide = F.pad(image, (self.pixels,) * 4, mode="reflect")
        top, left = torch.randint(2 * self.pixels + 1, (2,)).tolist()
        return {"image": wide[:, top : top + size, left : left + size], "tokens": self.tokens[row]}


def rows_one_by_one(made: Experiment, config: Any) -> torch.utils.data.DataLoader:
    rows = Rows(resident(made.train.dataset), config.shift)
    return torch.utils.data.DataLoader(rows, config.trainer.batch_size, shuffle=True, drop_last=True)


def of_captions(net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """As the task computes it, with grey images of random shares of the channels."""
    tokens = batch["tokens"]
    tokens = tokens[:, : int((tokens > 0).any(0).sum())]
    before = F.pad(tokens[:, :-1], (1, 0), value=net.begin)
    shares = torch.rand(batch["image"].shape[:2]) + 0.05
    logits, _ = net((batch["image"] + 1) / 2, before, shares / shares.sum(1, keepdim=True))
    return F.cross_entropy(logits.float().flatten(0, 1), tokens.flatten(), ignore_index=0)


def of_pairs(net: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    image, text, scale = net(batch["image"], batch["tokens"])
    right = (batch["tokens"][:, None] == batch["tokens"]).all(2)
    logits = scale[0] * image @ text.T
    return (contrastive_loss(logits, right) + contrastive_loss(logits.T, right)) / 2
