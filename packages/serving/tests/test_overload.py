"""Under more requests than it can answer, the service answers as many as before and refuses the rest at once; and as
soon as the load is over, nobody is refused any more. In simulated time: an event loop that does one thing after the
other, and a thread that computes batches. What decides is the product's own `Throughput`.
"""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable

import pytest

from torchworks.serving.batching import Batcher
from torchworks.serving.limits import Limits
from torchworks.serving.throughput import Throughput

BATCH = 16
LOOK, READ, ANSWER, REFUSE = 0.02e-3, 0.3e-3, 0.2e-3, 0.05e-3
"""Seconds of the event loop: every request's head; the rest of one that is answered, before and after the model; the
rest of one that is refused."""
RUN, RUN_ROW = 2e-3, 0.4e-3
"""Seconds of a batch, and of each row of it."""


class Simulation:
    """Requests of one row that come by `loads`: (a second, seconds) one after the other. `answered` and `refused` hold
    when each came and when it was over. In a `pause` (begin, end) the machine does nothing."""

    def __init__(self, loads: list[tuple[float, float]], pause: tuple[float, float] = (0.0, 0.0), rate: float = 600.0):
        self.limits, self.throughput = Limits(), Throughput()
        self.throughput.rate = rate
        self.answered, self.refused = list[tuple[float, float]](), list[tuple[float, float]]()
        self._pause, self._events, self._numbers = pause, list[tuple[float, int, Callable]](), itertools.count()
        self._loop, self._looping = deque[tuple[float, Callable]](), False
        self._thread, self._computing = deque[list[float]](), False
        self._queue, self._running = deque[float](), deque[list[float]]()
        self._arriving, self.now = 0, 0.0
        chance, begin = random.Random(0), 0.0
        for load, seconds in loads:
            time = begin
            while (time := time + chance.expovariate(load)) < begin + seconds:
                self._events.append((time, next(self._numbers), lambda due=time: self._do(LOOK, self._arrive, due)))
            begin += seconds
        heapq.heapify(self._events)
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def _after(self, seconds: float, event: Callable) -> None:
        begin, end = self._pause
        over = self.now + seconds
        if begin < over and self.now < end:
            over += end - max(begin, self.now)
        heapq.heappush(self._events, (over, next(self._numbers), event))

    def _do(self, seconds: float, work: Callable, *arguments: object) -> None:
        """In the event loop, after what it has to do already."""
        self._loop.append((seconds, lambda: work(*arguments)))
        self._turn()

    def _turn(self) -> None:
        if self._looping or not self._loop:
            return
        self._looping = True
        seconds, work = self._loop.popleft()

        def done() -> None:
            self._looping = False
            work()
            self._turn()

        self._after(seconds, done)

    def _arrive(self, due: float) -> None:
        before = self._arriving + len(self._queue) + sum(map(len, self._running))
        if before >= self.throughput.room(self.limits.wait_seconds, Batcher.PATIENCE * BATCH):
            self._do(REFUSE, lambda: self.refused.append((due, self.now)))
            return
        self._arriving += 1
        self._do(READ, self._submit, due)

    def _submit(self, due: float) -> None:
        self._arriving -= 1
        self._queue.append(due)
        self._dispatch()

    def _dispatch(self) -> None:
        """As `Batcher` does: when the thread is idle, and one batch more if it is full."""
        if not self._running or (len(self._running) == 1 and len(self._queue) >= BATCH):
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            if batch:
                self._running.append(batch)
                self._thread.append(batch)
                self._compute()

    def _compute(self) -> None:
        if not self._computing and self._thread:
            self._computing, batch = True, self._thread.popleft()
            self._after(RUN + RUN_ROW * len(batch), lambda: self._computed(batch))

    def _computed(self, batch: list[float]) -> None:
        self._computing = False
        self._compute()
        self._do(ANSWER * len(batch), self._finish, batch)

    def _finish(self, batch: list[float]) -> None:
        self._running.popleft()
        self.answered += [(due, self.now) for due in batch]
        self.throughput.answered(len(batch), self._arriving + len(self._queue), BATCH, self.now)
        self._dispatch()

    def share(self, begin: float, end: float) -> float:
        """Of the requests that came in this time, how many were answered."""
        answered, refused = (sum(begin <= due < end for due, _ in found) for found in (self.answered, self.refused))
        return answered / (answered + refused)

    def rate(self, begin: float, end: float) -> float:
        """Answers a second."""
        return sum(begin <= over < end for _, over in self.answered) / (end - begin)


@pytest.fixture(scope="module")
def capacity() -> float:
    """Answers a second of a service that is always busy and is not asked for more."""
    return min(1 / (READ + ANSWER + LOOK), BATCH / (RUN + RUN_ROW * BATCH))


def test_at_twice_the_capacity_all_are_answered_for_whom_refusals_leave_time_and_those_come_at_once(capacity):
    found = Simulation([(0.2 * capacity, 1), (2 * capacity, 4)])
    assert found.share(0, 1) == 1
    refusals = 2 * capacity - found.rate(2, 5)
    assert found.rate(2, 5) >= 0.95 * capacity * (1 - refusals * (LOOK + REFUSE))
    assert found.rate(2, 5) >= 0.8 * capacity
    waits = sorted(over - due for due, over in found.refused)
    assert waits[int(0.99 * len(waits))] <= 0.05


def test_after_a_flood_nobody_is_refused_within_a_second(capacity):
    found = Simulation([(0.2 * capacity, 1), (2 * capacity, 4), (0.9 * capacity, 3)])
    assert found.share(6, 8) == 1


def test_after_a_pause_of_the_machine_nobody_is_refused_within_a_second(capacity):
    found = Simulation([(0.9 * capacity, 6)], pause=(2.0, 3.0))
    assert found.share(0, 1.5) == 1
    assert found.share(4, 6) == 1


def test_at_its_capacity_nearly_all_are_answered(capacity):
    found = Simulation([(capacity, 8)])
    assert found.share(0, 8) >= 0.97


@pytest.mark.parametrize("rate", [50.0, 600.0, float("inf")])
def test_the_first_hundred_requests_after_a_start_are_not_refused(capacity, rate):
    """Whatever the warm-up measured."""
    found = Simulation([(0.9 * capacity, 1)], rate=rate)
    assert found.share(0, 100 / (0.9 * capacity)) == 1
