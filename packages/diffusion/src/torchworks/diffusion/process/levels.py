"""The loss at each level of noise: which levels a model has learnt, and which it has not."""

import numpy as np
import torch
from torch import Tensor

TIMES = tuple((i + 0.5) / 10 for i in range(10))
"""Times at which the loss is looked at."""
MOST = 256
"""Images that it is looked at on."""


class LevelLosses:
    """Mean loss at each of `TIMES`, over at most `MOST` images of an evaluation."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.rows = 0
        self._sums = [0.0] * len(TIMES)

    @property
    def complete(self) -> bool:
        """Whether enough images have been looked at."""
        return self.rows >= MOST

    def add(self, losses: list[Tensor]) -> None:
        """The losses (N,) of the same images at each of `TIMES`."""
        self.rows += len(losses[0])
        self._sums = [total + float(loss.sum()) for total, loss in zip(self._sums, losses, strict=True)]

    @property
    def means(self) -> list[float]:
        return [total / max(self.rows, 1) for total in self._sums]

    def picture(self) -> Tensor:
        """The losses over the time, uint8 (3, H, W)."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5, 3.2), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.plot(TIMES, self.means, marker="o", color="#2b6cb0")
        axes.set(xlabel="time (0: image, 1: noise)", ylabel="loss", ylim=(0, None), xlim=(0, 1))
        axes.set_title("Loss at each level of noise")
        axes.grid(alpha=0.3)
        canvas.draw()
        return torch.from_numpy(np.array(canvas.buffer_rgba())[..., :3]).permute(2, 0, 1)
