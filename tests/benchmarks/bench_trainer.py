"""How fast the trainer is, beside loops written by hand and beside its peers.

    make bench                       about two minutes; ARGS="--quick" for a first look
    uv run --group peers python tests/benchmarks/bench_trainer.py --out FILE

Prints and saves as JSON: the cost of a step of a very small net (small_net.py), first among ourselves, then beside
the peers; a real training (gan_step.py); and, on a GPU, whether anything waits for it (waiting.py). The loops of a
table take turns within one process (race.py), on a CPU with one thread each, since the thread pools of
several loops would get in each other's way. A median comes with its standard error; "quiet" is the mean of the
fastest tenth of the turns, by which the cost of a step is judged, since the noise may be larger than it. It ends
with the targets and whether they are met; it never fails because of one. Let the machine do nothing else meanwhile.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gan_step
import small_net
import torch
import waiting
from gan_step import HAND_GAN, OURS_GAN
from race import Times, race
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
    spread,
    table_of,
)
from rich.console import Console
from rich.table import Table
from small_net import BARE, OURS, RESIDENT

from torchworks.gans.noise.recipes import dcgan
from torchworks.shared.machine.device import Device, choose

OUT = Path("build/bench/trainer.json")
RACES = {
    "small net": (small_net.loops, 601),
    "without a DataLoader": (small_net.loops_without_data_loader, 41),
    "with peers": (small_net.loops_with_peers, 31),
}
"""Races of the small net and their rounds: many for the first, whose difference is a fiftieth of a step."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to save the figures (default: {OUT})")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    given = parser.parse_args()

    torch.manual_seed(0)
    begun, console = time.monotonic(), Console(highlight=False, width=110)
    machine = print_machine(console)
    device = choose(precision="fp32", convolutional=False)
    kind = kind_of_time(device)
    races = {}
    for name, (loops, rounds) in RACES.items():
        with quiet():
            found, rounds = loops(device), rounds // 5 if given.quick else rounds
            races[name] = race(found, length=small_net.LOG_EVERY, warm_up=4, rounds=rounds) if found else {}
        console.print(table_of_steps(name, races[name], kind))
    device = for_images()
    races["dcgan"] = race(
        gan_step.loops(device), length=10, warm_up=3, rounds=5 if given.quick else 21, calls=gan_step.CALLS
    )
    console.print(table_of_images(races["dcgan"], kind, device))

    targets = [*judged(races, kind), *unsynchronized()]
    print_targets(console, targets)
    seconds = round(time.monotonic() - begun, 1)
    save(given.out, machine=machine, targets=targets, seconds=seconds, seconds_per_step=races)
    console.print(f"{seconds:.0f} s; saved as {given.out}")


def table_of_steps(name: str, times: dict[str, Times], kind: str) -> Table | str:
    if not times:
        return "The peers are not installed: uv run --group peers …"
    rounds = len(times[BARE].wall)
    title = f"{name}: µs of {kind} time per step, {rounds} rounds of turns of {small_net.LOG_EVERY} steps"
    table = table_of(title, "over the bare loop")
    for loop, time_of in times.items():
        figures = (f"{value * 1e6:.0f}" for value in spread(time_of, kind))
        table.add_row(loop, *figures, "" if loop == BARE else difference(time_of, times[BARE], kind))
    return table


def difference(times: Times, other: Times, kind: str) -> str:
    """Median and standard error, in µs."""
    return f"{times.over(other, kind) * 1e6:+.0f} ± {times.error(other, kind) * 1e6:.0f}"


def table_of_images(times: dict[str, Times], kind: str, device: Device) -> Table:
    rounds = len(times[OURS_GAN].wall)
    title = f"dcgan ({how(device)}): images per second of {kind} time, {rounds} rounds of turns of 10 steps"
    table = table_of(title, "time by hand = 1")
    for loop, time_of in times.items():
        table.add_row(
            loop, *rates(time_of, kind, dcgan().trainer.batch_size), f"{time_of.ratio(times[HAND_GAN], kind):.3f}"
        )
    return table


def judged(races: dict[str, dict[str, Times]], kind: str) -> list[Target]:
    """The targets that need no GPU."""
    small, without, gan = races["small net"], races["without a DataLoader"], races["dcgan"]
    cost = (small[OURS].quiet(kind) - small[BARE].quiet(kind)) * 1e6
    resident = without[RESIDENT].ratio(without[BARE], kind)
    ratio = gan[OURS_GAN].ratio(gan[HAND_GAN], kind)
    return [
        Target(
            "a step costs at most 30 µs more than in the bare loop",
            f"{cost:+.1f} µs in quiet turns ({difference(small[OURS], small[BARE], kind)} in all)",
            cost <= 30,
        ),
        Target("with ResidentLoader, less than the bare loop with DataLoader", f"{resident:.2f} of it", resident < 1),
        Target("a DCGAN step takes at most 1.05 of the time by hand", f"{ratio:.3f} of it", ratio <= 1.05),
    ]


def unsynchronized() -> list[Target]:
    trainings = {
        "small net": lambda device: (small_net.SmallTask(), small_net.resident_loader(device)),
        "dcgan": lambda device: (gan_step.task_of(dcgan()), gan_step.loader_of(dcgan(), device)),
    }
    return [_unsynchronized(name, make) for name, make in trainings.items()]


def _unsynchronized(name: str, make: Callable[[Device], tuple]) -> Target:
    title = f"nothing waits for the GPU between two log lines ({name})"
    if not torch.cuda.is_available():
        return Target(title, "there is no CUDA device here", None)
    device = for_images()
    found = waiting.what_waits(*make(device), device)
    return Target(title, found or f"nothing in {waiting.STEPS} steps", found is None)


if __name__ == "__main__":
    sys.exit(main())
