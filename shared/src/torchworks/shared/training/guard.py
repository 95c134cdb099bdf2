"""What keeps a long training alive and honest: signals, gradients that are not finite, running out of memory."""

import math
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from torchworks.shared.config import UserError
from torchworks.shared.task import Phase
from torchworks.shared.training import parallel


class TrainingFailed(Exception):
    """A failure that is not the user's mistake, in one paragraph. Exit code 1."""


class Interrupted(Exception):
    """Training was asked to stop by a signal and has saved its state. Exit code 128 + `signum`."""

    def __init__(self, signum: int, message: str):
        super().__init__(message)
        self.signum = signum

    @classmethod
    def at(cls, step: int, signum: int, folder: Path | None) -> "Interrupted":
        """A training that was stopped at `step` and saved in `folder`."""
        if folder is None:
            return cls(signum, f"Stopped at step {step}; nothing was saved, since this training has no folder.")
        return cls(signum, f"Stopped at step {step} and saved. Continue with `train --resume {folder}`.")


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


def too_large(phase: Phase, rows: int) -> TrainingFailed:
    """What ends a training whose device has no memory for a batch that cannot be split."""
    return TrainingFailed(
        f"Out of memory in phase '{phase.name}', whose loss needs the {rows} rows of a batch at once, so they cannot "
        "be split. Use a smaller --trainer.batch-size, or more processes."
    )


_MISTAKES = {
    "Expected more than 1 value per channel": (
        "Batch normalization cannot train on a single value a channel, and a batch, or a micro-batch of it, has one "
        "row where the net has pooled its maps to one pixel. Use a --trainer.batch-size of at least 2 (with "
        "--trainer.accumulate N: of at least 2 N)."
    ),
    "Expected more than 1 spatial element": (
        "Instance normalization cannot train on maps of one pixel: the images are too small for this net. Use a larger "
        "--loader.image-size."
    ),
    "Kernel size can't be greater than actual input": "",
    "Output size is too small": "",
    "Padding size should be less than the corresponding input": "",
    "pad should be smaller than": "",
}
"""What PyTorch says of a batch or of images that a net cannot take, and what its user should know."""
_TOO_SMALL = "The images are too small for this net ({}). Use a larger --loader.image-size."


def mistake_in(error: BaseException) -> UserError | None:
    """The user's mistake behind an error that PyTorch raised, if it is known to be one."""
    if not isinstance(error, (ValueError, RuntimeError)):
        return None
    text = str(error)
    for begin, meaning in _MISTAKES.items():
        if begin in text:
            return UserError(meaning or _TOO_SMALL.format(text.splitlines()[0].rstrip(".")))
    return None


