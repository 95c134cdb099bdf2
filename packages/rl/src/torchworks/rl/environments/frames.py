"""Games that show pixels, as agents see them: small gray images, the last four of them stacked.

Mnih et al. 2015, "Human-level control through deep reinforcement learning" (Nature 518), methods, "Preprocessing"; the
protocol of Machado et al. 2018, "Revisiting the Arcade Learning Environment" (JAIR 61, arXiv:1709.06009), section 5:

- An action lasts `skip` frames. What is seen is the larger of the last two at each pixel, for consoles of that time
  drew some objects in every other frame only.
- Gray, and averaged down to 84 x 84 pixels. The newest four images are seen together, so that speeds can be seen. The
  first one of an episode stands for those before it.
- An episode begins with up to `noops` frames of no action (Mnih et al.). With `sticky` above 0, each frame takes the
  action of the frame before with that probability, so that no sequence of actions can be learnt by heart (Machado et
  al.).
- A lost life does not end an episode; `info["life_lost"]` tells of it.

`gymnasium.wrappers.AtariPreprocessing` and `FrameStackObservation` do the same. They need OpenCV, and the queue of
frames and the emulator's last action cannot be restored; here all state is plain (state.py). Images differ from theirs
by 1 of 255 in few pixels, by rounding.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

SIZE, SKIP, STACK = 84, 4, 4
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Frames(gymnasium.Wrapper):
    """Shows uint8 (`STACK`, `SIZE`, `SIZE`), the newest image last, of an environment that shows uint8 (H, W) gray or
    (H, W, 3) colors, numbers its actions from 0, which does nothing, and may tell `lives` in its `info`."""

    def __init__(self, env: gymnasium.Env, *, skip: int = SKIP, sticky: float = 0.0, noops: int = 0):
        super().__init__(env)
        space = env.observation_space
        assert isinstance(space, Box)
        assert len(space.shape) in (2, 3)
        self.observation_space = Box(0, 255, (STACK, SIZE, SIZE), np.uint8)
        self.skip, self.sticky, self.noops = skip, sticky, noops
        self._shrunk = tuple(_averaging(n, SIZE) for n in space.shape[:2])
        self.stack = np.zeros((STACK, SIZE, SIZE), np.uint8)
        self.action = self.lives = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        frame, info = self.env.reset(seed=seed, options=options)
        for _ in range(int(self.np_random.integers(self.noops + 1))):
            frame, _, terminated, truncated, info = self.env.step(0)
            if terminated or truncated:
                frame, info = self.env.reset(options=options)
        self.action, self.lives = 0, info.get("lives", 0)
        self.stack[:] = self._small(_gray(frame))
        return self.stack.copy(), info

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        total, frames = 0.0, []
        for _ in range(self.skip):
            if not self.sticky or self.np_random.random() >= self.sticky:
                self.action = int(action)
            frame, reward, terminated, truncated, info = self.env.step(self.action)
            frames.append(frame)
            total += float(reward)
            if terminated or truncated:
                break
        self.stack[:-1] = self.stack[1:]
        self.stack[-1] = self._small(np.maximum.reduce([_gray(frame) for frame in frames[-2:]]))
        left = info.get("lives", 0)
        info = {**info, "life_lost": left < self.lives}
        self.lives = left
        return self.stack.copy(), total, terminated, truncated, info

    def shown(self) -> np.ndarray:
        """What people would see: uint8 (3, H, W), here the newest image."""
        return np.broadcast_to(self.stack[-1], (3, SIZE, SIZE))

    def _small(self, gray: np.ndarray) -> np.ndarray:
        rows, columns = self._shrunk
        return np.rint(rows @ gray @ columns.T).astype(np.uint8)


def _gray(frame: np.ndarray) -> np.ndarray:
    """float32 (H, W)."""
    return frame.astype(np.float32) if frame.ndim == 2 else frame.astype(np.float32) @ _LUMA


def _averaging(size: int, smaller: int) -> np.ndarray:
    """(`smaller`, `size`): how much each of `size` pixels in a row counts in each of `smaller` ones that cover them."""
    ends = np.arange(smaller + 1) * size / smaller
    pixel = np.arange(size)
    shared = np.minimum(ends[1:, None], pixel + 1) - np.maximum(ends[:-1, None], pixel)
    return (shared.clip(min=0) * smaller / size).astype(np.float32)
