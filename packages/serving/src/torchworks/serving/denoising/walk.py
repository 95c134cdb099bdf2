"""A sampler that waits at each evaluation until whoever has the model brings it.

Samplers are plain functions that call the net. In a thread of its own each of them can stand still while the
evaluations of several are put together; such a thread holds some arrays, and computes for some microseconds a step.
"""

import logging
import threading
from queue import SimpleQueue

import numpy as np

from torchworks.serving.denoising.images import Part
from torchworks.shared.models.denoising import PREDICTED, Arrays, DenoisingSpec, Progress, X

log = logging.getLogger("torchworks.serving")


class _Stopped(Exception):
    """Nobody wants the images any more."""


class Walk:
    """The drawing of a part. `wanted` is the evaluation that it waits for; None when it is over, and `images` (N, C, H,
    W) are drawn, or None if it failed."""

    def __init__(self, part: Part, spec: DenoisingSpec, progress: Progress):
        self.part, self.images = part, None
        self._spec, self._progress = spec, progress
        self._asked: SimpleQueue[Arrays | None] = SimpleQueue()
        self._brought: SimpleQueue[np.ndarray | None] = SimpleQueue()
        threading.Thread(target=self._main, name="drawing", daemon=True).start()
        self.wanted = self._asked.get()

    @property
    def rows(self) -> int:
        """Of the evaluation that it waits for."""
        return 0 if self.wanted is None else len(self.wanted[X])

    def bring(self, predicted: np.ndarray) -> None:
        """What the net predicts; `go_on` waits for what is wanted next."""
        self.part.left = max(0, self.part.left - len(predicted))
        self._brought.put(predicted)

    def go_on(self) -> None:
        self.wanted = self._asked.get()

    def stop(self) -> None:
        """Draw no further."""
        if self.wanted is not None:
            self._brought.put(None)
            self.wanted = None

    def _evaluate(self, arrays: Arrays) -> Arrays:
        self._asked.put(arrays)
        predicted = self._brought.get()
        if predicted is None:
            raise _Stopped
        return {PREDICTED: predicted}

    def _main(self) -> None:
        try:
            self.images = self.part.draw(self._spec, self._evaluate, self._progress)
        except _Stopped:
            pass
        except Exception:
            log.exception("drawing %d images failed", len(self.part.rows))
        finally:
            self._asked.put(None)
