"""How fast sequence models generate and train, beside the libraries that people know.

    make bench-seq-models            some minutes; ARGS="--quick" for a first look

Prints and saves as JSON: greedy generation with a cache, ours and transformers' `generate()` with the same weights and
equal tokens (seq_generation.py), and training steps of the same net in the same loop. What a table compares takes turns
within one process, one thread each (race.py); times are CPU times. It ends with the targets and whether they are met;
it never fails because of one. Let the machine do nothing else meanwhile.
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from race import Times, in_turns, race
from report import Target, print_machine, print_targets, quiet, rates, save, table_of
from rich.console import Console
from seq_generation import OURS, THEIRS, Size, generators, training_loops

OUT = Path("build/bench/seq.json")
SIZES = (Size(6, 384), Size(4, 128))
BATCHES = (1, 16)
KIND = "processor"
GENERATION, TRAINING = 1.3, 1.15
"""How many times as fast as transformers we mean to be."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to save the figures (default: {OUT})")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and shorter texts")
    given = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=120)
    machine = print_machine(console)
    figures: dict[str, Any] = {"machine": machine}
    targets = [*generation(console, figures, given.quick), *training(console, figures, given.quick)]
    print_targets(console, targets)
    save(given.out, **figures, targets=targets)
    console.print(f"Saved: {given.out}")


def generation(console: Console, figures: dict[str, Any], quick: bool) -> list[Target]:
    """Tokens a second, greedy, 8 tokens of prompt."""
    steps, rounds, targets = (64, 3, []) if quick else (256, 7, [])
    for size in SIZES:
        for rows in BATCHES:
            with quiet():
                times = in_turns(generators(size, rows, steps), rounds=rounds)
            title = f"greedy generation, {size.name}, batch {rows}: tokens/s"
            targets.append(_compare(console, title, times, rows * steps, GENERATION))
            figures[title] = times
    return targets


def training(console: Console, figures: dict[str, Any], quick: bool) -> list[Target]:
    """Tokens a second, forward, backward and AdamW, 16 texts of 128 tokens."""
    rows, length, targets = 16, 128, []
    for size in SIZES[1:] if quick else SIZES:
        with quiet():
            times = race(training_loops(size, rows, length), rounds=5 if quick else 12, length=1, warm_up=1)
        title = f"training, {size.name}, batch {rows} × {length}: tokens/s"
        targets.append(_compare(console, title, times, rows * length, TRAINING))
        figures[title] = times
    return targets


def _compare(console: Console, title: str, times: dict[str, Times], tokens: int, wanted: float) -> Target:
    table = table_of(title, f"× {THEIRS}", what="net")
    for name, each in times.items():
        table.add_row(name, *rates(each, KIND, tokens), f"{times[THEIRS].ratio(each, KIND):.2f}")
    console.print(table)
    ratio = times[THEIRS].ratio(times[OURS], KIND)
    return Target(f"{title}, at least {wanted:g} × {THEIRS}", f"{ratio:.2f} ×", ratio >= wanted)


if __name__ == "__main__":
    main()
