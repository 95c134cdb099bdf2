"""Bundles that take and give sound and series: tiny ONNX models."""

from pathlib import Path

import numpy as np
from onnx import TensorProto as Type
from tiny_bundles import Tiny, node, write_tiny

from torchworks.shared.models.signature import Signature, TensorSpec

RATE = 8_000
COLUMNS, QUANTILES, AHEAD = ("load", "degrees"), ("q0.1", "q0.5", "q0.9"), 3


def softener() -> Tiny:
    """audio (N, L) → the same at half its level, and the mean level of what is no padding."""
    audio = TensorSpec("audio", "audio", "float32", ("N", "L"), low=-1, high=1, pad=0.0, rate=RATE)
    length = TensorSpec("length", "features", "int64", ("N",), low=1)
    soft = TensorSpec("soft", "audio", "float32", ("N", "L"), low=-1, high=1, rate=RATE)
    kept = TensorSpec("soft_length", "features", "int64", ("N",), low=1)
    level = TensorSpec("level", "features", "float32", ("N", 1), labels=("mean level",))
    nodes = [
        node("Mul", ["audio", "half"], ["soft"]),
        node("Identity", ["length"], ["soft_length"]),
        node("Abs", ["audio"], ["loud"]),
        node("ReduceSum", ["loud", "along"], ["sum"], keepdims=1),
        node("Cast", ["length"], ["count"], to=Type.FLOAT),
        node("Unsqueeze", ["count", "along"], ["counts"]),
        node("Div", ["sum", "counts"], ["level"]),
    ]
    tensors = {"half": np.array(0.5, np.float32), "along": np.array([1])}
    golden = {"audio": np.linspace(-0.5, 0.5, 16, dtype=np.float32)[None], "length": np.array([16])}
    golden["audio"] = np.pad(golden["audio"], ((0, 0), (0, 4)))
    return Tiny(Signature((audio, length), (soft, kept, level)), nodes, tensors, golden)


def repeater(every: str = "PT1H", steps: int | str = 4) -> Tiny:
    """series (N, T, 2) → for three steps ahead the last load, and a tenth of the last degrees less and more."""
    series = TensorSpec("series", "series", "float32", ("N", steps, 2), labels=COLUMNS, every=every)
    ahead = TensorSpec("forecast", "series", "float32", ("N", AHEAD, 3), labels=QUANTILES)
    nodes = [
        node("Gather", ["series", "last"], ["end"], axis=1),  # (N, 1, 2)
        node("MatMul", ["end", "mix"], ["one"]),
        node("Expand", ["one", "three"], ["forecast"]),
    ]
    mix = np.array([[1, 1, 1], [-0.1, 0, 0.1]], np.float32)
    tensors = {"last": np.array([-1]), "mix": mix, "three": np.array([1, AHEAD, 1])}
    golden = {"series": np.array([[[10, 1], [11, 2], [12, 3], [13, 4]]], np.float32)}
    return Tiny(Signature((series,), (ahead,)), nodes, tensors, golden)


def planner(given: bool = False) -> Tiny:
    """series (N, 4, 1 + K), load and hour, and of three steps ahead known (N, 3, K), the hour and, if `given`, a price
    → the last hour and the known columns of each step."""
    columns = ("price", "hour_of_day") if given else ("hour_of_day",)
    series = TensorSpec(
        "series", "series", "float32", ("N", 4, 1 + len(columns)), labels=("load", *columns), every="PT1H"
    )
    known = TensorSpec("known", "series", "float32", ("N", AHEAD, len(columns)), labels=columns, every="PT1H")
    ahead = TensorSpec("seen", "series", "float32", ("N", AHEAD, 1 + len(columns)), labels=("last", *columns))
    nodes = [
        node("Gather", ["series", "end"], ["step"], axis=1),
        node("Gather", ["step", "hour"], ["last"], axis=2),  # (N, 1, 1)
        node("Mul", ["last", "ones"], ["lasts"]),
        node("Concat", ["lasts", "known"], ["seen"], axis=2),
    ]
    tensors = {
        "end": np.array([-1]),
        "hour": np.array([len(columns)]),
        "ones": np.ones((1, AHEAD, 1), np.float32),
    }
    golden = {
        "series": np.arange(4 * (1 + len(columns)), dtype=np.float32).reshape(1, 4, -1),
        "known": np.arange(AHEAD * len(columns), dtype=np.float32).reshape(1, AHEAD, -1),
    }
    return Tiny(Signature((series, known), (ahead,)), nodes, tensors, golden)


