"""RecBole beside today's libraries, and its BPR on MovieLens 100K, as its own trainer runs it.

RecBole 1.2.1 does not import beside today's NumPy without help: names that NumPy 2 removed are put back, and what it
imports but does not use in a training (ray, plotly, thop, texttable) is replaced by empty modules. Nothing else of it
is changed. Import this in a process that does nothing else with those.
"""

import contextlib
import logging
import sys
import tempfile
from collections.abc import Callable
from unittest.mock import MagicMock

import numpy as np

UNUSED = (
    "ray",
    "ray.tune",
    "ray.tune.schedulers",
    "thop",
    "plotly",
    "plotly.graph_objs",
    "plotly.subplots",
    "texttable",
)
REMOVED = {"bool8": np.bool_, "float_": np.float64, "unicode_": np.str_, "complex_": np.complex128}


def make_importable() -> None:
    """Let `import recbole` succeed."""
    for name in UNUSED:
        sys.modules.setdefault(name, MagicMock())
    for name, value in REMOVED.items():
        if not hasattr(np, name):
            setattr(np, name, value)


def bpr_epochs(batch_size: int, embed_dim: int) -> Callable[[], object]:
    """A function that trains one more epoch on RecBole's own split; drawing negative items is part of it."""
    make_importable()
    words, sys.argv = sys.argv, sys.argv[:1]  # RecBole reads them too
    try:
        from recbole.config import Config
        from recbole.data import create_dataset, data_preparation
        from recbole.model.general_recommender import BPR
        from recbole.trainer import Trainer
        from recbole.utils import init_seed

        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # it leaves logs where it is
            given = {
                "train_batch_size": batch_size, "embedding_size": embed_dim, "show_progress": False, "device": "cpu",
                "use_gpu": False, "gpu_id": "", "checkpoint_dir": folder, "seed": 2020, "state": "ERROR",
            }  # fmt: skip
            config = Config(model="BPR", dataset="ml-100k", config_dict=given)
            init_seed(2020, True)
            data, _, _ = data_preparation(config, create_dataset(config))
            trainer = Trainer(config, BPR(config, data.dataset))
    finally:
        sys.argv = words
        logging.getLogger().setLevel(logging.WARNING)
    return lambda: trainer._train_epoch(data, 0)
