"""The task of a model of music: predict each frame from those before it.

Shape letters: N pieces, L frames, V notes of a frame.
"""

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.seq_models.composing.sampling import compose
from torchworks.seq_models.data.pieces import FRAMES
from torchworks.seq_models.music.frames import HIGHEST, LOWEST
from torchworks.seq_models.music.performing import notes_of
from torchworks.seq_models.music.piano_roll import draw_roll
from torchworks.seq_models.music.synthesiser import RATE, rendered
from torchworks.shared.data.ragged import length_name
from torchworks.shared.task import Out, Preview, Task
from torchworks.shared.training.optim import adamw, parameter_groups

SHOWN = 32
"""Frames of the piece that is composed at each evaluation."""


class Composing(Task):
    """Trains `model`, which has `loss(frames)`, on {`frames`: (N, L, V), `frames_length`: (N,)}. `ranges` are the
    lowest and highest notes of each voice (V,) that transposed pieces may have.

    Scores `nll`, nats a frame, over all frames but each piece's first, as published; the loss is a mean over all."""

    watch = "nll"
    units = "frames"

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        weight_decay: float,
        length: int,
        transpose: int,
        ranges: tuple[Tensor, Tensor],
        per_quarter: int = 1,
    ):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.length, self.transpose, self.per_quarter = length, transpose, per_quarter
        self.low, self.high = ranges

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr, betas=(0.9, 0.99))

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        frames, real, first = self.cut(batch[FRAMES], batch[length_name(FRAMES)])
        each = self._per_frame(self.moved(frames))
        scored = real.clone()
        scored[:, 0] &= first  # what was before the first frame of a cut is not known
        count = scored.sum()
        return Out((each * scored).sum() / count, weight=count)

    def _per_frame(self, frames: Tensor) -> Tensor:
        return cast(Any, self.model).loss(frames)

    def cut(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A random part of each piece: frames (N, L', V), which are real (N, L'), and which rows begin as their piece
        does (N,)."""
        length = min(self.length, frames.shape[1])
        room = (lengths - length).clamp(min=0) + 1
        start = (self.random.uniform(len(frames)) * room).long().clamp(max=frames.shape[1] - length)
        places = start[:, None] + torch.arange(length, device=frames.device)
        part = frames.gather(1, places[..., None].expand(-1, -1, frames.shape[2]))
        return part, places < lengths[:, None], start == 0

    def moved(self, frames: Tensor) -> Tensor:
        """Each piece transposed at random, as far as no voice leaves its range in training, or a piano."""
        shift = self.random.integers(2 * self.transpose + 1, len(frames)) - self.transpose
        sounds = frames > 0
        full = sounds.all(2, keepdim=True)
        lowest = torch.where(full, frames, HIGHEST).amin(1)  # (N, V), of frames in which all places are taken
        highest = torch.where(full, frames, LOWEST).amax(1)
        least = torch.maximum((self.low - lowest).amax(1), LOWEST - torch.where(sounds, frames, HIGHEST).amin((1, 2)))
        most = torch.minimum((self.high - highest).amin(1), HIGHEST - frames.amax((1, 2)))
        shift = shift.clamp(min=least.clamp(max=0), max=most.clamp(min=0))
        return torch.where(sounds, frames + shift[:, None, None], 0)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        frames, lengths = batch[FRAMES], batch[length_name(FRAMES)]
        scored = torch.arange(frames.shape[1], device=frames.device) < lengths[:, None]
        scored[:, 0] = False
        return {"nll": ((self._per_frame(frames) * scored).sum(), scored.sum())}

    def preview(self) -> dict[str, Preview]:
        """A short piece, as a sound and a picture."""
        piece = compose(self.model, 1, SHOWN, seed=0)[0]
        sound = rendered(notes_of(piece, self.per_quarter)).T
        picture = np.asarray(draw_roll(piece, self.per_quarter))
        return {
            "piece": (torch.from_numpy(np.ascontiguousarray(sound)), RATE),
            "roll": torch.from_numpy(picture.transpose(2, 0, 1).copy()),
        }