PLANS = {"series": {"calendar": ["hour_of_day"]}, "known": {"calendar": ["hour_of_day"], "follows": "series"}}


def marker() -> Tiny:
    """series (N, T, 1) of any length → twice each value."""
    series = TensorSpec("series", "series", "float32", ("N", "T", 1), pad=0.0)
    score = TensorSpec("score", "series", "float32", ("N", "T", 1), labels=("surprise",))
    golden = {"series": np.array([[[1], [2]]], np.float32)}
    return Tiny(
        Signature((series,), (score,), {"T": 50}),
        [node("Mul", ["series", "two"], ["score"])],
        {"two": np.array(2, np.float32)},
        golden,
    )


def closer() -> Tiny:
    """value (N, T) of any length → the sum of all that came so far, which it remembers, and `more` as it got it."""
    tiny = adder()
    more = TensorSpec("more", "features", "int64", ("N",), low=0, high=1, default=0.0)
    told = TensorSpec("told", "features", "int64", ("N",))
    signature = Signature((*tiny.signature.inputs, more), (*tiny.signature.outputs, told))
    golden = tiny.golden | {"more": np.array([1])}
    return Tiny(signature, [*tiny.nodes, node("Identity", ["more"], ["told"])], tiny.weights, golden)


def adder() -> Tiny:
    """value (N, T) of any length → the sum of all that came so far, which it remembers."""
    value = TensorSpec("value", "features", "float32", ("N", "T"), pad=0.0)
    total = TensorSpec("total", "state", "float32", ("N", 1), default=0.0)
    so_far = TensorSpec("sum", "features", "float32", ("N", 1), labels=("sum so far",))
    nodes = [
        node("ReduceSum", ["value", "along"], ["piece"], keepdims=1),
        node("Add", ["piece", "total"], ["sum"]),
        node("Identity", ["sum"], ["next_total"]),
    ]
    given = TensorSpec("next_total", "state", "float32", ("N", 1))
    golden = {"value": np.array([[1, 2]], np.float32), "total": np.array([[3]], np.float32)}
    return Tiny(Signature((value, total), (so_far, given)), nodes, {"along": np.array([1])}, golden)


SIGNS = ("", " ", "a", "b", "c")


def speller() -> Tiny:
    """sign (N, K), whole numbers → the same as letters, each a tenth of a second after the one before."""
    sign = TensorSpec("sign", "tokens", "int64", ("N", "K"), low=0, high=4, pad=0)
    letters = TensorSpec("letters", "tokens", "int64", ("N", "K"), low=0, high=4, labels=SIGNS)
    seconds = TensorSpec("seconds", "features", "float32", ("N", "K"))
    nodes = [
        node("Identity", ["sign"], ["letters"]),
        node("Cast", ["sign"], ["number"], to=Type.FLOAT),
        node("Mul", ["number", "nothing"], ["zeros"]),
        node("Add", ["zeros", "tenth"], ["tenths"]),
        node("CumSum", ["tenths", "along"], ["seconds"]),
    ]
    tensors = {"nothing": np.array(0, np.float32), "tenth": np.array(0.1, np.float32), "along": np.array(1)}
    return Tiny(Signature((sign,), (letters, seconds)), nodes, tensors, {"sign": np.array([[2, 3, 1, 4, 0]])})


def write(name: str, folder: Path, **options) -> Path:
    """The bundle, in a folder to be made."""
    made = {
        "softener": softener, "repeater": repeater, "planner": planner, "marker": marker, "adder": adder,
        "closer": closer, "speller": speller,
    }[name]  # fmt: skip
    return write_tiny(made(**options), name, folder, PLANS if name == "planner" else {})
