"""The run directory: what a training leaves behind, in files that people can read.

config.json env.json metrics.jsonl result.json model.safetensors model.json
samples/*.png curves.png checkpoints/ README.md
"""

import contextlib
import json
import math
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.shared.config import Config, UserError, find_recipe, to_dict
from torchworks.shared.training.metrics import read_lines

GRAY = 0.5
"""Between the images of a grid, which are in [0, 1]."""
LIBRARIES = ("torch", "torchvision", "torchmetrics", "numpy", "safetensors")


def create(package: str, recipe: str, data: str, out: Path | None = None, root: Path = Path("runs")) -> Path:
    """A new run directory: `out`, or the next number under `root/<package>/<recipe>-<data>`.

    Raises `UserError` if `out` holds a run already or the place cannot be written.
    """
    if out is not None and (out / "config.json").exists():
        raise UserError(
            f"{out} already holds a run. Continue it with `train --resume {out}`, or choose another place with --out."
        )
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            _check_writable(out)
            return out
        base = root / package / f"{recipe}-{_slug(data)}"
        base.mkdir(parents=True, exist_ok=True)
        return _next_number(base)
    except OSError as error:
        raise UserError(
            f"The run directory cannot be made: {error}. Choose a place that can be written with --out DIR."
        ) from error


def discard(folder: Path) -> None:
    """Undo `create` for a training that never began: it has no metrics and no checkpoint yet."""
    metrics = folder / "metrics.jsonl"
    if (folder / "checkpoints").exists() or (metrics.exists() and metrics.stat().st_size):
        return
    for name in ("config.json", "env.json", "metrics.jsonl"):
        (folder / name).unlink(missing_ok=True)
    for events in folder.glob("tensorboard/events.*"):
        events.unlink()
    with contextlib.suppress(OSError):
        (folder / "tensorboard").rmdir()
    with contextlib.suppress(OSError):
        folder.rmdir()  # refused if anything else is in it


def _slug(data: str) -> str:
    """`folder:/a/my cats` becomes `my-cats`."""
    parts = [Path(part.partition(":")[2] or part).name for part in data.split("+")]
    return re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(parts)).strip("-.").lower() or "data"


def _next_number(base: Path) -> Path:
    numbers = [int(path.name) for path in base.iterdir() if path.name.isdigit()]
    number = max(numbers, default=0) + 1
    while True:
        try:
            folder = base / f"{number:03d}"
            folder.mkdir()
            return folder
        except FileExistsError:  # another run took it a moment ago
            number += 1


def _check_writable(folder: Path) -> None:
    probe = folder / ".writable"
    probe.touch()
    probe.unlink()


