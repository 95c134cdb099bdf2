"""Steps that are kept and drawn again, of observations that are stacks of frames: each frame is kept once.

A frame is seen in four observations and in four that follow, so that a memory of whole observations needs eight times
the room (Mnih et al. 2015 kept a million frames, 7 GB). Here a step has the numbers of its frames in a ring of frames.
Which frame was seen before is told by its bytes, so that it does not matter who stacked them, where episodes begin and
how many steps were summed up.

Shapes: M places of the memory, F of frames, K steps that are added, B rows of a batch, C frames of an observation.
"""

import math

import torch
from torch import Tensor

from torchworks.rl.memory.replay import Replay, drawn


class FrameReplay(Replay):
    """A `Replay` of observations (C, H, W), whole numbers from 0 to 255, for as many frames as steps. A frame that is
    among the `recent` newest ones is not kept again. Where episodes end, a step has more than one new frame, and a few
    steps less than `capacity` can be drawn."""

    frame: Tensor
    frames: Tensor
    oldest: Tensor
    first: Tensor

    def __init__(self, capacity: int, observations: tuple[int, ...], *, recent: int):
        stack, *image = observations
        super().__init__(capacity, 0)
        for name in ("observation", "following"):  # numbers of their frames, counted from the first one ever kept
            self.register_buffer(name, torch.zeros(capacity, stack, dtype=torch.int64))
        self.register_buffer("frame", torch.zeros(capacity + recent, *image, dtype=torch.uint8))
        self.register_buffer("frames", torch.zeros((), dtype=torch.int64))  # ever kept
        self.register_buffer("oldest", torch.zeros(capacity, dtype=torch.int64))  # frame that a step may have
        self.register_buffer("first", torch.zeros((), dtype=torch.int64))  # step whose frames are all there
        self.recent = recent
        self._known: dict[bytes, int] = {}
        self._upto = 0

    def __len__(self) -> int:
        return int(self.count - self.first)

    def add(self, observation: Tensor, action: Tensor, reward: Tensor, discount: Tensor, following: Tensor) -> None:
        places = (torch.arange(len(action), device=self.action.device) + self.count) % len(self.action)
        self.oldest[places] = self.frames - self.recent
        seen, after = self._numbers(observation), self._numbers(following)
        super().add(seen, action, reward, discount, after)
        count, first, gone = int(self.count), int(self.first), int(self.frames) - len(self.frame)
        first = max(first, count - len(self.action))
        while first < count and self.oldest[first % len(self.action)] < gone:
            first += 1
        self.first.fill_(first)

    def draw(self, uniform: Tensor, *, alpha: float, beta: float) -> dict[str, Tensor]:
        places = (self.first + torch.arange(len(self), device=uniform.device)) % len(self.action)
        index, weight = drawn(uniform, self.priority[places], alpha=alpha, beta=beta)
        return self._batch(places[index], weight)

    def _batch(self, index: Tensor, weight: Tensor) -> dict[str, Tensor]:
        found = super()._batch(index, weight)
        for name in ("observation", "following"):
            found[name] = self.frame[getattr(self, name)[index] % len(self.frame)].float()
        return found

    def _numbers(self, stacks: Tensor) -> Tensor:
        """int64 (K, C) of the frames of `stacks` (K, C, H, W), of which new ones are kept."""
        if self._upto != int(self.frames):  # another state was loaded
            newest = range(max(0, int(self.frames) - self.recent), int(self.frames))
            self._known = {self.frame[n % len(self.frame)].cpu().numpy().tobytes(): n for n in newest}
            self._upto = int(self.frames)
        images = stacks.flatten(0, 1).to(torch.uint8).cpu()
        numbers = [self._number(image) for image in images]
        self.frames.fill_(self._upto)
        return torch.tensor(numbers, device=self.frame.device).view(stacks.shape[:2])

    def _number(self, image: Tensor) -> int:
        key, least = image.numpy().tobytes(), self._upto - self.recent
        number = self._known.get(key, -1)
        if number < max(0, least):
            number = self._known[key] = self._upto
            self.frame[number % len(self.frame)] = image
            self._upto += 1
            if len(self._known) > 2 * self.recent:
                self._known = {known: n for known, n in self._known.items() if n >= least}
        return number


def room(capacity: int, observations: tuple[int, ...], *, recent: int) -> tuple[int, int]:
    """Bytes of a `FrameReplay`'s frames, and of as many steps with observations of their own."""
    stack, *image = observations
    return (capacity + recent) * math.prod(image), 2 * capacity * stack * math.prod(image)
