"""Pieces of music as a data source: what all sources of them have in common.

A sample is {`frames`: int64 (L, V)}: at each of L steps the MIDI numbers of the notes that sound, from high to low,
filled up with 0 (`music/frames.py`). Pieces differ in length.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, Schema, Source, TensorDataset, pad_to_longest, resident
from torchworks.shared.data.ragged import length_name
from torchworks.shared.data.split import fingerprint

FRAMES = "frames"
FEWEST = 8
"""Frames below which a piece teaches nothing."""


def piece_source(
    name: str, licence: str, train: Sequence[np.ndarray], test: Sequence[np.ndarray], notes: Sequence[str] = ()
) -> Source:
    """Of pieces (L, V). Raises `UserError` for a part without pieces."""
    if not train or not test:
        raise UserError(
            f"'{name}' gives {len(train)} pieces for training and {len(test)} for testing, and at least one of each is "
            "needed. Use more pieces."
        )
    longest = max(len(piece) for piece in (*train, *test))
    schema = Schema((Field(FRAMES, "tokens", (longest, train[0].shape[1]), vocabulary=128, ragged=True),))
    mark = fingerprint(*([piece.tolist() for piece in part] for part in (train, test)))
    return Source(name, licence, _held(train, schema), _held(test, schema), schema, mark, tuple(notes))


def _held(pieces: Sequence[np.ndarray], schema: Schema) -> TensorDataset:
    frames, lengths = pad_to_longest([torch.from_numpy(piece) for piece in pieces])
    return TensorDataset({FRAMES: frames, length_name(FRAMES): lengths}, schema)


def pieces_of(dataset: Dataset) -> list[np.ndarray]:
    """The pieces of a part, (L, V) each."""
    tensors = resident(dataset).tensors
    rows: list[Tensor] = [
        row[:length] for row, length in zip(tensors[FRAMES], tensors[length_name(FRAMES)], strict=True)
    ]
    return [row.numpy() for row in rows]
