"""Requests of many callers computed together, by rows: dispatched when the model is idle, collected while it is busy.
A batch that is full is handed over while the one before is computed, as it can only wait.

    batcher = Batcher(engine.run, signature, limits)
    answer = await batcher.submit(inputs, deadline)       # deadline by time.monotonic()

What decides who is in which batch runs in the event loop, so it needs no locks. One thread a model computes: it joins
the inputs of a batch, runs the model, and cuts the outputs apart by the rows that each request brought.

What a caller can rely on:
- an answer is made of the caller's own rows, whatever happens to the others of its batch;
- inputs of different lengths share a batch where they can be padded, if none becomes more than twice as long by that;
- a request is refused at once if it would wait too long (429), and as soon as its deadline has passed (504);
- a model that fails on a batch is tried on each of its requests alone, and only those on which it fails get a 500;
- rows of a caller that went away, or whose time is over, are not computed, unless that had begun;
- if the thread dies, everybody who waits is told at once (503), and another one is started.
"""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from queue import SimpleQueue

import numpy as np

from torchworks.serving.errors import Refusal, stopping, too_late
from torchworks.serving.limits import Limits
from torchworks.serving.padding import elastic_sizes, padded_to
from torchworks.serving.throughput import Throughput
from torchworks.shared.config import UserError
from torchworks.shared.models.signature import Signature, TensorSpec

Arrays = dict[str, np.ndarray]
SMALL = 16
"""Lengths up to this one share a batch whatever they are: so little padding costs next to nothing."""
log = logging.getLogger("torchworks.serving")


def busy(wait: float) -> Refusal:
    """`wait` in seconds."""
    message = "More requests are waiting than this model can answer in time."
    return Refusal(429, "busy", message, retry_after=max(1, math.ceil(wait)))


def model_failed() -> Refusal:
    return Refusal(500, "model_failed", "The model failed on this input. The service's log has the details.")


def restarting() -> Refusal:
    return Refusal(503, "restarting", "The model stopped and is being started again: try again soon.", retry_after=2)


@dataclass(frozen=True)
class Answer:
    """Outputs of one request, and the seconds that it waited and that its batch was computed."""

    outputs: Arrays
    queue: float
    run: float


Outcome = Answer | Refusal


@dataclass(eq=False)
class Ticket:
    """A request in the queue. `sizes` are the signature's named sizes; `kind` are those that all requests of a batch
    must have in common, or None for a request that goes with no other."""

    inputs: Arrays
    rows: int
    sizes: dict[str, int]
    kind: dict[str, int] | None
    deadline: float
    future: asyncio.Future[Answer]
    entered: float = field(default_factory=time.monotonic)
    waiting: bool = True

    def goes_with(self, other: "Ticket") -> bool:
        return self.kind is not None and self.kind == other.kind

    def settle(self, outcome: Outcome) -> None:
        """Tell the caller, if there still is one."""
        if self.future.done():
            return
        if isinstance(outcome, Refusal):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Arrival:
    """Counts a request among those that come before others, until it is submitted or given up."""

    def __init__(self, batcher: "Batcher"):
        self._batcher: Batcher | None = batcher
        batcher.arriving += 1

    def over(self) -> None:
        """From now on it is counted by its rows, or no more."""
        if self._batcher is not None:
            self._batcher.arriving -= 1
            self._batcher = None

    def __enter__(self) -> "Arrival":
        return self

    def __exit__(self, *error: object) -> None:
        self.over()