class GradientGuard:
    """Unscales gradients, finds those that are not finite and counts them, all without waiting for a GPU.

    It is also the loss scaler of fp16 training (Micikevicius et al. 2018, section 3.2). `torch.amp.GradScaler`
    allows each optimizer one step per update, which a phase that repeats breaks; here any number of phases may
    step before the one `update`.
    """

    def __init__(
        self, phases: Mapping[str, Sequence[Tensor]], device: torch.device, *, scaled: bool, interval: int = 2000
    ):
        """`phases` names the parameters that each phase trains."""
        self.scaled, self._interval = scaled, interval
        self._scale = torch.full((), 2.0**16 if scaled else 1.0, device=device)
        self._growth = torch.zeros((), dtype=torch.int32, device=device)
        self._flags = {phase: _OnHost() if device.type == "cpu" else _OnDevice(device) for phase in phases}
        self._same_type = {phase: len({p.dtype for p in each}) == 1 for phase, each in phases.items()}
        self._in_step: list[Tensor] = []
        self._one = torch.ones((), device=device)

    def scale(self, loss: Tensor) -> Tensor:
        """The loss to call `backward` on."""
        return loss * self._scale if self.scaled else loss

    def unscale(self, phase: str, gradients: list[Tensor], weight: Tensor | int, group: Any = None) -> Tensor | bool:
        """Divide `gradients` by the loss scale and by `weight`, in place, and return whether any of them is not
        finite: on a GPU as a (1,) flag, 0.0 or 1.0. `group` is the process group over which sharded gradients must
        agree."""
        flags = self._flags[phase]
        found = flags.take()
        plain = not self.scaled and isinstance(weight, int) and weight == 1
        inverse = self._one if plain else 1.0 / (self._scale * weight).float()
        if group is None and self._same_type[phase]:
            torch._amp_foreach_non_finite_check_and_unscale_(gradients, found, inverse)
        else:
            for same in _alike(gradients):
                torch._amp_foreach_non_finite_check_and_unscale_(same, found, inverse)
        if group is not None:
            torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX, group)
        if self.scaled:
            self._in_step.append(found.clone())
        return flags.note(found)

    def update(self) -> None:
        """Once per training step, after all phases: adapt the loss scale."""
        if self._in_step:
            bad = torch.cat(self._in_step).amax(dim=0, keepdim=True)
            torch._amp_update_scale_(self._scale, self._growth, bad, 2.0, 0.5, self._interval)
            self._in_step = []

    def counters(self) -> dict[str, Tensor | float]:
        """Counters to log, numbers or tensors on a GPU: skipped optimizer steps in all, and in a row for each phase."""
        counts = {phase: flags.counts() for phase, flags in self._flags.items()}
        first, *others = (skipped for skipped, _ in counts.values())
        rows = {f"skipped_in_row/{phase}": in_row for phase, (_, in_row) in counts.items()}
        scale = {"loss_scale": self._scale} if self.scaled else {}
        return {"skipped": sum(others, start=first), **rows, **scale}

    def state_dict(self) -> dict[str, Any]:
        """All counters and the loss scale."""
        counts = {phase: tuple(float(count) for count in flags.counts()) for phase, flags in self._flags.items()}
        return {"growth": self._growth, "scale": self._scale, "counts": counts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._scale.copy_(state["scale"])
        self._growth.copy_(state["growth"])
        for phase, counts in state["counts"].items():
            self._flags[phase].restore(*counts)


class _OnHost:
    """Counts a phase's flags on a CPU, where a flag can be read as it comes."""

    def __init__(self) -> None:
        self._flag = torch.zeros(1)
        self._skipped = self._in_row = 0.0

    def take(self) -> Tensor:
        """The (1,) flag, 0.0."""
        return self._flag

    def note(self, flag: Tensor) -> bool:
        """Count the flag now that it may have been set; whether it was."""
        if not flag.item():
            self._in_row = 0.0
            return False
        flag.zero_()
        self._skipped += 1
        self._in_row += 1
        return True

    def counts(self) -> tuple[float, float]:
        """How many flags were set, and how many of them in a row at the end."""
        return self._skipped, self._in_row

    def restore(self, skipped: float, in_row: float) -> None:
        self._skipped, self._in_row = skipped, in_row


class _OnDevice:
    """Counts a phase's flags on a GPU. They lie in one block, are counted now and then, and are used again: to make
    one, or count it, in each step would cost more than the check."""

    def __init__(self, device: torch.device):
        self._block = torch.zeros(256, device=device)
        self._each, self._taken = self._block.split(1), 0
        self.restore(0.0, 0.0)

    def take(self) -> Tensor:
        """The next (1,) flag, 0.0, valid until the next one is taken."""
        if self._taken == len(self._each):
            self.counts()
        self._taken += 1
        return self._each[self._taken - 1]

    def note(self, flag: Tensor) -> Tensor:
        return flag

    def counts(self) -> tuple[Tensor, Tensor]:
        """How many flags were set, and how many of them in a row at the end."""
        if self._taken:
            bad = self._block[: self._taken]
            from_end = bad.flip(0).cumprod(0)  # 1 for the row of set flags at the end, then 0
            self._skipped = self._skipped + bad.sum()
            self._in_row = torch.addcmul(from_end.sum(), from_end[-1], self._in_row)
            bad.zero_()
            self._taken = 0
        return self._skipped, self._in_row

    def restore(self, skipped: float, in_row: float) -> None:
        self._skipped, self._in_row = (torch.tensor(n, device=self._block.device) for n in (skipped, in_row))


def _alike(gradients: list[Tensor]) -> Iterable[list[Tensor]]:
    """The local parts of `gradients`, grouped by type as the kernel wants them."""
    groups: dict[torch.dtype, list[Tensor]] = {}
    for gradient in gradients:
        local = gradient.to_local() if parallel.is_sharded(gradient) else gradient
        groups.setdefault(local.dtype, []).append(local)
    return groups.values()


def step_if_finite(optimizer: Optimizer, found: Tensor | bool) -> None:
    """Step unless `found`, which may be a (1,) flag. Fused optimizers check it on the GPU; for the others it is read,
    which waits for the GPU."""
    if found is False:
        optimizer.step()
    elif isinstance(found, Tensor) and found.is_cuda and getattr(optimizer, "_step_supports_amp_scaling", False):
        for name, value in (("grad_scale", None), ("found_inf", found[0])):
            setattr(optimizer, name, value)
        optimizer.step()
        for name in ("grad_scale", "found_inf"):
            delattr(optimizer, name)
    elif not found:
        optimizer.step()


def clip_to_norm(gradients: list[Tensor], limit: float | None) -> Tensor:
    """The norm of all `gradients` together, a 0-d tensor; they are scaled down in place to at most `limit`."""
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    if parallel.is_sharded(norm):
        norm = norm.full_tensor()
    if limit:
        torch._foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp(max=1.0))
    return norm


def stop_if_never_finite(
    step: int, metrics: Mapping[str, float], phases: Iterable[Phase], limit: int, saved_steps: Callable[[], list[int]]
) -> None:
    """Raise `TrainingFailed` if the last `limit` steps of a phase, by the `metrics` logged at `step`, were all bad."""
    for phase in phases:
        bad = int(metrics[f"skipped_in_row/{phase.name}"])
        if bad >= limit:
            saved = saved_steps()
            last = f"The last good checkpoint is that of step {saved[-1]}." if saved else "No checkpoint was made."
            loss = metrics.get(f"{phase.name}/loss", math.nan)  # a rare phase may not have run in this window
            raise TrainingFailed(
                f"Training stopped at step {step}: the last {bad} steps of phase '{phase.name}' had gradients that "
                f"are not finite (its loss was {loss:.4g}, the learning rate {metrics['lr']:.3g}); none of them "
                f"changed a weight. {last} Try a smaller learning rate, `--trainer.clip 1`, or "
                "`--trainer.precision fp32`, and look for NaN in the data."
            )
