"""Bundles of tiny models that see: their answers follow from the picture by rules that a person can check.

`python sight_bundles.py finder FOLDER`. A finder's image is cut into 4 × 4 cells, and each cell whose mean is above ½
is a detection: its box is the cell, its score the mean, its label 1 in the lower half. A segmenter's pixel is "sky"
where it is brighter than 170, "land" where it is brighter than 85, else "background". A driver does both, and its depth
is the brightness in metres. An inspector sees the middle of a picture only, and its heat is the brightness.
"""

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto as Type
from tiny_bundles import Tiny, node, write_tiny

from torchworks.shared.models.signature import Signature, TensorSpec

SIDE, CELLS = 32, 4
CELL = SIDE // CELLS
COUNT = CELLS * CELLS
THINGS, PIXELS = ("bird", "car"), ("background", "land", "sky")
METRES = 80.0
IMAGE = TensorSpec("image", "image", "uint8", ("N", 3, SIDE, SIDE))
BOXES = TensorSpec("boxes", "boxes", "float32", ("N", COUNT, 4), low=0.0, high=float(SIDE))
SCORE = TensorSpec("score", "features", "float32", ("N", COUNT), low=0.0, high=1.0)
LABEL = TensorSpec("label", "label", "int64", ("N", COUNT), low=-1, labels=THINGS)
INSTANCE = TensorSpec("instance", "mask", "uint8", ("N", SIDE, SIDE))
MASK = TensorSpec("mask", "mask", "uint8", ("N", SIDE, SIDE), labels=PIXELS)
CONFIDENCE = TensorSpec("confidence", "mask", "float32", ("N", SIDE, SIDE), low=0.0, high=1.0)
DEPTH = TensorSpec("depth", "mask", "float32", ("N", SIDE, SIDE), low=0.0, high=METRES)
GLOOM = TensorSpec("gloom", "features", "float32", ("N", 1), low=0.0)
HEAT = TensorSpec("heat", "mask", "float32", ("N", SIDE, SIDE), low=0.0, high=1.0)
WHOLE = {"image": {"size": SIDE, "mode": "RGB", "fit": "letterbox"}}
GREY = [
    node("Cast", ["image"], ["bytes"], to=Type.FLOAT),
    node("Div", ["bytes", "white"], ["unit"]),
    node("ReduceMean", ["unit", "channel"], ["grey"], keepdims=1),  # (N, 1, S, S)
    node("Squeeze", ["grey", "channel"], ["flat"]),  # (N, S, S)
]
WEIGHTS = {"white": np.float32(255), "channel": np.array([1]), "half": np.float32(0.5)}


def cells() -> np.ndarray:
    """(COUNT, 4)."""
    places = [(CELL * x, CELL * y, CELL * (x + 1), CELL * (y + 1)) for y in range(CELLS) for x in range(CELLS)]
    return np.array(places, np.float32)