class Batcher:
    """One model's queue. `prepare` is called in the model's thread each time that one starts, before anything is
    computed; whoever builds a batcher waits for it and gets what it raises. `pads` are the values by which inputs can
    be padded. `batch_rows` and `throughput` may be set to what was measured."""

    RESTART_SECONDS = 1.0
    """Pause before a thread that died is replaced; it doubles each time."""
    PATIENCE = 4
    """Batches that may always wait, however long they take: a slow model's callers know that it is slow."""

    def __init__(
        self,
        run: Callable[[Arrays], Arrays],
        signature: Signature,
        limits: Limits,
        prepare: Callable[[], object] = lambda: None,
        name: str = "model",
        pads: Mapping[str, float] | None = None,
    ):
        self.signature, self.limits, self.name = signature, limits, name
        self.rows_name = signature.rows_name
        self.elastic = elastic_sizes(signature, pads or {})
        self.batch_rows, self.throughput = limits.batch_rows, Throughput()
        self.arriving = self.queued_rows = self.deaths = 0
        self.computed: Callable[[int], object] = lambda rows: None  # told of the rows of each batch
        self._computer = Computer(run, signature, pads or {}, self.elastic)
        self._prepare = prepare
        self._queue: deque[Ticket] = deque()
        self._running: deque[list[Ticket]] = deque()  # the batch that is computed, and one behind it
        self._began = 0.0
        self._open = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = self._start()
        self._thread.started.wait()
        if self._thread.error is not None:
            raise self._thread.error

    # ---- callers -----------------------------------------------------------------------------------------

    def arrival(self) -> "Arrival":
        """A request that has come, and will be submitted when it is read and decoded. Raises `Refusal` if too many are
        before it."""
        if refusal := self.refusal():
            raise refusal
        return Arrival(self)

    def refusal(self) -> Refusal | None:
        """Why a request that comes now is turned away, if it is: too many are before it."""
        before = self.arriving + self.queued_rows + self.running_rows
        room = self.throughput.room(self.limits.wait_seconds, self.PATIENCE * self.batch_rows)
        return busy(self.throughput.seconds(before)) if before >= room else None

    async def submit(self, inputs: Arrays, deadline: float) -> Answer:
        """The model's answer to inputs that fit its signature. Raises `Refusal`."""
        self._loop = loop = asyncio.get_running_loop()
        ticket = self._ticket(inputs, deadline, loop.create_future())
        self._admit(ticket)
        self._queue.append(ticket)
        self.queued_rows += ticket.rows
        loop.call_soon(self._dispatch)  # not at once: others may arrive in the same turn of the loop
        late = loop.call_later(deadline - ticket.entered, ticket.settle, too_late())
        try:
            return await ticket.future
        finally:
            late.cancel()
            if ticket.waiting:
                self._queue.remove(ticket)
                self._left(ticket)

    def _ticket(self, inputs: Arrays, deadline: float, future: asyncio.Future[Answer]) -> Ticket:
        sizes = self.signature.sizes(inputs)
        if self.rows_name is None:
            return Ticket(inputs, 1, sizes, None, deadline, future)
        others = {
            name: size_class(size) if name in self.elastic else size
            for name, size in sizes.items()
            if name != self.rows_name
        }
        return Ticket(inputs, sizes[self.rows_name], sizes, others, deadline, future)

    def _admit(self, ticket: Ticket) -> None:
        if not self._open:
            raise stopping()
        if not self.ready:
            raise restarting()
        wait = self.throughput.seconds(self.queued_rows + self.running_rows)
        full = self.queued_rows + ticket.rows > max(self.limits.queue_rows, ticket.rows)
        if full or wait > ticket.deadline - ticket.entered:
            raise busy(wait)

    # ---- batches -----------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        """Hand the next batch to the thread if that is idle, and one more if it is full."""
        if self.ready and not self._running:
            self._began = time.monotonic()
            self._hand()
        if self.ready and len(self._running) == 1 and self.queued_rows >= self.batch_rows:
            self._hand()

    def _hand(self) -> None:
        if batch := self._next_batch():
            self._running.append(batch)
            self._thread.jobs.put(batch)

    def _next_batch(self) -> list[Ticket]:
        """The oldest request that can still be answered in time, and those behind it that go with it and fit. Of one
        kind, nobody overtakes."""
        batch: list[Ticket] = []
        passed: list[Ticket] = []
        rows = 0
        while self._queue:
            ticket = self._queue.popleft()
            if batch and not ticket.goes_with(batch[0]):
                passed.append(ticket)
            elif batch and rows + ticket.rows > self.batch_rows:
                passed.append(ticket)
                break
            elif self._wanted(ticket):
                batch.append(ticket)
                rows += ticket.rows
        self._queue.extendleft(reversed(passed))
        return batch

    def _wanted(self, ticket: Ticket) -> bool:
        """Whether to compute this ticket, which has just left the queue."""
        self._left(ticket)
        if ticket.deadline <= time.monotonic():
            ticket.settle(too_late())
        return not ticket.future.done()

    def _left(self, ticket: Ticket) -> None:
        ticket.waiting = False
        self.queued_rows -= ticket.rows

    def _finished(self, outcomes: list[Outcome]) -> None:
        """A batch was computed."""
        batch, self._began = self._running.popleft(), time.monotonic()
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.settle(outcome)
        rows = sum(ticket.rows for ticket in batch)
        self.computed(rows)
        self.throughput.answered(rows, self.arriving + self.queued_rows, self.batch_rows, time.monotonic())
        self._dispatch()

    # ---- its life ----------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the thread lives and gets on."""
        stuck = self._running and time.monotonic() - self._began > self.limits.stuck_seconds
        return self._thread.thread.is_alive() and not stuck

    @property
    def ready(self) -> bool:
        """Whether requests are computed."""
        return self.alive and self._thread.started.is_set() and not self._thread.over

    @property
    def running_rows(self) -> int:
        return sum(ticket.rows for batch in self._running for ticket in batch)

    @property
    def idle(self) -> bool:
        return not self._running and not self._queue

    async def drain(self) -> None:
        """Take no more requests, and return when those that were taken are answered."""
        self._open = False
        while not self.idle:
            await asyncio.sleep(0.01)

    def close(self) -> None:
        """End the thread after its present batch; one that is stuck is left behind, and ends with the process."""
        self._open = False
        self._thread.jobs.put(None)
        self._thread.thread.join(self.limits.deadline)

    def _start(self) -> "ModelThread":
        return ModelThread(self._computer.outcomes, self._prepare, self._tell_finished, self._tell_died, self.name)

    def _tell_finished(self, outcomes: list[Outcome]) -> None:
        self._tell(self._finished, outcomes)

    def _tell_died(self) -> None:
        self._tell(self._died)

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        """From the thread to the event loop."""
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:  # the loop was closed, so nobody waits any more
            self._running.clear()

    def _died(self) -> None:
        """The thread ended by something worse than an exception of the model's."""
        for ticket in chain(*self._running, self._queue):
            ticket.settle(restarting())
        self._running.clear()
        if self._open:
            pause = self.RESTART_SECONDS * 2 ** min(self.deaths, 5)
            self.deaths += 1
            log.error("the thread of %s died; another one starts in %g s", self.name, pause)
            asyncio.get_running_loop().call_later(pause, self._restart)

    def _restart(self) -> None:
        if self._open:
            self._thread = self._start()


