"""Measures training loops side by side: in one process, in turns of a few dozen steps.

A machine's speed drifts, and other programs come and go. Loops measured one after the other are then compared
at different speeds; loops that take turns of a fraction of a second meet the same conditions, and the difference
within each round of turns is what counts. A loop starts once, in its own thread, and sleeps while others run;
its start-up and its first turns are left out. What is a call and no loop is called in turns likewise (`in_turns`).
"""

import contextlib
import ctypes
import gc
import statistics
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from torchworks.shared.machine.device import keep_memory

M_ARENA_MAX = -8  # of glibc's malloc.h

Loop = Callable[["Clock"], None]
"""Trains for `clock.steps` steps a net that it has shown to `clock.watch`."""


@dataclass(frozen=True)
class Times:
    """Seconds per step of one loop, round by round: by the clock on the wall, and of CPU time, in which
    other programs hardly count."""

    wall: tuple[float, ...]
    processor: tuple[float, ...]

    def over(self, other: "Times", kind: str) -> float:
        """Median over the rounds of this loop's time, "wall" or "processor", less the other's."""
        return statistics.median(a - b for a, b in self._pairs(other, kind))

    def quiet(self, kind: str) -> float:
        """Mean of the fastest tenth of the rounds: what else runs on the machine can only add to a time, and some
        rounds it hardly touches."""
        fastest = sorted(getattr(self, kind))[: max(1, len(self.wall) // 10)]
        return statistics.mean(fastest)

    def error(self, other: "Times", kind: str) -> float:
        """Standard error of `over`: that of a median, by the quartiles (McGill, Tukey and Larsen 1978)."""
        low, _, high = statistics.quantiles(a - b for a, b in self._pairs(other, kind))
        return 0.93 * (high - low) / len(self.wall) ** 0.5

    def ratio(self, other: "Times", kind: str) -> float:
        """Median over the rounds of this loop's time as a multiple of the other's."""
        return statistics.median(a / b for a, b in self._pairs(other, kind))

    def _pairs(self, other: "Times", kind: str) -> Iterable[tuple[float, float]]:
        return zip(getattr(self, kind), getattr(other, kind), strict=True)


class Clock:
    """Counts one loop's steps by the calls of the net it trains, and passes the turn on after every `length`."""

    def __init__(self, steps: int, length: int, calls: int, wait_for_turn: Callable[[], None]):
        self.steps = steps
        self.turns: list[tuple[float, float]] = []  # seconds on the wall, seconds of CPU time
        self._every, self._calls, self._begun = length * calls, 0, (0.0, 0.0)
        self._wait_for_turn = wait_for_turn

    def watch(self, net: nn.Module) -> None:
        """Count the calls of `net`; whoever runs the loop, this costs each the same."""
        net.register_forward_pre_hook(self._called)

    def _called(self, net: nn.Module, inputs: tuple) -> None:
        if self._calls % self._every == 0:
            _finish_kernels()
            now = time.perf_counter(), time.process_time()
            if self._calls:
                self.turns.append((now[0] - self._begun[0], now[1] - self._begun[1]))
            self._wait_for_turn()
            self._begun = time.perf_counter(), time.process_time()
        self._calls += 1


def race(loops: dict[str, Loop], *, rounds: int, length: int, warm_up: int, calls: int = 1) -> dict[str, Times]:
    """Run `loops` in turns of `length` steps and measure `rounds` turns of each, after `warm_up` unmeasured ones.

    `calls` is how often a step calls the net that the clock watches.
    """
    _one_pool()
    gc.collect()
    gc.freeze()  # or now and then somebody's turn pays for going through all that was ever imported
    turns = rounds + warm_up
    gates = [threading.Semaphore(0) for _ in loops]
    failures: list[BaseException] = []

    def wait_for_turn(number: int) -> None:
        if not failures:
            gates[(number + 1) % len(gates)].release()
            gates[number].acquire()
        if failures:
            raise SystemExit  # another loop failed; this one cannot go on alone

    def run(number: int, loop: Loop, clock: Clock) -> None:
        torch.set_num_threads(1)
        gates[number].acquire()
        try:
            loop(clock)
            assert len(clock.turns) == turns, f"{len(clock.turns)} turns instead of {turns}"
        except BaseException as failure:
            failures.append(failure)
        gates[(number + 1) % len(gates)].release()

    clocks, running = {}, []
    for number, (name, loop) in enumerate(loops.items()):
        clocks[name] = Clock(turns * length + 1, length, calls, lambda number=number: wait_for_turn(number))
        running.append(threading.Thread(target=run, args=(number, loop, clocks[name]), daemon=True))
        running[-1].start()
    gates[0].release()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]
    return {name: _per_step(clock.turns[warm_up:], length) for name, clock in clocks.items()}


def in_turns(actions: dict[str, Callable[[], object]], *, rounds: int, warm_up: int = 1) -> dict[str, Times]:
    """Measure what ends by itself, such as a pass over a folder: in each round every action once, one after the other.
    Seconds per call."""
    turns: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for _ in range(warm_up + rounds):
        for name, action in actions.items():
            _finish_kernels()
            begun = time.perf_counter(), time.process_time()
            action()
            _finish_kernels()
            turns[name].append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
    return {name: _per_step(each[warm_up:], 1) for name, each in turns.items()}


def _per_step(turns: list[tuple[float, float]], length: int) -> Times:
    wall, processor = zip(*turns, strict=True)
    return Times(tuple(turn / length for turn in wall), tuple(turn / length for turn in processor))


def _one_pool() -> None:
    """Let all threads take memory from one pool that the C library keeps, as our trainer does for itself. Else how much
    it fetches anew in every step differs from thread to thread, by a tenth of the time of a DCGAN step."""
    keep_memory()
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _finish_kernels() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