def write_json(path: Path, data: Any) -> None:
    """Write whole or not at all; null for numbers that are not finite, which JSON does not have."""
    aside = path.with_name(f".writing-{path.name}")
    aside.write_text(json.dumps(_finite(data), indent=2) + "\n", encoding="utf-8")
    aside.replace(path)


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def environment(device: str) -> dict[str, Any]:
    """Versions, machine, commit and command line."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "threads": torch.get_num_threads(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "commit": _commit(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None


def picture_grid(images: Tensor, columns: int, *, min_side: int = 64, gap: int = 2) -> Tensor:
    """Images (N, C, H, W) in [0, 1] side by side as uint8 (3, H', W'); small ones are enlarged by a whole factor to
    at least `min_side` pixels."""
    factor = -(-min_side // images.shape[-1])
    images = images.detach().float().cpu().clamp(0, 1)
    images = images.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    gap = gap if len(images) > 1 else 0  # one image is no grid
    images = F.pad(images.expand(-1, 3, -1, -1), (0, gap, 0, gap), value=GRAY)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    blank = images.new_full((rows * columns - len(images), *images.shape[1:]), GRAY)
    table = torch.cat([images, blank]).unflatten(0, (rows, columns)).permute(2, 0, 3, 1, 4).flatten(3).flatten(1, 2)
    return (F.pad(table, (gap, 0, gap, 0), value=GRAY) * 255).round().to(torch.uint8)


def draw_curves(folder: Path, baselines: dict[str, float]) -> None:
    """`curves.png` from `metrics.jsonl`: losses by phase, and each score with what to read it against (keys of
    `baselines` that begin with the score's name) as broken lines."""
    from matplotlib.figure import Figure

    lines = read_lines(folder / "metrics.jsonl")
    train = [line for line in lines if line["kind"] == "train"]
    scores = [line for line in lines if line["kind"] == "eval"]
    losses = sorted({name for line in train for name in line if name.endswith("/loss")})
    names = _drawn(scores)
    panels = 1 + len(names)
    columns = min(3, panels)
    rows = -(-panels // columns)
    figure = Figure(figsize=(4.6 * columns, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for name in losses:
        _curve(axes[0], train, name, label=name.removesuffix("/loss"))
    axes[0].set(title="loss", xlabel="step")
    if axes[0].lines:
        axes[0].legend()
    for axis, name in zip(axes[1:], names, strict=False):
        _curve(axis, scores, name, marker="o", markersize=3)
        beside = {key.removeprefix(f"{name}_"): value for key, value in baselines.items() if key.startswith(f"{name}_")}
        for (label, value), style in zip(beside.items(), cycle(("--", ":", "-.")), strict=False):
            axis.axhline(value, linestyle=style, color="grey", label=label)
        if beside:
            axis.legend()
        axis.set(title=name, xlabel="step", yscale=_scale([line[name] for line in scores if line.get(name)]))
    for axis in axes[panels:]:
        axis.set_axis_off()
    figure.savefig(folder / "curves.png", dpi=110)


def _scale(values: list[float]) -> str:
    """Logarithmic for distances that fall by far more than could be seen else; shares, which end at 1, are not."""
    return "log" if values and min(values) > 0 and max(values) > max(1, 20 * min(values)) else "linear"


def _drawn(scores: list[dict[str, Any]]) -> list[str]:
    """Scores with a curve of their own, eight at most: not the numbers of samples, nor the totals of other scores or
    the ends of their intervals."""
    names = sorted({name for line in scores for name in line} - {"kind", "step"})
    beside = {f"{name}_{what}" for name in names for what in ("of", "low", "high")}
    return [name for name in names if not name.startswith("n_") and name not in beside][:8]


def _curve(axis: Any, lines: list[dict[str, Any]], name: str, **style: Any) -> None:
    points = [(line["step"], line[name]) for line in lines if line.get(name) is not None]
    if points:
        axis.plot(*zip(*points, strict=True), **style)


def write_card(folder: Path, *, config: Config, result: dict[str, Any], sources: Any, about: str) -> None:
    """The generated model card, `README.md`."""
    rows = [f"| {name} | {_shown(value)} |" for name, value in result.items() if isinstance(value, (int, float))]
    data = [f"- **{source.name}**: {source.licence}" for source in sources]
    data += [f"  - {note}" for source in sources for note in source.notes]
    findings = [f"- step {item['step']}: {item['cause']}" for item in result.get("findings", [])]
    previews = sorted(folder.glob("samples/*.png"))
    texts = sorted(folder.glob("samples/*.txt"))
    text = [
        f"# {config.recipe} on {config.data}",
        "The recipe, with the scores that it reaches as it stands; this run's own are below:",
        about,
        "## How it was made",
        f"```\n{command(config)}\n```",
        "`config.json` holds every setting, `env.json` the versions and the machine.",
        "## Scores",
        "| metric | value |\n|---|---|\n" + "\n".join(rows),
        "Scores are of one run with one seed, on the part of the data held back for testing; metrics that end in "
        "`_floor`, `_real` or `_baseline` are baselines and bounds to compare it with, `_low` and `_high` the ends of "
        "its 95 % interval.",
        "![curves](curves.png)",
        *([f"![last samples]({previews[-1].relative_to(folder)})"] if previews else []),
        *([f"The last sample:\n\n~~~\n{texts[-1].read_text(encoding='utf-8').rstrip()}\n~~~"] if texts else []),
        "## Data and their licence",
        "\n".join(data),
        "## Limits",
        "It knows nothing but the data above, and was measured on nothing else. "
        "Check it on your own data before you rely on it.",
        *(["## What the training doctor said", "\n".join(findings)] if findings else []),
    ]
    # names of classes may be file names that are no text
    (folder / "README.md").write_text("\n\n".join(text) + "\n", encoding="utf-8", errors="backslashreplace")


def command(config: Config) -> str:
    """The command line that makes this run: its recipe, data, seed, and what else was set otherwise than there."""
    preset = _flat(to_dict(find_recipe(config.package, config.recipe)()))
    words = [config.package, "train", config.recipe]
    for name, value in _flat(to_dict(config)).items():
        if name in ("data", "seed") or value != preset[name]:
            words += _option(name.replace("_", "-"), value)
    return shlex.join(words)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        group, dot, last = name.rpartition(".")
        return [f"--{name}" if value else f"--{group}{dot}no-{last}"]
    return [f"--{name}", *map(str, value if isinstance(value, list) else [value])]


def _shown(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.4g}" if math.isfinite(value) else "–"
