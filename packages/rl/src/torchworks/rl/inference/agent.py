"""A finished run as an agent: from what it sees to what it does."""

from pathlib import Path

import numpy as np
import torch

from torchworks.rl.environments.opening import Kind, kind_of
from torchworks.shared.runs.opening import FinishedRun, open_run


class Agent:
    """The agent of a run, and the kind of its environment. Its first output is the action."""

    def __init__(self, run: FinishedRun, kind: Kind):
        self.run, self.kind = run, kind

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions for float32 (N, D): int64 (N,), or float32 (N, A)."""
        with torch.no_grad():
            return self.run.predictor(torch.from_numpy(observations).to(self.run.device))[0].cpu().numpy()


def open_agent(folder: Path, device: str = "auto") -> Agent:
    """Raises `UserError` unless `folder` is a finished run of this package whose environment can be made."""
    run = open_run(folder, "rl", device)
    return Agent(run, kind_of(run.config.data))
