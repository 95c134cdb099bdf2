"""A finished run as an agent: from what it sees to what it does."""

from pathlib import Path

import numpy as np
import torch

from torchworks.rl.environments.opening import Kind, kind_of
from torchworks.rl.environments.playing import Rule
from torchworks.rl.environments.remembering import Remembering
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
    """Raises `UserError` unless `folder` is a finished run of this package whose environment can be made."""
    run = open_run(folder, "rl", device)
    return Agent(run, kind_of(run.config.data))
