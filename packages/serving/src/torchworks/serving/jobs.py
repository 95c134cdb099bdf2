"""Work that takes longer than a request may: it is cut into parts, done beside the requests, and kept for a while.

    job = jobs.submit(served, inputs)       # served: a ServedModel
    async for event in jobs.events(job.id): ...     # {"state": "running", "done": 64, "rows": 1000}
    jobs.get(job.id).outputs()

Each part is a request like any other to what computes the model, one at a time, so that a job takes turns with the
requests and never fills the queue. Where a request would be refused because too many wait, a job waits too.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from torchworks.serving.codecs import EVERY, Rows
from torchworks.serving.errors import Refusal, invalid
from torchworks.shared.models.signature import Signature

State = Literal["queued", "running", "done", "failed", "cancelled"]
BUSY_SECONDS = 0.5
"""After which a part for which there was no room is tried again."""
OVER: tuple[State, ...] = ("done", "failed", "cancelled")


class Model(Protocol):
    """What a job needs of a served model. A `lease` keeps it open."""

    name: str
    version: str
    signature: Signature

    @property
    def part_rows(self) -> int:
        """Most rows that are done at a time, so that there is room for others beside them."""
        ...

    def lease(self) -> AbstractContextManager[Any]: ...

    async def predict(self, inputs: dict[str, np.ndarray], deadline: float) -> dict[str, np.ndarray]: ...


@dataclass(frozen=True)
class JobLimits:
    """How much work jobs may be."""

    rows: int = 4096
    """Rows of one job."""
    part: int = 16
    """Rows that are done at a time."""
    waiting: int = 16
    """Jobs that wait or run at one time; further ones are refused."""
    running: int = 1
    """Jobs that run at one time."""
    kept: int = 64
    """Finished jobs whose results are kept."""
    keep_bytes: int = 1 << 28
    """Bytes that all kept results may take; the oldest go first."""
    keep_seconds: float = 900.0
    """How long a result is kept."""
    part_seconds: float = 300.0
    """Time that one part may take."""


@dataclass
class Job:
    """One piece of work and what has become of it. `error` is a sentence for the client."""

    id: str
    name: str
    version: str
    rows: int
    created: float
    """Seconds since 1970, for people; what is reckoned with is `began` and `ended`, by `time.monotonic()`."""
    sent: Rows = EVERY
    state: State = "queued"
    done: int = 0
    error: str = ""
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    parts: list[dict[str, np.ndarray]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task | None = None

    @property
    def seconds(self) -> float:
        """How long it has taken, its wait included."""
        return (time.monotonic() if self.ended is None else self.ended) - self.began

    def outputs(self) -> dict[str, np.ndarray]:
        """All rows together; raises `Refusal` unless the job is done."""
        if self.state != "done":
            raise Refusal(409, "not_done", self.error or f"This job is {self.state}: it has no result.")
        return {name: np.concatenate([part[name] for part in self.parts]) for name in self.parts[0]}

    def status(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "job": self.id,
            "model": self.name,
            "version": self.version,
            "state": self.state,
            "rows": self.rows,
            "done": self.done,
            "created": self.created,
            "finished": None if self.ended is None else self.created + self.seconds,
            "error": self.error,
        }

    def bytes(self) -> int:
        return sum(value.nbytes for part in self.parts for value in part.values())

    def tell(self) -> None:
        """Wake the clients that watch."""
        self.changed.set()
        self.changed = asyncio.Event()


class Jobs:
    """All jobs of a service, within `limits`."""

    def __init__(self, limits: JobLimits | None = None):
        self.limits = limits or JobLimits()
        self._jobs: dict[str, Job] = {}
        self._turn = asyncio.Semaphore(self.limits.running)

    def submit(
        self,
        served: Model,
        inputs: dict[str, np.ndarray],
        ended: Callable[[Job], object] = lambda job: None,
        sent: Rows = EVERY,
    ) -> Job:
        """Start a job of as many rows as the inputs have; `ended` is called when it is over. `sent` is what is known of
        the rows. Raises `Refusal` beyond a limit, and for a model whose inputs cannot be cut."""
        self._forget()
        rows = rows_of(served.signature, inputs)
        if rows > self.limits.rows:
            raise Refusal(413, "too_large", f"A job may have {self.limits.rows} rows, and this one has {rows}.")
        if sum(job.state not in OVER for job in self._jobs.values()) >= self.limits.waiting:
            raise Refusal(429, "busy", "Too many jobs are waiting already: try again later.", retry_after=5)
        job = Job(secrets.token_urlsafe(16), served.name, served.version, rows, time.time(), sent)
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job, served, inputs, ended))
        return job

    def get(self, id: str) -> Job:
        """Raises `Refusal` for a job that is not there, or no longer."""
        self._forget()
        if id not in self._jobs:
            raise Refusal(404, "no_such_job", "There is no such job, or its result is no longer kept.")
        return self._jobs[id]

    def cancel(self, id: str) -> Job:
        """Stop a job, or forget its result."""
        job = self.get(id)
        if job.state in OVER:
            del self._jobs[id]
        elif job.task is not None:
            job.task.cancel()
        return job

    async def events(self, id: str) -> AsyncIterator[dict[str, Any]]:
        """The status now and after each change, until the job is over."""
        job = self.get(id)
        while True:
            changed, status = job.changed, job.status()
            yield status
            if status["state"] in OVER:  # not the job's present one: a client that watches has not seen that yet
                return
            await changed.wait()

    async def close(self) -> None:
        """Cancel what has not ended."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None and not job.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self, job: Job, served: Model, inputs: dict[str, np.ndarray], ended: Callable[[Job], object]
    ) -> None:
        try:
            with served.lease():
                await self._turns(job, served, inputs)
            job.state = "done"
        except asyncio.CancelledError:
            job.state, job.error, job.parts = "cancelled", "This job was cancelled.", []
        except Refusal as refusal:
            job.state, job.error, job.parts = "failed", refusal.message, []
        finally:
            job.ended = time.monotonic()
            job.tell()
            ended(job)

    async def _turns(self, job: Job, served: Model, inputs: dict[str, np.ndarray]) -> None:
        async with self._turn:
            job.state = "running"
            async for part in in_parts(served, inputs, self.limits):
                job.parts.append(part)
                job.done += len(next(iter(part.values())))
                job.tell()

    def _forget(self) -> None:
        """Drop results that are too old, too many or too large together, the oldest first."""
        over = sorted((job for job in self._jobs.values() if job.ended is not None), key=lambda job: job.ended or 0)
        sizes = list(itertools.accumulate(job.bytes() for job in reversed(over)))[::-1]
        for place, (job, size) in enumerate(zip(over, sizes, strict=True)):
            old = time.monotonic() - (job.ended or 0) > self.limits.keep_seconds
            if old or len(over) - place > self.limits.kept or size > self.limits.keep_bytes:
                del self._jobs[job.id]


