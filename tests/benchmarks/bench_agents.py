"""How fast agents learn, beside stable-baselines3 and a script.

    make bench-rl     three minutes; ARGS="--quick" for a first look

Prints and saves as JSON: environment steps a second of PPO, updates a second of DQN and of SAC, steps a second of
environments alone, and the time until PPO balances the pole (agent_speed.py). What a table compares takes turns within
one process, one thread (race.py), with equal settings. It ends with the targets and whether they are met; it never
fails because of one. Let the machine do nothing else meanwhile.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import agent_speed as agents
import torch
from agent_speed import OURS, SB3
from race import Times, in_turns
from report import Target, print_machine, print_targets, quiet, rates, save, table_of
from rich.console import Console

OUT = Path("build/bench/rl.json")
KIND = "processor"
"""CPU time: other programs hardly count in it."""
FASTER, SOONER = 2.5, 2.0
"""What we mean to be: times as fast as stable-baselines3 at PPO, and times as quick at a balanced pole."""


@dataclass(frozen=True)
class Size:
    """How much is done in a turn, and in how many rounds of turns."""

    rounds: int = 15
    ppo: int = 2
    updates: int = 200
    steps: int = 500
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True)
class Reached:
    """CPU seconds and environment steps after which a training was solved; None if it never was."""

    seconds: float
    steps: int | None


Tables = dict[str, dict[str, Times]]
Solved = dict[str, list[Reached]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to save the figures (default: {OUT})")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and one seed")
    given = parser.parse_args()
    torch.set_num_threads(1)
    begun, console = time.monotonic(), Console(highlight=False, width=110)
    machine = print_machine(console)
    size = Size(rounds=3, seeds=(0,)) if given.quick else Size()
    tables, solved = compared(console, size), until(console, size.seeds)
    found = [*speed_targets(tables), *solved_targets(solved)]
    print_targets(console, found)
    seconds = round(time.monotonic() - begun, 1)
    save(given.out, machine=machine, targets=found, seconds=seconds, tables=tables, solved=solved)
    console.print(f"{seconds:.0f} s; saved as {given.out}")


def compared(console: Console, size: Size) -> Tables:
    """Seconds of a turn of each."""
    found: Tables = {}
    for name, make, amount in (
        ("PPO, steps of environments", agents.ppo_rounds, size.ppo),
        ("DQN, updates", agents.dqn_updates, size.updates),
        ("SAC, updates", agents.sac_updates, size.updates),
        ("environments alone, steps", agents.stepping, size.steps),
    ):
        with quiet():
            found[name] = in_turns(make(amount), rounds=size.rounds)
        each = {agents.ppo_rounds: agents.PPO_STEPS, agents.stepping: agents.COUNT}.get(make, 1)
        _print(console, name, found[name], amount * each)
    return found


def _print(console: Console, name: str, times: dict[str, Times], amount: int) -> None:
    table = table_of(f"{name} a second of CPU time", "torchworks / it", "quartiles", what="by")
    for peer, each in times.items():
        ratios = [b / a for a, b in zip(getattr(times[OURS], KIND), getattr(each, KIND), strict=True)]
        low, middle, high = statistics.quantiles(ratios)
        table.add_row(peer, *rates(each, KIND, amount), f"{middle:.2f}", f"{low:.2f} to {high:.2f}")
    console.print(table)


def until(console: Console, seeds: tuple[int, ...]) -> Solved:
    """Trainings until the mean return of the last 20 episodes is `agents.SOLVED`, with each seed."""
    found: Solved = {}
    for seed in seeds:
        for name, training in agents.until_solved(seed).items():
            begun = time.process_time()
            with quiet():
                steps = training()
            found.setdefault(name, []).append(Reached(time.process_time() - begun, steps))
    for name, each in found.items():
        shown = (f"{one.seconds:.1f} s ({one.steps:,} steps)" if one.steps else "never" for one in each)
        console.print(f"mean return {agents.SOLVED:g} by {name}: {', '.join(shown)}")
    return found


def speed_targets(tables: Tables) -> list[Target]:
    """Whether PPO is as many times as fast as we mean it to be, and the others no slower."""
    found = []
    for name, times in tables.items():
        ratio, least = times[SB3].ratio(times[OURS], KIND), FASTER if name.startswith("PPO") else 1.0
        found.append(Target(f"{name}: at least {least:g} × {SB3}", f"{ratio:.2f} ×", ratio >= least))
    return found


def solved_targets(solved: Solved) -> list[Target]:
    """Whether the median training is solved as many times as quickly."""
    name = f"mean return {agents.SOLVED:g}: at least {SOONER:g} × as quickly as {SB3}"
    if any(one.steps is None for one in solved[OURS]):
        return [Target(name, "not reached", False)]
    ours, theirs = (statistics.median(one.seconds for one in solved[by]) for by in (OURS, SB3))
    return [Target(name, f"{theirs / ours:.2f} ×", theirs >= SOONER * ours)]


if __name__ == "__main__":
    sys.exit(main())
