"""Trainings that a benchmark starts: by our trainer as users see it, and by Lightning's."""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from torchworks.shared.config import OptimConfig, TrainerConfig
from torchworks.shared.machine.device import Device
from torchworks.shared.task import Task
from torchworks.shared.training.metrics import JsonLines
from torchworks.shared.training.progress import Progress
from torchworks.shared.training.trainer import Trainer

LIGHTNING_LOGS_EVERY = 50


def train(
    task: Task, loader: Iterable, config: TrainerConfig, device: Device, optim: OptimConfig | None = None
) -> None:
    """By the public trainer, with JSON lines and progress lines."""
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        sinks, progress = [JsonLines(Path(folder) / "metrics.jsonl")], Progress(config.steps, Console(file=nowhere))
        Trainer(task, loader, config=config, optim=optim, sinks=sinks, progress=progress, device=device).fit()


def train_with_lightning(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[nn.Module, dict[str, Tensor]], Tensor],
    loader: Iterable,
    *,
    steps: int,
    device: Device,
    barebones: bool,
) -> None:
    """Defaults (progress bar, `self.log`) with a CSV logger and without checkpoints; or `barebones=True`, with
    which Lightning switches off everything that can be, to measure its own overhead."""
    import lightning
    from lightning.pytorch.loggers import CSVLogger

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = net

        def training_step(self, batch: dict[str, Tensor], number: int) -> Tensor:
            found = loss(self.net, batch)
            if not barebones:
                self.log("loss", found)
            return found

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return optimizer

    accelerator = "cpu" if device.device.type == "cpu" else "auto"
    precision = "bf16-mixed" if device.dtype is torch.bfloat16 else "32-true"
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options: dict[str, Any] = {"barebones": True} if barebones else {
            "logger": CSVLogger(folder), "log_every_n_steps": LIGHTNING_LOGS_EVERY,
            "enable_checkpointing": False, "enable_model_summary": False,
        }  # fmt: skip
        lightning.Trainer(
            accelerator=accelerator, devices=1, precision=precision, max_steps=steps, max_epochs=-1,
            default_root_dir=folder, **options,
        ).fit(Module(), loader)  # fmt: skip
