"""A classifier of series through the command line, killed and resumed."""

import numpy as np
import pytest

from torchworks.shared.testing_runs import killed_and_resumed

TRAIN = [
    "-m", "torchworks.seq_models", "train", "classify-series", "--device", "cpu", "--precision", "fp32",
    "--trainer.log-every", "1", "--trainer.steps", "40", "--trainer.batch-size", "4", "--trainer.eval-every", "15",
    "--trainer.checkpoint-every", "4", "--net.widths", "8", "8", "8", "--net.drop-rate", "0.2",
    "--valid-fraction", "0.3", "--trainer.ema", "0.9",
]  # fmt: skip


@pytest.mark.slow
def test_a_classifier_of_series_killed_and_resumed_ends_with_the_very_same_weights(tmp_path):
    """With batches by length, noise, statistics of batch normalization, and averaged weights."""
    draw = np.random.default_rng(0)
    rows = [",".join(f"{x:.3f}" for x in draw.normal(size=draw.integers(5, 60))) + f":{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "noise.ts").write_text("@data\n" + "\n".join(rows) + "\n")
    killed_and_resumed([*TRAIN, "--data", f"ts:{tmp_path / 'noise.ts'}"], tmp_path)