FINDING = [
    node("AveragePool", ["grey"], ["means"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
    node("Reshape", ["means", "row"], ["mean"]),  # (N, COUNT)
    node("Greater", ["mean", "half"], ["there"]),
    node("Where", ["there", "mean", "zero"], ["score"]),
    node("Where", ["there", "classes", "nothing"], ["label"]),
    node("Unsqueeze", ["there", "last"], ["each"]),
    node("Where", ["each", "cells", "zero"], ["boxes"]),
    node("Where", ["there", "numbers", "none"], ["number"]),
    node("Reshape", ["number", "square"], ["coarse"]),
    node("Resize", ["coarse", "", "larger"], ["wide"], mode="nearest"),
    node("Squeeze", ["wide", "channel"], ["thin"]),
    node("Cast", ["thin"], ["instance"], to=Type.UINT8),
]
FOUND = {
    "row": np.array([-1, COUNT]), "square": np.array([-1, 1, CELLS, CELLS]), "last": np.array([2]),
    "zero": np.float32(0), "none": np.float32(0), "nothing": np.int64(-1), "cells": cells(),
    "classes": (np.arange(COUNT) >= COUNT // 2).astype(np.int64), "numbers": np.arange(1, COUNT + 1, dtype=np.float32),
    "larger": np.array([1, 1, CELL, CELL], np.float32),
}  # fmt: skip
SEGMENTING = [
    node("Greater", ["flat", "third"], ["land"]),
    node("Greater", ["flat", "thirds"], ["sky"]),
    node("Cast", ["land"], ["one"], to=Type.UINT8),
    node("Cast", ["sky"], ["two"], to=Type.UINT8),
    node("Add", ["one", "two"], ["mask"]),
    node("Sub", ["flat", "half"], ["off"]),
    node("Abs", ["off"], ["far"]),
    node("Add", ["far", "half"], ["confidence"]),
]
PARTS = {"third": np.float32(85 / 255), "thirds": np.float32(170 / 255)}
INSPECTING = [
    node("Identity", ["flat"], ["heat"]),
    node("GlobalAveragePool", ["grey"], ["one"]),
    node("Reshape", ["one", "single"], ["gloom"]),
]
MEASURING = [node("Mul", ["flat", "metres"], ["depth"])]


def picture(width: int = SIDE, height: int = SIDE) -> np.ndarray:
    """uint8 (height, width, 3): dark, with a bright cell at the upper left and a grey one at the lower right."""
    values, cell = np.full((height, width, 3), 20, np.uint8), max(width, height) // CELLS
    values[:cell, :cell] = 250
    values[-cell:, -cell:] = 140
    return values


def tiny(*outputs: TensorSpec) -> Tiny:
    known = {spec.name for spec in outputs}
    nodes, weights = list(GREY), dict(WEIGHTS)
    if "boxes" in known:
        nodes, weights = nodes + FINDING, weights | FOUND
    if "mask" in known:
        nodes, weights = nodes + SEGMENTING, weights | PARTS
    if "depth" in known:
        nodes, weights = nodes + MEASURING, weights | {"metres": np.float32(METRES)}
    if "heat" in known:
        nodes, weights = nodes + INSPECTING, weights | {"single": np.array([-1, 1])}
    weights = {name: value for name, value in weights.items() if any(name in each.input for each in nodes)}
    golden = np.stack([picture(), 255 - picture()]).transpose(0, 3, 1, 2)
    return Tiny(Signature((IMAGE,), outputs), nodes, weights, {"image": np.ascontiguousarray(golden)})


PAINTED = TensorSpec("painted", "image", "float32", ("N", 3, SIDE, SIDE), low=0.0, high=1.0)


def painter() -> Tiny:
    """content and style → their mean."""
    both = tuple(TensorSpec(name, "image", "uint8", ("N", 3, SIDE, SIDE)) for name in ("content", "style"))
    nodes = [node("Cast", [spec.name], [f"{spec.name} bytes"], to=Type.FLOAT) for spec in both]
    nodes += [node("Add", ["content bytes", "style bytes"], ["sum"]), node("Div", ["sum", "twice"], ["painted"])]
    golden = {spec.name: tiny(DEPTH).golden["image"][i : i + 1] for i, spec in enumerate(both)}
    return Tiny(Signature(both, (PAINTED,)), nodes, {"twice": np.float32(510)}, golden)


SEEING = {
    "finder": (BOXES, SCORE, LABEL),
    "outliner": (BOXES, SCORE, LABEL, INSTANCE),
    "segmenter": (MASK, CONFIDENCE),
    "driver": (BOXES, SCORE, LABEL, MASK, DEPTH),
    "inspector": (GLOOM, HEAT),
}


def write_seeing(name: str, folder: Path) -> Path:
    """The bundle of the model `name`, in a folder to be made."""
    if name == "painter":
        return write_tiny(painter(), name, folder, {})
    return write_tiny(tiny(*SEEING[name]), name, folder, {} if name == "inspector" else WHOLE)


if __name__ == "__main__":
    write_seeing(sys.argv[1], Path(sys.argv[2]))
