"""Checkpoints of a training: nets, averages, optimizers, counters and random generators, collected and restored."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer

from torchworks.shared.config import UserError
from torchworks.shared.machine.device import Device
from torchworks.shared.numbers.state import rng_state, set_rng_state
from torchworks.shared.training import checkpoint, optim, parallel
from torchworks.shared.training.checkpoint import Checkpoint


class Stateful(Protocol):
    """Part of a training that has state of its own."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Saver:
    """Writes checkpoints of a training to `folder`/checkpoints, the last two and the best, and restores them.

    `parts` are stored under their names beside nets and optimizers; one that is None is stored as {}.
    """

    def __init__(
        self,
        folder: Path | None,
        device: Device,
        nets: dict[str, nn.Module],
        ema: optim.EMA | None,
        optimizers: dict[str, Optimizer],
        parts: Mapping[str, Stateful | None],
    ):
        self.step = 0  # of the last checkpoint
        self.before_first: Callable[[], None] | None = None
        """Called once in the first process, before the first checkpoint of this training is written."""
        self._folder = folder / "checkpoints" if folder is not None else None
        self._device, self._nets, self._ema, self._optimizers, self._parts = device, nets, ema, optimizers, parts

    def save(self, step: int, progress: dict[str, Any], best: int) -> None:
        """Write the checkpoint of `step`, with plain data on the `progress` of the training, and remove old ones, but
        not that of step `best`. All processes must call it together, and the first one writes."""
        assert self._folder is not None
        nets = {name: parallel.net_state(net) for name, net in self._nets.items()}
        if self._ema is not None:
            nets |= {f"{name}.ema": parallel.net_state(net) for name, net in self._ema.nets.items()}
        state = {
            **progress,
            **{name: {} if part is None else part.state_dict() for name, part in self._parts.items()},
            "optimizers": {
                name: parallel.optimizer_state(self._nets[name], optimizer)
                for name, optimizer in self._optimizers.items()
            },
            "ema": self._ema.updates if self._ema is not None else 0,
            "rng": rng_state(self._device.device),
        }
        if self._device.rank == 0:
            if self.before_first is not None:
                self.before_first()
                self.before_first = None
            checkpoint.save(self._folder, Checkpoint(step, nets, state))
            checkpoint.prune(self._folder, keep=2, best=best)
        self.step = step

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, oldest first."""
        return checkpoint.steps(self._folder) if self._folder is not None else []

    def restore(self, saved: Checkpoint) -> None:
        """Put back everything but the progress. Raises `UserError` for a checkpoint of other nets."""
        try:
            self._load(saved)
        except (RuntimeError, ValueError, KeyError):
            for name, net in self._nets.items():
                _check_fit(name, net, saved)
            raise
        for name, part in self._parts.items():
            if part is not None:
                part.load_state_dict(saved.state[name])
        set_rng_state(saved.state["rng"], self._device.device)
        self.step = saved.step

    def load_nets(self, step: int) -> None:
        """Put back weights, averages and optimizers of the checkpoint of `step` alone. Raises `Damaged`."""
        assert self._folder is not None
        self._load(checkpoint.load(checkpoint.path_of(self._folder, step)))

    def _load(self, saved: Checkpoint) -> None:
        for name, net in self._nets.items():
            parallel.load_net_state(net, saved.nets[name])
        if self._ema is not None:
            for name, net in self._ema.nets.items():
                parallel.load_net_state(net, saved.nets[f"{name}.ema"])
            self._ema.updates = saved.state["ema"]
        for name, optimizer in self._optimizers.items():
            parallel.load_optimizer_state(self._nets[name], optimizer, saved.state["optimizers"][name])


def _check_fit(name: str, net: nn.Module, saved: Checkpoint) -> None:
    """Raise `UserError` that names the first tensor by which `net` differs from what was saved of it."""
    now = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    then = {key: tuple(value.shape) for key, value in saved.nets.get(name, {}).items()}
    for key in now | then:
        if then.get(key) != now.get(key):
            saved_as, needed = (
                f"has the shape {table[key]}" if key in table else "is missing" for table in (then, now)
            )
            raise UserError(
                f"The checkpoint of step {saved.step} does not fit the net '{name}': '{key}' {saved_as} in the "
                f"checkpoint and {needed} in the net. The data have other classes or another kind of images now, or "
                "this version builds another net. Put the data back, or start a new run; nothing was changed."
            )
