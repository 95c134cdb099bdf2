"""Bundles that take texts, ragged rows and optional inputs, and answer rankings: tiny ONNX models."""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto as Type
from tiny_bundles import Tiny, node, write_manifest, write_tiny

from torchworks.shared.models.signature import Signature, TensorSpec
from torchworks.shared.text import Characters

MOODS = ("angry", "calm", "glad")
TOKENIZER = Characters("acg")
LONGEST = 8
TEXT = TensorSpec("text", "text", "int64", ("N", "T"), low=0)
LENGTH = TensorSpec("length", "features", "int64", ("N",), low=1)
MOOD = TensorSpec("mood", "label", "float32", ("N", 3), low=0, high=1, labels=MOODS)
ITEMS = ("hat", "cat", "mat", "rat")
OURS = {"tokenizer": "tokenizer.json"}
PICTURE = {"size": 8, "mode": "L", "range": [0, 255]}
FILES = {
    "moods": {"text": OURS, "said": OURS},
    "asker": {"image": PICTURE, "question": OURS},
    "reader": {"text": OURS, "question": OURS, "answer": OURS},
}


def moods(text: TensorSpec = TEXT) -> Tiny:
    """text (N, T), length (N,) → the shares of its letters that are a, c and g, sharpened, and the same text again.
    What is padded does not count."""
    letters = np.zeros((len(TOKENIZER), 3), np.float32)
    letters[2:] = 20 * np.eye(3)
    nodes = [
        node("Gather", ["letters", text.name], ["each"]),
        node("ReduceSum", ["each", "along"], ["sum"], keepdims=0),
        node("Cast", ["length"], ["count"], to=Type.FLOAT),
        node("Unsqueeze", ["count", "along"], ["column"]),
        node("Div", ["sum", "column"], ["share"]),
        node("Softmax", ["share"], ["mood"]),
        node("Identity", [text.name], ["said"]),
    ]
    said = TensorSpec("said", "text" if text.kind == "text" else "tokens", "int64", ("N", "T"))
    golden = {text.name: np.array([[2, 3, 0], [4, 4, 2]]), "length": np.array([2, 3])}
    signature = Signature((text, LENGTH), (MOOD, said), {"T": LONGEST})
    return Tiny(signature, nodes, {"letters": letters, "along": np.array([1])}, golden)


def asker() -> Tiny:
    """image (N, 1, 8, 8) and question (N, T) → which of the letters the question has most, the surer the brighter the
    image is: of a black one all alike."""
    inputs = (
        TensorSpec("image", "image", "uint8", ("N", 1, 8, 8), low=0, high=255),
        TensorSpec("question", "text", "int64", ("N", "T"), low=0, pad=0),
    )
    letters = np.zeros((len(TOKENIZER), 3), np.float32)
    letters[2:] = np.eye(3) / 10
    nodes = [
        node("Gather", ["letters", "question"], ["each"]),
        node("ReduceSum", ["each", "along"], ["sum"], keepdims=0),
        node("Cast", ["image"], ["pixels"], to=Type.FLOAT),
        node("ReduceMean", ["pixels", "places"], ["brightness"], keepdims=0),
        node("Mul", ["sum", "brightness"], ["sharp"]),
        node("Softmax", ["sharp"], ["mood"]),
    ]
    golden = {"image": np.full((2, 1, 8, 8), 200, np.uint8), "question": np.array([[2, 3, 0], [4, 4, 2]])}
    tensors = {"letters": letters, "along": np.array([1]), "places": np.array([2, 3])}
    return Tiny(Signature(inputs, (MOOD,), {"T": LONGEST}), nodes, tensors, golden)


def towers() -> Tiny:
    """image (N, 2) and caption (M, 3) → the embedding of each."""
    inputs = (
        TensorSpec("image", "features", "float32", ("N", 2)),
        TensorSpec("caption", "features", "float32", ("M", 3)),
    )
    outputs = (
        TensorSpec("seen", "features", "float32", ("N", 2)),
        TensorSpec("read", "features", "float32", ("M", 3)),
    )
    nodes = [node("Neg", ["image"], ["seen"]), node("Neg", ["caption"], ["read"])]
    golden = {"image": np.ones((2, 2), np.float32), "caption": np.ones((3, 3), np.float32)}
    return Tiny(Signature(inputs, outputs), nodes, {}, golden)


def reader() -> Tiny:
    """text (N, T) and question (N, Q) → the question again where both begin with the same letter, else no text; the
    number of that letter, 0 if there is none; and the first letter of the text, twenty times."""
    question = TensorSpec("question", "text", "int64", ("N", "Q"), low=0)
    outputs = (
        TensorSpec("letters", "features", "float32", ("N", 20)),
        TensorSpec("answer", "text", "int64", ("N", "Q")),
        TensorSpec("number", "features", "int64", ("N",)),
    )
    nodes = [
        node("Slice", ["text", "begin", "along", "along"], ["letter"]),
        node("Slice", ["question", "begin", "along", "along"], ["asked"]),
        node("Equal", ["letter", "asked"], ["alike"]),
        node("Where", ["alike", "question", "nothing"], ["answer"]),
        node("Where", ["alike", "letter", "nothing"], ["found"]),
        node("Squeeze", ["found", "along"], ["number"]),
        node("Cast", ["letter"], ["as_float"], to=Type.FLOAT),
        node("Expand", ["as_float", "twenty"], ["letters"]),
    ]
    golden = {"text": np.array([[2, 3], [4, 4]]), "question": np.array([[2, 4], [3, 4]])}
    tensors = {"begin": np.array([0]), "along": np.array([1]), "nothing": np.array(0), "twenty": np.array([1, 20])}
    return Tiny(Signature((TEXT, question), outputs, {"T": LONGEST, "Q": LONGEST}), nodes, tensors, golden)


