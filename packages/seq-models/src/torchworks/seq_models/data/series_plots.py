"""Drawings of series."""

from pathlib import Path

import numpy as np

from torchworks.seq_models.data.series_panel import Panel
from torchworks.shared.data import Dataset

SHOWN = 9


def draw_series(dataset: Dataset, file: Path) -> None:
    """The first nine series over all their time steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    assert isinstance(dataset, Panel)
    rows = min(SHOWN, len(dataset))
    figure, axes = pyplot.subplots(rows, 1, figsize=(10, 1.3 * rows + 0.6), sharex=True, squeeze=False)
    for axis, name, values in zip(axes[:, 0], dataset.names, dataset.values, strict=False):
        axis.plot(dataset.times, values, linewidth=0.7)
        axis.set_title(name or "value", fontsize=8, loc="left", pad=2)
        axis.tick_params(labelsize=7)
        for gap in np.flatnonzero(np.isnan(values))[:500]:
            axis.axvline(dataset.times[gap], color="tab:red", linewidth=0.5, alpha=0.4)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
