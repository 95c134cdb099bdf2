"""Judges on disk: trained once per data set, image size and recipe, verified each time they are read.

A judge is two files: the weights, named by their own SHA-256, and a JSON file that says what they are and which
weights. Both are written aside and renamed, so that processes training the same judge at the same time, or killed
half-way, leave a whole judge or none.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from torchworks.shared.data import Source
from torchworks.shared.fidelity.judge import Judge, JudgeNet
from torchworks.shared.fidelity.recipe import RECIPE, class_names, train_judge
from torchworks.shared.training.progress import Silent


def judge_for(
    source: Source,
    *,
    image_size: int,
    cache: Path | None = None,
    device: torch.device | str = "cpu",
    say: Callable[[str], None] = Silent.say,
) -> Judge:
    """The judge of `source`'s images at `image_size`, on `device`: from `cache`, or trained on `source.train`.

    `cache` is `$XDG_CACHE_HOME/torchworks/judges` (`~/.cache/…`) if not given. A damaged file there is not
    trusted but replaced. If the folder cannot be written the judge works all the same and says so in `notes`. `say` is
    told how long a training takes, once that is known.
    """
    folder = cache.expanduser() if cache else default_cache()
    described = _describe(source, image_size)
    entry = folder / f"{_identifier(source.name)}-{image_size}px-{_key(described)}.json"
    judge = _load(entry, described)
    if judge is None:
        what = f"first a judge of the images of {source.name} is trained on one core, and kept in {folder}"
        judge = train_judge(
            _identifier(source.name), source.train, source.test, say=lambda time: say(f"{what}: {time}")
        )
        _save(entry, judge, described)
    return judge.to(device)


def default_cache() -> Path:
    """Where judges are kept if nothing else is said."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torchworks" / "judges"


def _identifier(name: str) -> str:
    """`name` as part of a score's and a file's name."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _describe(source: Source, image_size: int) -> dict[str, Any]:
    """What makes two judges the same."""
    return {
        "recipe": RECIPE,
        "data": source.fingerprint,
        "image_size": image_size,
        "in_channels": source.need("image")[0].shape[0],
        "classes": list(class_names(source.schema)),
    }


def _key(described: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]


def _load(entry: Path, described: dict[str, Any]) -> Judge | None:
    """The judge that `entry` describes; None if there is none that is whole."""
    try:
        manifest = json.loads(entry.read_text(encoding="utf-8"))
        weights = entry.with_name(f"{manifest['sha256']}.safetensors").read_bytes()
        if hashlib.sha256(weights).hexdigest() != manifest["sha256"] or manifest["described"] != described:
            return None
        name, accuracy = str(manifest["name"]), float(manifest["accuracy"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    tensors = safetensors.torch.load(weights)
    with torch.random.fork_rng(devices=[]):  # or nets made after this would depend on whether a judge was cached
        net = JudgeNet(described["in_channels"], len(tensors["net.head.bias"]))
    judge = Judge(net, tensors["mean"], tensors["std"], name, tuple(described["classes"]))
    judge.load_state_dict(tensors)
    judge.accuracy, judge.sha256 = accuracy, manifest["sha256"]
    return judge


def _save(entry: Path, judge: Judge, described: dict[str, Any]) -> None:
    weights = safetensors.torch.save({key: value.contiguous() for key, value in judge.state_dict().items()})
    judge.sha256 = hashlib.sha256(weights).hexdigest()
    manifest = {
        "name": judge.name,
        "accuracy": judge.accuracy,
        "sha256": judge.sha256,
        "described": described,
        "torch": str(torch.__version__),
    }
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        _write(entry.with_name(f"{judge.sha256}.safetensors"), weights)
        _write(entry, json.dumps(manifest, indent=2).encode())
    except OSError as error:
        judge.notes += (
            f"The judge {judge.name} could not be kept in {entry.parent} ({error.strerror}), so it is trained anew "
            "each time; make the folder writable, or set XDG_CACHE_HOME to one that is.",
        )


def _write(path: Path, content: bytes) -> None:
    """Write aside, sync, rename."""
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(aside, path)
    except OSError:
        os.unlink(aside)
        raise