# ---------------------------------------------------------------------------------------------- in the thread


class ModelThread:
    """Computes one batch after the other. `started` is set when `prepare` has returned, or failed with `error`."""

    def __init__(
        self,
        compute: Callable[[list[Ticket]], list[Outcome]],
        prepare: Callable[[], object],
        finished: Callable[[list[Outcome]], None],
        died: Callable[[], None],
        name: str,
    ):
        self.compute, self.prepare, self.finished, self.died = compute, prepare, finished, died
        self.jobs: SimpleQueue[list[Ticket] | None] = SimpleQueue()
        self.started = threading.Event()
        self.error: BaseException | None = None
        self.over = False
        self.thread = threading.Thread(target=self._main, name=f"serving-{name}", daemon=True)
        self.thread.start()

    def _main(self) -> None:
        try:
            self.prepare()
            self.started.set()
            while (batch := self.jobs.get()) is not None:
                outcomes = self.compute(batch)
                self.finished(outcomes)
                del batch, outcomes  # else they live until the next batch comes
        except BaseException as error:
            self.error, self.over = error, True
            if self.started.is_set():
                log.exception("the thread %s ends", self.thread.name)
            self.died()
        finally:
            self.started.set()


class Computer:
    """Joins the rows of several requests, runs the model, and cuts its outputs apart. `pads` fill up inputs that differ
    in the sizes `elastic`."""

    def __init__(
        self,
        run: Callable[[Arrays], Arrays],
        signature: Signature,
        pads: Mapping[str, float],
        elastic: frozenset[str],
    ):
        self.run, self.signature, self.pads, self.elastic = run, signature, pads, elastic
        self.rows_name = signature.rows_name

    def outcomes(self, batch: list[Ticket]) -> list[Outcome]:
        """One for each ticket, in their order."""
        if len(batch) > 1:
            try:
                return self._together(batch)
            except Exception as error:
                log.warning("a batch of %d requests failed, so each is tried alone: %r", len(batch), error)
        return [self._alone(ticket) for ticket in batch]

    def _alone(self, ticket: Ticket) -> Outcome:
        try:
            return self._together([ticket])[0]
        except Exception:
            log.exception("the model failed on a request of %d rows", ticket.rows)
            return model_failed()

    def _together(self, batch: list[Ticket]) -> list[Outcome]:
        began = time.monotonic()
        sizes = {name: max(ticket.sizes[name] for ticket in batch) for name in batch[0].sizes}
        outputs = self.run({spec.name: self._joined(spec, batch, sizes) for spec in self.signature.inputs})
        rows = sum(ticket.rows for ticket in batch)
        if self.rows_name and any(len(value) != rows for value in outputs.values()):
            raise ValueError(f"{rows} rows went in, and {[value.shape for value in outputs.values()]} came out")
        seconds = time.monotonic() - began
        sound = self._sound(outputs, sizes | ({self.rows_name: rows} if self.rows_name else {}))
        outcomes: list[Outcome] = []
        start = 0
        for ticket in batch:
            part = self._part(outputs, start, ticket) if self.rows_name else outputs
            fine = sound or self._sound(part, ticket.sizes)
            outcomes.append(Answer(part, began - ticket.entered, seconds) if fine else model_failed())
            start += ticket.rows
        return outcomes

    def _joined(self, spec: TensorSpec, batch: list[Ticket], sizes: dict[str, int]) -> np.ndarray:
        """The rows of one input, as long as the longest if they can be padded."""
        parts = [ticket.inputs[spec.name] for ticket in batch]
        if spec.shape[1:2] and spec.shape[1] in self.elastic:
            parts = [padded_to(part, sizes[str(spec.shape[1])], self.pads[spec.name]) for part in parts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _part(self, outputs: Arrays, start: int, ticket: Ticket) -> Arrays:
        """The outputs for one request: its rows, and of its own length what has one. Copies, as views would keep the
        outputs of the whole batch alive."""
        rows = slice(start, start + ticket.rows)
        return {spec.name: outputs[spec.name][rows, *self._own(spec, ticket)].copy() for spec in self.signature.outputs}

    def _own(self, spec: TensorSpec, ticket: Ticket) -> list[slice]:
        return [slice(ticket.sizes[size] if size in self.elastic else None) for size in spec.shape[1:]]

    def _sound(self, outputs: Arrays, sizes: dict[str, int]) -> bool:
        """NaN, infinity and wrong shapes are a failure of the model's."""
        try:
            self.signature.check_outputs(outputs, sizes)
        except UserError as error:
            log.error("the model's outputs break its signature: %s", error)
            return False
        return True


def size_class(size: int) -> int:
    """Sizes that share a batch: up to a power of two, so that padding at most doubles one; small ones all together."""
    return max(SMALL, 1 << (size - 1).bit_length())