def ranker() -> Tiny:
    """user (N, 4), boost (N,) = 1 → the two items of the highest scores, and their scores times boost."""
    inputs = (
        TensorSpec("user", "features", "float32", ("N", 4)),
        TensorSpec("boost", "features", "float32", ("N",), low=0, default=1.0),
    )
    outputs = (
        TensorSpec("item", "label", "int64", ("N", 2), labels=ITEMS),
        TensorSpec("score", "features", "float32", ("N", 2)),
    )
    nodes = [
        node("TopK", ["user", "two"], ["best", "item"], axis=1),
        node("Unsqueeze", ["boost", "along"], ["column"]),
        node("Mul", ["best", "column"], ["score"]),
    ]
    golden = {"user": np.array([[1, 4, 2, 3]], np.float32), "boost": np.ones(1, np.float32)}
    return Tiny(Signature(inputs, outputs), nodes, {"two": np.array([2]), "along": np.array([1])}, golden)


def shop() -> Tiny:
    """user (N,), items (N, T), k (N,) → all five places (N, 5) by how often they are among the items, the user's own
    first; behind rank k there is nothing."""
    tokens, titles = ("", "7", "B-2", "C", "D"), ("", "Seven (1995)", "Two", "Sea", "Dee")
    named: dict[str, Any] = {"high": 4, "labels": tokens, "titles": titles}
    inputs = (
        TensorSpec("user", "id", "int64", ("N",), low=0, high=2, labels=("", "ann", "12"), default=0),
        TensorSpec("items", "id", "int64", ("N", "T"), low=0, pad=0, default=0, **named),
        TensorSpec("k", "features", "int64", ("N",), low=1, high=5, default=2),
    )
    outputs = (
        TensorSpec("item", "id", "int64", ("N", 4), low=-1, **named),
        TensorSpec("score", "features", "float32", ("N", 4)),
    )
    owned = np.zeros((3, 5), np.float32)
    owned[1, 1], owned[2, 2] = 0.5, 0.5
    nodes = [
        node("Gather", ["marks", "items"], ["each"]),
        node("ReduceSum", ["each", "along"], ["sum"], keepdims=0),
        node("Gather", ["owned", "user"], ["own"]),
        node("Add", ["sum", "own"], ["all"]),
        node("Sub", ["all", "padding"], ["without"]),
        node("TopK", ["without", "four"], ["score", "place"], axis=1),
        node("Unsqueeze", ["k", "along"], ["column"]),
        node("Less", ["ranks", "column"], ["within"]),
        node("Where", ["within", "place", "nothing"], ["item"]),
    ]
    weights = {
        "marks": np.eye(5, dtype=np.float32), "along": np.array([1]), "owned": owned, "four": np.array([4]),
        "padding": np.array([[99, 0, 0, 0, 0]], np.float32), "ranks": np.arange(4)[None], "nothing": np.array(-1),
    }  # fmt: skip
    golden = {"user": np.array([1, 0]), "items": np.array([[0, 0], [3, 4]]), "k": np.array([2, 1])}
    return Tiny(Signature(inputs, outputs, {"T": 6}), nodes, weights, golden)


def names() -> Tiny:
    """user (N, 4) → the items in the order of their scores (N, 4), by name."""
    user = TensorSpec("user", "features", "float32", ("N", 4))
    order = TensorSpec("item", "label", "int64", ("N", 4), labels=ITEMS)
    nodes = [node("TopK", ["user", "four"], ["best", "item"], axis=1)]
    golden = {"user": np.array([[1, 4, 2, 3]], np.float32)}
    return Tiny(Signature((user,), (order,)), nodes, {"four": np.array([4])}, golden)


def painter() -> Tiny:
    """latent (N, 1, 4, 4) → the same (N, 1, 4, 4), for it to be seen."""
    latent = TensorSpec("latent", "latent", "float32", ("N", 1, 4, 4))
    out = TensorSpec("out", "features", "float32", ("N", 1, 4, 4))
    golden = {"latent": np.ones((2, 1, 4, 4), np.float32)}
    return Tiny(Signature((latent,), (out,)), [node("Identity", ["latent"], ["out"])], {}, golden)


TINY = {
    "moods": moods,
    "ids": lambda: moods(TensorSpec("tokens", "tokens", "int64", ("N", "T"), low=0, pad=0)),
    "asker": asker,
    "towers": towers,
    "reader": reader,
    "ranker": ranker,
    "names": names,
    "shop": shop,
    "painter": painter,
}


def write(name: str, folder: Path) -> Path:
    """The bundle `name`, in a folder to be made."""
    tiny = TINY[name]()
    preprocessing: dict[str, Any] = FILES.get(name, {})
    write_tiny(tiny, name, folder, preprocessing)
    if preprocessing:
        (folder / "tokenizer.json").write_bytes(TOKENIZER.to_json())
        write_manifest(name, tiny.signature, folder, preprocessing)  # which names all files
    return folder
