"""A request to draw images, from its latents to its last image."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from torchworks.serving.errors import Refusal, too_late
from torchworks.serving.latents import BLOCK, draw
from torchworks.shared.denoising.grids import uniform
from torchworks.shared.denoising.restoring import evaluations, restore
from torchworks.shared.models.denoising import (
    LATENT,
    Arrays,
    Denoiser,
    DenoisingSpec,
    Drawing,
    Evaluate,
    Progress,
    shown,
)

PART = 8
"""Images of a request that are drawn together: so few that others get their turn."""


@dataclass(frozen=True)
class Hole:
    """What of an image is to be drawn anew, and what it is now."""

    known: np.ndarray
    """uint8 (C, H, W)."""
    mask: np.ndarray
    """Where the hole is, bool (1, H, W)."""
    resamplings: int
    """How often each step is made."""
    seed: int


@dataclass(frozen=True)
class Piece:
    """News of some images of a request: a step was made, they are drawn, or they failed. Images are (N, C, H, W) in [0,
    1]: those that the net predicts, if these are wanted, or those drawn."""

    rows: range
    step: int = 0
    images: np.ndarray | None = None
    drawn: bool = False
    failure: Refusal | None = None


@dataclass(eq=False)
class Part:
    """Images that are drawn together, in one and the same way."""

    request: "DrawRequest"
    rows: range
    drawing: Drawing
    hole: Hole | None
    left: int
    """Evaluations of rows that are still to come, at most."""

    def draw(self, spec: DenoisingSpec, evaluate: Evaluate, progress: Progress) -> np.ndarray:
        """The images (N, C, H, W) in [0, 1]. `evaluate` takes and gives the rows of this part."""
        rows, inputs = slice(self.rows.start, self.rows.stop), self.request.inputs
        asked = spec.asked(inputs, rows)
        if self.hole is None:
            return spec.draw(evaluate, inputs[LATENT][rows], asked, self.drawing, progress)
        known, mask = self.hole.known / np.float32(127.5) - 1, self.hole.mask
        drawn = restore(
            Denoiser(spec, evaluate, asked, self.drawing),
            lambda image: np.where(mask, image, known),
            uniform(spec.noise_path, self.drawing.steps),
            noise_of(self.hole.seed, self.rows, spec.shape),
            resamplings=self.hole.resamplings,
            callback=progress,
        )
        return np.where(mask, shown(drawn), self.hole.known / np.float32(255))


class DrawRequest:
    """Images that are asked for together; `inputs` fit the signature of the model as it is served."""

    def __init__(self, spec: DenoisingSpec, inputs: Arrays, *, hole: Hole | None = None, previews: bool = False):
        self.inputs, self.previews = inputs, previews
        self.cancelled = False
        self.parts = deque(self._parts(spec, hole))
        self.evaluations = sum(part.left for part in self.parts)
        self._left = len(self.parts)
        self._queue: asyncio.Queue[Piece] = asyncio.Queue()

    def __len__(self) -> int:
        """How many images."""
        return len(self.inputs[LATENT])

    def _parts(self, spec: DenoisingSpec, hole: Hole | None) -> Sequence[Part]:
        made = []
        for rows, drawing in spec.drawings(self.inputs):
            for start in range(rows.start, rows.stop, PART):
                these = range(start, min(start + PART, rows.stop))
                each = drawing.evaluations(bool(spec.conditions))
                if hole is not None:
                    each = each // drawing.steps * evaluations(drawing.steps, hole.resamplings)
                made.append(Part(self, these, drawing, hole, each * len(these)))
        return made

    def put(self, piece: Piece) -> None:
        self._queue.put_nowait(piece)

    def cancel(self) -> None:
        """Nobody waits any more."""
        self.cancelled = True

    async def pieces(self, seconds: float) -> AsyncGenerator[Piece, None]:
        """The pieces as they come, for so long. Raises `Refusal` for images that fail; cancels the request when it is
        closed."""
        until = time.monotonic() + seconds
        try:
            while self._left:
                async with asyncio.timeout(until - time.monotonic()):  # `wait_for` may miss that it is cancelled
                    piece = await self._queue.get()
                if piece.failure is not None:
                    raise piece.failure
                self._left -= piece.drawn
                yield piece
        except TimeoutError:
            raise too_late() from None
        finally:
            self.cancel()

    async def images(self, seconds: float) -> np.ndarray:
        """All of them, (N, C, H, W) in [0, 1]. Raises `Refusal`."""
        drawn: dict[int, np.ndarray] = {}
        async with contextlib.aclosing(self.pieces(seconds)) as pieces:
            async for piece in pieces:
                if piece.drawn and piece.images is not None:
                    drawn[piece.rows.start] = piece.images
        return np.concatenate([drawn[start] for start in sorted(drawn)])


def noise_of(seed: int, rows: range, shape: Sequence[int]) -> Callable[[int], np.ndarray]:
    """The i-th standard normal (N, C, H, W) of images `rows` of a seed, whatever others are drawn; the first is their
    latent. As `sample_normal` gives them: rows whose numbers come in whole blocks begin alike however long they are."""
    size, known = int(np.prod(shape)), [np.empty((len(rows), 0), np.float32)]

    def noise(i: int) -> np.ndarray:
        end = (i + 1) * size
        if known[0].shape[1] < end or size % BLOCK:
            known[0] = draw(seed, rows, end if size % BLOCK else 2 * end, uniform=False)
        return known[0][:, end - size : end].reshape(-1, *shape)

    return noise
