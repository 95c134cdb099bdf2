"""The data sources `iris`, `wine` and `breast-cancer`: small tables that come with scikit-learn.

| name | rows | numbers | classes |
|---|---|---|---|
| `iris` | 150 | 4 | 3 species (Fisher 1936) |
| `wine` | 178 | 13 | 3 growers (Forina 1988) |
| `breast-cancer` | 569 | 30 | 2, malignant and benign (Wolberg, Street, Mangasarian 1995) |

A fifth of each class is for testing, chosen by the seed: with so few rows a score depends on which they are, so that
scores are given over many seeds.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from torchworks.seq_models.data.table_columns import LABEL, Columns, schema_of
from torchworks.seq_models.data.table_config import TableConfig
from torchworks.seq_models.data.table_files import RESERVED
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source, TensorDataset
from torchworks.shared.data.mixed_columns import plain_names
from torchworks.shared.data.split import digests, fingerprint, split

LICENCE = "CC BY 4.0 (UCI Machine Learning Repository; comes with scikit-learn)"


def _opener(name: str, function: str) -> Callable[[str, LoaderConfig, int], Source]:
    def open_table(rest: str, config: LoaderConfig, seed: int) -> Source:
        from sklearn import datasets

        if rest:
            raise UserError(f"'{name}' takes nothing after its name; '{name}:{rest}' was given.")
        TableConfig.of(config, name)
        found: Any = getattr(datasets, function)()
        x, y = np.asarray(found.data, np.float32), np.asarray(found.target, np.int64)
        names = plain_names([each.removesuffix(" (cm)") for each in found.feature_names], RESERVED)
        columns = Columns(tuple(names.values()), {}, tuple(map(str, found.target_names)))
        marks = digests(x)
        train, test = split(marks, y.tolist(), config.test_fraction, seed)
        tensors = {name: torch.from_numpy(x[:, i].copy()) for i, name in enumerate(columns.numbers)}
        whole = TensorDataset(tensors | {LABEL: torch.from_numpy(y)}, schema_of(columns))
        mark = fingerprint(marks, y.tolist(), train)
        return Source(name, LICENCE, whole.subset(train), whole.subset(test), whole.schema, mark)

    return open_table


open_iris = _opener("iris", "load_iris")
open_wine = _opener("wine", "load_wine")
open_breast_cancer = _opener("breast-cancer", "load_breast_cancer")
