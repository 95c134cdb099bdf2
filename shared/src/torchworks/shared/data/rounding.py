"""What is left of numbers in float32, which keeps seven digits: of 1000000000.25 and 1000000001.75 too little."""

import numpy as np

SHARE = 0.01
"""Of the standard deviation, that rounding may be off by."""


def is_coarse(values: np.ndarray) -> bool:
    """Whether float32 rounds float64 `values`, NaN where nothing is known, by more than a hundredth of their standard
    deviation."""
    known = values[~np.isnan(values)]
    if not len(known):
        return False
    spread = float((known - known.mean()).std())
    with np.errstate(over="ignore"):
        return bool(np.abs(known.astype(np.float32).astype(np.float64) - known).max() > SHARE * spread > 0)


def said_of(values: np.ndarray) -> str:
    """A part of a sentence on a column that is coarse."""
    return f"differs by too little for numbers of about {float(np.nanmedian(values)):.3g}: subtract a constant"
