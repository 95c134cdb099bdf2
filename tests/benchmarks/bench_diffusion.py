"""How fast diffusion models draw and train, beside diffusers with the same weights.

    make bench-diffusion             some minutes; ARGS="--quick" for a first look

Prints and saves as JSON: images drawn by 20 steps of DDIM and of DPM-Solver++(2M), and training steps of DDPM
(diffusion_speed.py). What a table compares takes turns within one process, one thread each (race.py), and ends at the
same images. It ends with the targets and whether they are met; it never fails because of one. Let the machine do
nothing else meanwhile.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
from diffusion_speed import EXPORTED, OURS, STEPS, THEIRS, difference, samplers, training_loops
from race import Times, in_turns, race
from report import Target, print_machine, print_targets, quiet, save, table_of
from rich.console import Console

OUT = Path("build/bench/diffusion.json")
KIND = "processor"
"""CPU time: other programs hardly count in it."""
SAMPLING = {(OURS, 1): 1.35, (OURS, 16): 1.15, (EXPORTED, 1): 3.0}
"""How many times as fast as diffusers we mean to draw, by form and batch."""
TRAINING = 1.1
Tables = dict[str, dict[str, Times]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to save the figures (default: {OUT})")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    given = parser.parse_args()
    torch.set_num_threads(1)
    begun, console = time.monotonic(), Console(highlight=False, width=110)
    machine = print_machine(console)
    drawn = sampling(console, rounds=5 if given.quick else 21)
    trained = training(console, rounds=4 if given.quick else 21)
    found = targets(drawn, trained)
    print_targets(console, found)
    seconds = round(time.monotonic() - begun, 1)
    save(given.out, machine=machine, targets=found, seconds=seconds, sampling=drawn, training=trained)
    console.print(f"{seconds:.0f} s; saved as {given.out}")


def sampling(console: Console, *, rounds: int) -> Tables:
    """Seconds for a batch of images."""
    found: Tables = {}
    for name in ("ddim", "dpmpp-2m"):
        for rows in (1, 16):
            with quiet():
                apart = difference(name, rows)
                times = in_turns(samplers(name, rows), rounds=rounds, warm_up=2)
            console.print(f"{name}, batch {rows}: the images differ by {apart:.1e} of the largest value")
            found[f"{name}, {STEPS} steps, batch {rows}"] = times
            _print(console, f"{name}, {STEPS} steps, batch {rows}", times)
    return found


def training(console: Console, *, rounds: int) -> Tables:
    """Seconds for a step of 32 images."""
    with quiet():
        times = race(training_loops(32), rounds=rounds, length=2, warm_up=1)
    _print(console, "training step, batch 32", times)
    return {"training step, batch 32": times}


def _print(console: Console, name: str, times: dict[str, Times]) -> None:
    table = table_of(f"{name}: milliseconds of CPU time", f"× {THEIRS}", what="net")
    for net, each in times.items():
        values = sorted(each.processor)
        spread = (values[0], each.quiet(KIND), statistics.median(values), values[-1])
        ratio = times[THEIRS].ratio(each, KIND)
        table.add_row(net, *(f"{1000 * value:.1f}" for value in spread), f"{ratio:.2f}")
    console.print(table)


def targets(drawn: Tables, trained: Tables) -> list[Target]:
    """Whether ours is as many times as fast as we mean it to be."""
    found = []
    for name, times in drawn.items():
        for (net, rows), wanted in SAMPLING.items():
            if name.endswith(f"batch {rows}"):
                ratio = times[THEIRS].ratio(times[net], KIND)
                found.append(
                    Target(f"{name}, {net}: at least {wanted:g} × {THEIRS}", f"{ratio:.2f} ×", ratio >= wanted)
                )
    for name, times in trained.items():
        ratio = times[THEIRS].ratio(times[OURS], KIND)
        found.append(Target(f"{name}: at least {TRAINING:g} × {THEIRS}", f"{ratio:.2f} ×", ratio >= TRAINING))
    return found


if __name__ == "__main__":
    sys.exit(main())
