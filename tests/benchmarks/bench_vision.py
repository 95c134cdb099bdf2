"""How fast vision nets train, load and predict, beside the loops and loaders that people know.

    make bench-cnn-vision            some minutes; ARGS="--quick" for a first look
    uv run --group peers python tests/benchmarks/bench_vision.py --out FILE

Prints and saves as JSON: training a ResNet by our trainer, torchvision's loop, timm's and Lightning (vision_step.py),
on equal terms and each at its best; reading JPEGs, and training on them (photos.py); predicting (inference.py). What
a table compares takes turns within one process, one thread each (race.py). "quiet" is the mean of the fastest tenth of
the turns. It ends with the targets and whether they are met; it never fails because of one. Let the machine do nothing
else meanwhile. It is written for a GPU too, with larger batches, but has not been run on one.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import inference
import photos
import torch
import vision_step
from inference import EAGER, Absent
from photos import RESIDENT, STREAMED, THEIRS
from race import Times, in_turns, race
from report import (
    Target,
    for_images,
    how,
    kind_of_time,
    print_machine,
    print_targets,
    quiet,
    rates,
    save,
    table_of,
)
from rich.console import Console
from vision_step import OURS, Job

from torchworks.shared.machine.device import Device
from torchworks.shared.machine.facts import affinity

OUT = Path("build/bench/vision.json")
TERMS = {"on equal terms": vision_step.loops, "each at its best": vision_step.loops_at_their_best}
BATCHES = {"resnet18": (1, 32), "resnet50": (1, 8)}
"""Batch sizes of inference on a CPU; a GPU takes 32 times the second."""
IMAGE_SIZES = (64, 224)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to save the figures (default: {OUT})")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and nothing is compiled")
    given = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(1)
    begun, console, device = time.monotonic(), Console(highlight=False, width=110), for_images()
    machine = print_machine(console)
    rounds = 3 if given.quick else 7
    trainings = train(console, device, rounds)
    with tempfile.TemporaryDirectory() as folder:
        passes, streamed = load(console, Path(folder), device, rounds)
    predictions = predict(console, device, rounds, given.quick)

    targets = [
        *faster_than_peers(trainings, device),
        *faster_loader(passes),
        unhindered(passes, streamed, bottleneck(device)),
    ]
    print_targets(console, targets)
    seconds = round(time.monotonic() - begun, 1)
    save(
        given.out, machine=machine, targets=targets, seconds=seconds, training=trainings, loading=passes,
        streaming=streamed, inference=predictions,
    )  # fmt: skip
    console.print(f"{seconds:.0f} s; saved as {given.out}")


# ---- training --------------------------------------------------------------------------------------------


def train(console: Console, device: Device, rounds: int) -> dict[str, dict[str, Times]]:
    """Seconds per step of every loop, by terms and net."""
    races = {}
    for terms, loops in TERMS.items():
        for name, job in vision_step.jobs(device).items():
            with quiet():
                times = race(installed(loops(job, device)), length=job.length, warm_up=1, rounds=rounds)
            races[f"{terms}: {name}"] = times
            title = f"training {name}, {terms} ({how(device)}, batch {job.batch}"
            _print_rates(console, title, times, kind_of_time(device), job.batch, OURS)
    return races


def installed(loops: dict[str, Any]) -> dict[str, Any]:
    """The loops without those of peers that are not installed."""
    packages = {name: name.split("'")[0].split(",")[0].lower() for name in loops if name != OURS}
    missing = [name for name, package in packages.items() if not _importable(package)]
    return {name: loop for name, loop in loops.items() if name not in missing}


def _importable(package: str) -> bool:
    try:
        __import__(package)
    except ImportError:
        return False
    return True


def _print_rates(
    console: Console, title: str, times: dict[str, Times], kind: str, amount: int, compared: str, what: str = "loop"
) -> None:
    rounds = len(times[compared].wall)
    title = f"{title}): images per second of {kind} time, {rounds} rounds"
    table = table_of(title, f"time, {compared} = 1", what=what)
    for name, time_of in times.items():
        ratio = "" if name == compared else relative(time_of, times[compared], kind)
        table.add_row(name, *rates(time_of, kind, amount), ratio)
    console.print(table)


def relative(times: Times, other: Times, kind: str) -> str:
    """Median ratio and standard error."""
    error = times.error(other, kind) / statistics.median(getattr(other, kind))
    return f"{times.ratio(other, kind):.3f} ± {error:.3f}"


# ---- loading ---------------------------------------------------------------------------------------------


def load(
    console: Console, folder: Path, device: Device, rounds: int
) -> tuple[dict[str, dict[str, Times]], dict[str, Times]]:
    """Seconds per pass of the loaders; seconds per step of a training that reads the photos, and of one that does
    not."""
    size, passes = photos.make_folder(folder), {}
    console.print(f"{photos.COUNT} photos of {photos.WIDTH}×{photos.HEIGHT} pixels, {size:.0f} KiB each")
    for image_size in IMAGE_SIZES:
        for workers in (0, count_workers()):
            name = f"{image_size} pixels, {workers} workers"
            passes[name] = in_turns(photos.passes(folder, image_size, workers, device), rounds=rounds)
            _print_rates(console, f"loading ({name}", passes[name], "wall", photos.COUNT, photos.OURS, "loader")
    job = bottleneck(device)
    times = race(photos.trainings(folder, job, count_workers(), device), length=job.length, warm_up=1, rounds=rounds)
    title = f"training ResNet-18, 224×224 ({how(device)}, batch {job.batch}, {count_workers()} workers"
    _print_rates(console, title, times, "wall", job.batch, RESIDENT, "data")
    return passes, times


def count_workers() -> int:
    return max(2, affinity())


def bottleneck(device: Device) -> Job:
    """A training in which the net should be slower than the loader."""
    return Job("resnet18", 224, photos.CLASSES, *((64, 10) if device.device.type == "cuda" else (4, 2)))


# ---- inference -------------------------------------------------------------------------------------------


def predict(console: Console, device: Device, rounds: int, quick: bool) -> list[dict[str, Any]]:
    """Seconds per call, and how far outputs are off, for every net, batch size and way."""
    rows, kind = [], kind_of_time(device)
    for name, job in vision_step.jobs(device).items():
        small, large = BATCHES[job.model]
        large *= 32 if device.device.type == "cuda" else 1
        images = torch.randn(large, 3, job.image_size, job.image_size, device=device.device)
        found = inference.forms(job, images, device)
        if quick:
            found |= {way: Absent("left out by --quick") for way in found if way.startswith("compiled")}
        for batch in (small, large):
            rows += _predictions(name, found, images[:batch], rounds)
    table = table_of(f"inference ({device.device}): images per second of {kind} time", "off by", what="net, batch, way")
    for row in rows:
        what = f"{row['net']}, {row['batch']}: {row['way']}"
        if "why" in row:
            table.add_row(what, *["–"] * 5)
        else:
            table.add_row(what, *rates(row["times"], kind, row["batch"]), f"{row['off']:.1e}")
    console.print(table)
    for text in dict.fromkeys(f"{row['way']}: not measured, {row['why']}." for row in rows if "why" in row):
        console.print(text)
    return rows


def _predictions(name: str, forms: dict[str, Any], images: torch.Tensor, rounds: int) -> list[dict[str, Any]]:
    here = {way: form for way, form in forms.items() if not isinstance(form, Absent)}
    with torch.inference_mode():
        off = {way: inference.difference(form, here[EAGER], images) for way, form in here.items()}
        times = in_turns({way: lambda form=form: form(images) for way, form in here.items()}, rounds=rounds)
    rows = []
    for way, form in forms.items():
        figures = {"why": form.why} if isinstance(form, Absent) else {"times": times[way], "off": off[way]}
        rows.append({"net": name, "batch": len(images), "way": way, **figures})
    return rows


# ---- targets ---------------------------------------------------------------------------------------------


def faster_than_peers(races: dict[str, dict[str, Times]], device: Device) -> list[Target]:
    """One target for either terms, over both nets."""
    targets, kind = [], kind_of_time(device)
    for terms in TERMS:
        pairs = [
            (f"{peer}, {name.removeprefix(f'{terms}: ')}", times, loops[OURS])
            for name, loops in races.items() if name.startswith(terms)
            for peer, times in loops.items() if peer != OURS
        ]  # fmt: skip
        measured = "; ".join(f"{name} {relative(times, ours, kind)}" for name, times, ours in pairs)
        met = all(times.ratio(ours, kind) > 1 for _, times, ours in pairs) if pairs else None
        targets.append(Target(f"ours faster than each peer, {terms} (its time, ours = 1)", measured, met))
    return targets


def faster_loader(passes: dict[str, dict[str, Times]]) -> list[Target]:
    measured = {name: times[THEIRS].ratio(times[photos.OURS], "wall") for name, times in passes.items()}
    text = "; ".join(f"{name} {ratio:.2f}" for name, ratio in measured.items())
    title = "the loader at least as fast as ImageFolder + DataLoader at equal workers (its time, ours = 1)"
    return [Target(title, text, min(measured.values()) >= 1)]


def unhindered(passes: dict[str, dict[str, Times]], streamed: dict[str, Times], job: Job) -> Target:
    """Whether photos slow down a net that needs longer for a batch than the loader."""
    title = "training from photos within 5 % of synthetic data when the net is the bottleneck (synthetic = 1)"
    name = f"{IMAGE_SIZES[-1]} pixels, {count_workers()} workers"
    loads = photos.COUNT / statistics.median(passes[name][photos.OURS].wall)
    trains = job.batch / statistics.median(streamed[RESIDENT].wall)
    speeds = f"the loader gives {loads:.0f} images per second, the net takes {trains:.0f}"
    if loads < trains:
        return Target(title, f"the loader is the bottleneck here: {speeds}", None)
    ratio = streamed[STREAMED].ratio(streamed[RESIDENT], "wall")
    own = streamed[STREAMED].ratio(streamed[RESIDENT], "processor")
    both = f"{relative(streamed[STREAMED], streamed[RESIDENT], 'wall')} on the wall, {own:.3f} of CPU time"
    return Target(title, f"{both}; {speeds}", ratio <= 1.05)


if __name__ == "__main__":
    sys.exit(main())
