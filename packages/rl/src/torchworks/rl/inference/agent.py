"""A finished run as an agent: from what it sees to what it does."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from torchworks.rl.environments.opening import Kind, kind_of
from torchworks.rl.environments.playing import Rule
from torchworks.rl.environments.remembering import Remembering
from torchworks.shared.config import UserError
from torchworks.shared.runs.opening import FinishedRun, open_run


class Agent:
    """The agent of a run, and the kind of its environment. Its first output is the action. What it remembers, if its
    signature has states, is kept for it by `rule`."""

    def __init__(self, run: FinishedRun, kind: Kind):
        self.run, self.kind, signature = run, kind, run.predictor.signature
        self._states = [spec for spec in signature.inputs if spec.kind == "state"]
        names = [spec.name for spec in signature.outputs]
        self._kept = [0, *(names.index(signature.states[spec.name]) for spec in self._states)]

    @property
    def rule(self) -> Rule:
        """From observations float32 (N, D) to actions, int64 (N,) or float32 (N, A)."""
        if not self._states:
            return lambda seen: self._step(seen)[0]
        empty = [np.zeros([int(size) for size in spec.shape[1:]], np.float32) for spec in self._states]
        return Remembering(self._step, empty)

    @torch.no_grad()
    def _step(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        answers = self.run.predictor(*(torch.from_numpy(each).to(self.run.device) for each in inputs))
        return tuple(answers[i].cpu().numpy() for i in self._kept)


def open_agent(folder: Path, device: str = "auto") -> Agent:
    """Raises `UserError` unless `folder` is a finished run of this package whose environment can be made, and shows
    and takes what it did in training."""
    run = open_run(folder, "rl", device)
    kind, signature = kind_of(run.config.data), run.predictor.signature
    seen, done = signature.inputs[0], signature.outputs[0]
    taken = (done.shape[1], True) if len(done.shape) == 2 else (int(done.high or 0) + 1, False)
    if tuple(seen.shape[1:]) != kind.shape or taken != (kind.actions, kind.continuous):
        raise UserError(
            f"{run.config.data} has changed since {folder} was made: the agent sees {_shape(seen.shape[1:])} and has "
            f"{taken[0]} {'numbers' if taken[1] else 'choices'} as its action, the environment shows "
            f"{_shape(kind.shape)} and takes {kind.actions} {'numbers' if kind.continuous else 'choices'}. Put the "
            "environment back, or train again."
        )
    return Agent(run, kind)


def _shape(sizes: Iterable[int | str]) -> str:
    return f"{' x '.join(map(str, sizes))} numbers"
