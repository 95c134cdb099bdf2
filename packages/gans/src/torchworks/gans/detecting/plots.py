"""ROC curves as an image."""

from collections.abc import Mapping
from io import BytesIO

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from torchworks.gans.detecting.metrics import FALSE_ALARMS, Curve

NAMES = {"": "faces learnt from", "_reduced": "the same, reduced", "_unseen": "other faces, other net"}
COLORS = {"": "tab:blue", "_reduced": "tab:orange", "_unseen": "tab:red"}


def draw_roc(curves: Mapping[str, Curve], beside: Mapping[str, Curve] | None = None) -> bytes:
    """A PNG file with the `curves` of a detector by group, and those of a regression on the spectrum `beside` as broken
    lines. False alarms are on a logarithmic scale, since only few are of use."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axis = figure.subplots()
    for found, style, what in ((curves, "-", "net"), (beside or {}, "--", "spectrum")):
        for group, each in found.items():
            label = f"{what}, {NAMES[group]}: {each.area:.3f}"
            axis.step(
                np.maximum(each.false_alarms, 1e-3), each.caught, style, where="post", color=COLORS[group], label=label
            )
    line = np.geomspace(1e-3, 1, 50)
    axis.plot(line, line, ":", color="grey", label="chance: 0.500")
    axis.axvline(FALSE_ALARMS, color="lightgrey", zorder=0)
    axis.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1.02), xlabel="false alarms", ylabel="swaps caught")
    axis.legend(title="area under the curve", fontsize=8, loc="lower right")
    file = BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


def as_preview(png: bytes) -> Tensor:
    """uint8 (3, H, W)."""
    return torch.from_numpy(np.array(Image.open(BytesIO(png)).convert("RGB"))).permute(2, 0, 1)