async def in_parts(
    served: Model, inputs: dict[str, np.ndarray], limits: JobLimits
) -> AsyncIterator[dict[str, np.ndarray]]:
    """Outputs of some rows at a time, in order; inputs that have no rows go along with each part."""
    rows, cut, size = (
        rows_of(served.signature, inputs),
        _with_rows(served.signature),
        min(limits.part, served.part_rows),
    )
    for start in range(0, rows, size):
        end = start + size
        part = {name: value[start:end] if name in cut else value for name, value in inputs.items()}
        yield await _patiently(served, part, limits)


async def _patiently(served: Model, part: dict[str, np.ndarray], limits: JobLimits) -> dict[str, np.ndarray]:
    """The outputs of a part, once there is room for it. Raises `Refusal` for anything but that there is none, and when
    there is none for as long as a part may take."""
    end = time.monotonic() + limits.part_seconds
    while True:
        try:
            return await served.predict(part, time.monotonic() + limits.part_seconds)
        except Refusal as refusal:
            if refusal.code != "busy" or time.monotonic() > end:
                raise
        await asyncio.sleep(BUSY_SECONDS)


def rows_of(signature: Signature, inputs: dict[str, np.ndarray]) -> int:
    """How many rows there are to be cut into parts. Raises `Refusal` where there are none in common."""
    check_cuttable(signature)
    return next(len(inputs[name]) for name in _with_rows(signature))


def check_cuttable(signature: Signature) -> None:
    """Raise `Refusal` unless a long request to a model of this signature can be cut into parts by rows."""
    if signature.parts_name is None:
        shapes = [
            f"{spec.name} ({', '.join(map(str, spec.shape))})" for spec in (*signature.inputs, *signature.outputs)
        ]
        raise invalid(
            f"This model's inputs and outputs have no rows in common: {', '.join(shapes)}. So a request cannot be cut "
            "into parts, and jobs and streams are not for it: send it to /predict."
        )


def _with_rows(signature: Signature) -> list[str]:
    """Names of the inputs that have rows."""
    return [spec.name for spec in signature.inputs if spec.shape[:1] == (signature.parts_name,)]
