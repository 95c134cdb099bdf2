"""Data: sources opened by name, splits that never leak, loaders whose order and pixels follow from the seed."""

import importlib

_HOMES = {
    "dataset": (
        "ArrayDataset",
        "Dataset",
        "Field",
        "Part",
        "Schema",
        "TensorDataset",
        "lengths_of",
        "nbytes",
        "resident",
    ),
    "ragged": ("pad_to_longest",),
    "images": ("FileDataset",),
    "sources": ("Source", "open_source"),
    "loaders": ("Loader", "ResidentLoader", "Together", "open_loader"),
    "order": ("BucketOrder", "Order"),
    "stream": ("StreamLoader",),
    "windows": ("WindowDataset", "Windows"),
    "augment": (
        "Augment",
        "affine",
        "alternating_flip",
        "brightness",
        "contrast",
        "cutout",
        "flip",
        "random_augment",
        "shift",
        "torchvision_transform",
    ),
    "report": ("Report", "check", "run_check"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
