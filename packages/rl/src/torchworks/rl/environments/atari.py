"""Games of the Atari 2600, if `ale-py` is installed: `--data ALE/Pong-v5`.

Bellemare, Naddaf, Veness & Bowling 2013, "The Arcade Learning Environment" (JAIR 47, arXiv:1207.4708). Its license is
GPL-2.0-only and its wheel has the games in it, whose rights are their owners', so that no package here depends on it.

What agents see is in frames.py. An episode is cut off after five minutes of play, 18,000 frames, as in Mnih et al. 2015
and Machado et al. 2018.

The emulator can save its state, its random numbers among it, but not the action of the frame before, which it takes
again when it is sticky. So stickiness is left to frames.py, and a training that was killed goes on exactly.
"""

import importlib
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import TimeLimit

from torchworks.rl.environments.frames import SKIP, Frames
from torchworks.shared.config import UserError

LIMIT = 18_000 // SKIP
"""Steps of an agent after which an episode is cut off."""
NOOPS = 30
"""Frames of no action at most, before an agent's first step."""


def is_atari(name: str) -> bool:
    """Whether `name` is an id of the Arcade Learning Environment that is opened here."""
    return name.startswith("ALE/") or name.endswith("NoFrameskip-v4")


class AtariFrames(Frames):
    """`Frames` of the emulator, with its state."""

    kept = ("emulator",)

    @property
    def emulator(self) -> np.ndarray:
        """All that the emulator is, as bytes."""
        state = self._ale.cloneState(include_rng=True).serialize()
        return np.frombuffer(state, np.uint8)

    @emulator.setter
    def emulator(self, state: np.ndarray) -> None:
        self._ale.restoreState(_library().ALEState(state.tobytes()))

    def shown(self) -> np.ndarray:
        return self._ale.getScreenRGB().transpose(2, 0, 1)

    @property
    def _ale(self) -> Any:
        return self.get_wrapper_attr("ale")


def make_atari(name: str) -> gymnasium.Env:
    """The game of the id `name`, such as ALE/Pong-v5, as agents see it. Raises `UserError` if ale-py is missing, and
    what Gymnasium raises for games that do not exist."""
    library = _library()
    gymnasium.register_envs(library)
    library.ALEInterface.setLoggerMode(library.LoggerMode.Error)
    options = gymnasium.spec(name).kwargs
    env = gymnasium.make(
        name, obs_type="grayscale", frameskip=1, repeat_action_probability=0.0, disable_env_checker=True
    )
    frames = AtariFrames(env, sticky=options.get("repeat_action_probability", 0.0), noops=NOOPS)
    return TimeLimit(frames, LIMIT)


def _library() -> Any:
    try:
        return importlib.import_module("ale_py")
    except ImportError as error:
        raise UserError(
            "Games of the Atari 2600 need the Arcade Learning Environment, which is not installed. It is no dependency "
            "of this package: its license is GPL-2.0-only, and the games in its wheel belong to their owners. If you "
            "may use both, install it yourself by `pip install ale-py` and try again. Without it, `--data "
            "PixelBreakout10-v0` is a game of our own that is seen as pixels, too."
        ) from error
