"""Checkpoints that are whole or not there: written aside, synced, renamed, and verified before they are read.

A checkpoint is a directory `step-00001000` with one `*.safetensors` per net, a `state.pt` of plain data and
tensors (read with `weights_only=True`), and a `manifest.json` with the size and SHA-256 of each file.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from torchworks.shared.models.manifest import sha256
from torchworks.shared.training.guard import TrainingFailed

FORMAT = 1


class Damaged(Exception):
    """A checkpoint that must not be used, and why."""


@dataclass(frozen=True)
class Checkpoint:
    """`nets` maps a file's stem to a state_dict; `state` is everything else. All on the CPU."""

    step: int
    nets: dict[str, dict[str, Tensor]]
    state: dict[str, Any]


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of `step` is kept in `folder`."""
    return folder / f"step-{step:08d}"


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write `checkpoint` into `folder`. Raises `TrainingFailed` if the disk refuses it; those already there stay
    as they were."""
    final = path_of(folder, checkpoint.step)
    aside = folder / f".writing-{final.name}"
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        _write_files(aside, checkpoint)
        _replace(final, aside)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch.save's and safetensors' own for a full disk
        shutil.rmtree(aside, ignore_errors=True)
        reason = error.__context__ if isinstance(error.__context__, OSError) else error  # torch.save hides it
        raise TrainingFailed(
            f"The checkpoint of step {checkpoint.step} could not be written to {folder}: {reason}. "
            "Nothing that was saved before is harmed. Free disk space or fix the permissions there, then continue with "
            f"`train --resume {folder.parent}`."
        ) from error
    return final


def _write_files(aside: Path, checkpoint: Checkpoint) -> None:
    for name, tensors in checkpoint.nets.items():
        write_tensors(aside / f"{name}.safetensors", {key: value.contiguous() for key, value in tensors.items()})
    with (aside / "state.pt").open("wb") as file:
        torch.save(checkpoint.state, file)
    files = {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in sorted(aside.iterdir())}
    manifest = {"format": FORMAT, "step": checkpoint.step, "torch": str(torch.__version__), "files": files}
    (aside / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    for path in aside.iterdir():
        sync(path)
    sync(aside)


def _replace(final: Path, aside: Path) -> None:
    """Rename `aside` to `final`; a directory that stood there is moved away first, and back if that fails."""
    old = final.with_name(f".old-{final.name}")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    aside.rename(final)
    sync(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """A safetensors file as readable as the folder it is in. safetensors itself lets nobody but its maker read it,
    whatever the umask, and then the user that a container runs as could not open a model."""
    save_file(tensors, path)
    path.chmod(path.parent.stat().st_mode & 0o666)


def sync(path: Path) -> None:
    """Make a file's or a directory's content survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def verify(path: Path) -> None:
    """Raise `Damaged` unless every file the manifest names is there with its size and hash."""
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        files = manifest["files"]
        if manifest["format"] != FORMAT:
            raise Damaged(f"{path.name} has format {manifest['format']}, this version reads {FORMAT}")
        for name, expected in files.items():
            size = (path / name).stat().st_size
            if size != expected["bytes"]:
                raise Damaged(f"{path.name}/{name} has {size} bytes instead of {expected['bytes']}")
            if sha256(path / name) != expected["sha256"]:
                raise Damaged(f"{path.name}/{name} has other content than was saved (SHA-256 differs)")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{path.name} is not a complete checkpoint ({type(error).__name__}: {error})") from error


def load(path: Path) -> Checkpoint:
    """Read a checkpoint after verifying it; raises `Damaged`."""
    verify(path)
    nets = {file.stem: load_file(file) for file in sorted(path.glob("*.safetensors"))}
    state = torch.load(path / "state.pt", map_location="cpu", weights_only=True)
    return Checkpoint(int(path.name.removeprefix("step-")), nets, state)


def steps(folder: Path) -> list[int]:
    """Steps with a checkpoint directory in `folder`, oldest first, verified or not."""
    numbers = (path.name.removeprefix("step-") for path in folder.glob("step-*"))
    return sorted(int(number) for number in numbers if number.isdigit())


def newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that verifies, and what was wrong with each newer one."""
    problems = []
    for step in reversed(steps(folder)):
        try:
            return load(path_of(folder, step)), problems
        except Damaged as damage:
            problems.append(str(damage))
    return None, problems


def prune(folder: Path, keep: int, best: int | None) -> None:
    """Delete all but the `keep` newest checkpoints and the `best` one, and what a killed `save` left behind."""
    for left in (*folder.glob(".writing-step-*"), *folder.glob(".old-step-*")):
        shutil.rmtree(left, ignore_errors=True)
    for step in steps(folder)[:-keep]:
        if step != best:
            shutil.rmtree(path_of(folder, step), ignore_errors=True)
