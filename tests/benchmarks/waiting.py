"""The proof that a training never makes the host wait for the GPU between two log lines.

A host that waits (for a figure, a condition, a copy) cannot prepare the next kernels, and the GPU runs dry. torch
can raise an error at whatever waits; here it does so during all of a training but its log lines.
"""

from collections.abc import Iterable

import torch

from torchworks.shared.config import TrainerConfig
from torchworks.shared.machine.device import Device
from torchworks.shared.task import Task
from torchworks.shared.training.progress import Silent
from torchworks.shared.training.trainer import Trainer

LOG_EVERY, STEPS = 50, 400


class Forbid(Silent):
    """Makes waiting an error between two log lines, from the first line on."""

    def __init__(self):
        self.steps = 0

    def advance(self, step: int) -> None:
        between = step > LOG_EVERY and step % LOG_EVERY != 0
        torch.cuda.set_sync_debug_mode("error" if between else "default")
        self.steps += between


def what_waits(task: Task, batches: Iterable, device: Device) -> str | None:
    """What made the host wait for the GPU between two log lines of a training of `task`, or None."""
    forbid, config = Forbid(), TrainerConfig(steps=STEPS, log_every=LOG_EVERY, ema=0.99)
    try:
        Trainer(task, batches, config=config, progress=forbid, device=device).fit()
    except RuntimeError as error:
        if "synchroniz" not in str(error):
            raise
        return str(error).splitlines()[0]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert forbid.steps > STEPS // 2
    return None
