"""What keeps a long training alive and honest: signals, gradients that are not finite, running out of memory."""

import os
import signal
from collections.abc import Iterable
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer


class TrainingFailed(Exception):
    """A failure that is not the user's mistake, in one paragraph. Exit code 1."""


class Interrupted(Exception):
    """Training was asked to stop by a signal and has saved its state. Exit code 128 + `signum`."""

    def __init__(self, signum: int, message: str):
        super().__init__(message)
        self.signum = signum


class Signals:
    """While active, SIGTERM and SIGINT only set `received`, to be polled; a second one exits at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        try:
            for signum in (signal.SIGTERM, signal.SIGINT):
                self._before[signum] = signal.signal(signum, self._receive)
        except ValueError:  # not the main thread: whoever owns it handles the signals
            self._before.clear()
        return self

    def __exit__(self, *error: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + signum)
        self.received = signum


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the device, or the host, has no memory left."""
    text = str(error)
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
    )


class GradientGuard:
    """Unscales gradients, finds those that are not finite and counts them, all without reading the device.

    It is also the loss scaler of fp16 training (Micikevicius et al. 2018, section 3.2). `torch.amp.GradScaler`
    allows each optimiser one step per update, which a phase that repeats breaks; here any number of phases may
    step before the one `update`.
    """

    def __init__(self, phases: Iterable[str], device: torch.device, *, scaled: bool, interval: int = 2000):
        self.scaled, self._interval = scaled, interval
        self._scale = torch.full((), 2.0**16 if scaled else 1.0, device=device)
        self._growth = torch.zeros((), dtype=torch.int32, device=device)
        self._skipped = torch.zeros((), device=device)
        self._in_row = {phase: torch.zeros((), device=device) for phase in phases}
        self._flags = {phase: _Flags(device) for phase in self._in_row}
        self._in_step: list[Tensor] = []
        self._one = torch.ones((), device=device)

    def scale(self, loss: Tensor) -> Tensor:
        """The loss to call `backward` on."""
        return loss * self._scale if self.scaled else loss

    def unscale(self, phase: str, gradients: list[Tensor], weight: Tensor | int, group: Any = None) -> Tensor:
        """Divide `gradients` by the loss scale and by `weight`, in place, and return a (1,) flag: 1.0 if any of
        them is not finite. `group` is the process group over which sharded gradients must agree."""
        flags = self._flags[phase]
        if flags.used_up:
            self._count(phase)
        found = flags.take()
        plain = isinstance(weight, int) and weight == 1 and not self.scaled
        inverse = self._one if plain else 1.0 / (self._scale * weight).float()
        for same in _alike(gradients, sharded=group is not None):
            torch._amp_foreach_non_finite_check_and_unscale_(same, found, inverse)
        if group is not None:
            torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX, group)
        if self.scaled:
            self._in_step.append(found.clone())
        return found

    def update(self) -> None:
        """Once per training step, after all phases: adapt the loss scale."""
        if self._in_step:
            bad = torch.cat(self._in_step).amax(dim=0, keepdim=True)
            torch._amp_update_scale_(self._scale, self._growth, bad, 2.0, 0.5, self._interval)
            self._in_step = []

    def _count(self, phase: str) -> None:
        """Take the phase's flags into the counters. Done now and then, since each little kernel of it would cost a
        small net's step more than a percent."""
        total, self._in_row[phase] = self._flags[phase].count(self._in_row[phase])
        self._skipped = self._skipped + total

    def figures(self) -> dict[str, Tensor]:
        """Counters to log, on the device: skipped optimiser steps in all, and in a row for each phase."""
        for phase in self._flags:
            self._count(phase)
        rows = {f"skipped_in_row/{phase}": count for phase, count in self._in_row.items()}
        scale = {"loss_scale": self._scale} if self.scaled else {}
        return {"skipped": self._skipped, **rows, **scale}

    def state_dict(self) -> dict[str, Any]:
        """All counters and the loss scale."""
        return {"growth": self._growth, "scale": self._scale, "figures": self.figures()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._scale.copy_(state["scale"])
        self._growth.copy_(state["growth"])
        self._skipped.copy_(state["figures"]["skipped"])
        for phase, count in self._in_row.items():
            count.copy_(state["figures"][f"skipped_in_row/{phase}"])


class _Flags:
    """A block of (1,) flags on the device. They are used again, since making one for each step would cost more than
    the check itself."""

    _MANY = 256

    def __init__(self, device: torch.device):
        self._block = torch.zeros(self._MANY, device=device)
        self._each, self._taken = self._block.split(1), 0

    @property
    def used_up(self) -> bool:
        return self._taken == self._MANY

    def take(self) -> Tensor:
        """The next flag, 0.0, valid until `count`."""
        self._taken += 1
        return self._each[self._taken - 1]

    def count(self, in_row: Tensor) -> tuple[Tensor, Tensor]:
        """How many of the flags taken since the last time were set; and how many are now in a row at the end, of
        which there were `in_row` before. Clears them."""
        bad = self._block[: self._taken]
        total, in_row = bad.sum(), bad.flip(0).cumprod(0).sum() + in_row * bad.prod()
        bad.zero_()
        self._taken = 0
        return total, in_row


def _alike(gradients: list[Tensor], *, sharded: bool) -> Iterable[list[Tensor]]:
    """The local parts of `gradients`, grouped by type as the kernel wants them."""
    if not sharded and len({gradient.dtype for gradient in gradients}) == 1:
        return [gradients]
    groups: dict[torch.dtype, list[Tensor]] = {}
    for gradient in gradients:
        local = gradient.to_local() if isinstance(gradient, DTensor) else gradient
        groups.setdefault(local.dtype, []).append(local)
    return groups.values()


def step_if_finite(optimizer: Optimizer, found: Tensor) -> None:
    """Step unless `found` (a (1,) flag) is set. Fused optimisers check it on the device; for the others the flag
    is read, which costs a synchronisation on a GPU and nothing on a CPU."""
    if found.is_cuda and getattr(optimizer, "_step_supports_amp_scaling", False):
        for name, value in (("grad_scale", None), ("found_inf", found[0])):
            setattr(optimizer, name, value)
        optimizer.step()
        for name in ("grad_scale", "found_inf"):
            delattr(optimizer, name)
    elif not found.item():
        optimizer.step()
