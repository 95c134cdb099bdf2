"""Tables of how fast a GPT generates and trains, beside transformers' with the same weights (seq_generation.py)."""

from race import Times, in_turns, race
from report import Target, quiet, rates, table_of
from rich.console import Console
from seq_generation import OURS, THEIRS, Size, generators, training_loops

SIZES = (Size(6, 384), Size(4, 128))
BATCHES = (1, 16)
KIND = "processor"
"""CPU time: other programs hardly count in it."""
GENERATION, TRAINING = 1.3, 1.15
"""How many times as fast as transformers we mean to be."""
Tables = dict[str, dict[str, Times]]


def generation(console: Console, *, steps: int, rounds: int) -> Tables:
    """Seconds for `steps` tokens of each text, greedy, after a prompt of 8."""
    found: Tables = {}
    for size in SIZES:
        for rows in BATCHES:
            with quiet():
                times = in_turns(generators(size, rows, steps), rounds=rounds)
            name = f"greedy generation, {size.name}, batch {rows}"
            found[name] = _print(console, name, times, rows * steps)
    return found


def training(console: Console, *, rows: int = 16, length: int = 128, rounds: int) -> Tables:
    """Seconds per step: forward, backward and AdamW, on `rows` texts of `length` tokens."""
    found: Tables = {}
    for size in SIZES:
        with quiet():
            times = race(training_loops(size, rows, length), rounds=rounds, length=1, warm_up=1)
        name = f"training, {size.name}, batch {rows} × {length}"
        found[name] = _print(console, name, times, rows * length)
    return found


def _print(console: Console, name: str, times: dict[str, Times], tokens: int) -> dict[str, Times]:
    table = table_of(f"{name}: tokens per second of CPU time", f"× {THEIRS}", what="net")
    for net, each in times.items():
        table.add_row(net, *rates(each, KIND, tokens), f"{times[THEIRS].ratio(each, KIND):.2f}")
    console.print(table)
    return times


def targets(tables: Tables) -> list[Target]:
    """Of each table, whether ours is as many times as fast as we mean it to be."""
    found = []
    for name, times in tables.items():
        wanted = TRAINING if name.startswith("training") else GENERATION
        ratio = times[THEIRS].ratio(times[OURS], KIND)
        found.append(Target(f"{name}: at least {wanted:g} × {THEIRS}", f"{ratio:.2f} ×", ratio >= wanted))
    return found
