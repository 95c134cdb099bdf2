"""What all agents that learn have in common: they are judged and shown by whole episodes of their best actions.

Shapes: N observations, D numbers each, A numbers of an action.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.playing import FILMED, Rule, film, play
from torchworks.shared.task import Task


class PlayingTask(Task):
    """A task whose `greedy` plays environments of `kind`. Scores: the mean `return` of whole episodes and the mean
    number of `episode_steps`; batches of an evaluation have the `seed` (N,) that each episode begins with."""

    watch, watch_mode = "return", "max"
    newest_of_equals = True
    kind: Kind

    def greedy(self, observations: np.ndarray) -> np.ndarray:
        """The best actions for float32 (N, D): int64 (N,), or float32 (N, A)."""
        raise NotImplementedError

    def example(self, rows: int) -> dict[str, Tensor]:
        """Inputs of the finished model beside `observation`, for `rows` rows."""
        return {}

    @property
    def rule(self) -> Rule:
        """How it plays: `greedy`, or with a memory."""
        return self.greedy

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        played = play(self.kind, batch["seed"].tolist(), self.rule)
        return {
            "return": (sum(each.total for each in played), len(played)),
            "episode_steps": (sum(each.steps for each in played), len(played)),
        }

    def preview(self) -> dict[str, Tensor]:
        """A film of an episode."""
        frames, _ = film(self.kind, FILMED, self.rule)
        return {"episode": torch.stack(frames)}
