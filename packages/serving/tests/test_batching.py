"""Batches of many callers' rows: each caller gets the answer to its own rows, or one clear refusal, and never waits
in vain."""

import asyncio
import threading
import time
import weakref
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchworks.serving.batching import Batcher
from torchworks.serving.errors import Refusal
from torchworks.serving.limits import Limits
from torchworks.shared.models.signature import Signature, TensorSpec

SIGNATURE = Signature(
    (TensorSpec("series", "series", "float32", ("N", "T")),), (TensorSpec("total", "series", "float32", ("N", "T")),)
)
RAISES, NAN = -1.0, -2.0


class Model:
    """Doubles its inputs. Raises if it meets RAISES, gives NaN for NAN; waits for `gate` before each batch."""

    def __init__(self):
        self.batches: list[np.ndarray] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, inputs):
        assert self.gate.wait(20)
        series = inputs["series"]
        self.batches.append(series.copy())
        if (series == RAISES).any():
            raise RuntimeError("cannot")
        return {"total": np.where(series == NAN, np.nan, 2 * series).astype(np.float32)}


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def batcher(model):
    """Make batchers of `model`, and close them in the end."""
    made = []

    def make(**limits) -> Batcher:
        made.append(Batcher(model, SIGNATURE, replace(Limits(), **limits)))
        return made[-1]

    yield make
    model.gate.set()
    for each in made:
        each.close()


def rows(*values: float, length: int = 1) -> dict[str, np.ndarray]:
    return {"series": np.repeat(np.array(values, np.float32)[:, None], length, axis=1)}


def soon(seconds: float = 20) -> float:
    return time.monotonic() + seconds


async def answered(batcher: Batcher, inputs, deadline: float | None = None):
    """Outputs, or the code of the refusal."""
    try:
        return (await batcher.submit(inputs, deadline or soon())).outputs["total"]
    except Refusal as refusal:
        return refusal.code


async def waiting(batcher: Batcher, count: int) -> None:
    """Return when so many rows wait behind the one that keeps the model busy."""
    while batcher.queued_rows + batcher.running_rows - 1 != count:
        await asyncio.sleep(0.001)


async def busy(model: Model, batcher: Batcher) -> asyncio.Task:
    """A request that keeps the model busy until its gate opens."""
    model.gate.clear()
    task = asyncio.create_task(answered(batcher, rows(0)))
    while not batcher._running:
        await asyncio.sleep(0)
    return task


# ---- everybody gets their own ------------------------------------------------------------------------------


@dataclass
class Request:
    """Of so many rows and time steps, sent after a pause; perhaps given up again, perhaps with a bad row."""

    rows: int
    length: int
    pause: int
    leaves: bool
    bad: float | None


REQUESTS = st.lists(
    st.builds(
        Request,
        rows=st.integers(1, 5),
        length=st.integers(1, 2),
        pause=st.integers(0, 3),
        leaves=st.booleans(),
        bad=st.sampled_from([None, None, None, RAISES, NAN]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(requests=REQUESTS)
def test_every_answer_is_made_of_the_callers_own_rows(requests):
    model = Model()
    batcher = Batcher(model, SIGNATURE, replace(Limits(), batch_rows=8))

    async def ask(number: int, request: Request) -> None:
        for _ in range(request.pause):
            await asyncio.sleep(0)
        values = np.full((request.rows, request.length), 100 * number, np.float32)
        values += np.arange(request.rows)[:, None]
        if request.bad is not None:
            values[-1] = request.bad
        task = asyncio.create_task(answered(batcher, {"series": values}))
        if request.leaves:
            await asyncio.sleep(0)
            task.cancel()
        (answer,) = await asyncio.gather(task, return_exceptions=True)
        if request.leaves and isinstance(answer, asyncio.CancelledError):
            return
        if request.bad is not None:
            assert answer == "model_failed"
        else:
            np.testing.assert_array_equal(answer, 2 * values)

    async def main() -> None:
        async with asyncio.timeout(30):
            await asyncio.gather(*(ask(number, request) for number, request in enumerate(requests, 1)))
            await batcher.drain()

    asyncio.run(main())
    assert batcher.queued_rows == 0
    batcher.close()
    for batch in model.batches:
        assert len(batch) <= 8


def test_the_outputs_of_a_request_keep_nobody_elses_alive(model, batcher):
    one = batcher()

    async def main():
        first = await busy(model, one)
        tasks = [asyncio.create_task(answered(one, rows(value))) for value in (1, 2)]
        await waiting(one, 2)
        model.gate.set()
        return [await first, *await asyncio.gather(*tasks)]

    for answer in asyncio.run(main()):
        assert answer.base is None
        assert answer.size == 1


def test_inputs_are_not_kept_when_the_answer_is_given(model, batcher):
    one = batcher()

    async def main():
        inputs = rows(1)
        gone = weakref.ref(inputs["series"])
        await answered(one, inputs)
        await one.drain()
        return inputs, gone

    inputs, gone = asyncio.run(main())
    del inputs
    model.batches.clear()
    end = soon(5)
    while gone() is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert gone() is None


# ---- batches -----------------------------------------------------------------------------------------------


def test_requests_that_come_while_the_model_is_busy_are_computed_together(model, batcher):
    one = batcher(batch_rows=6)

    async def main():
        first = await busy(model, one)
        others = [asyncio.create_task(answered(one, rows(*values))) for values in ([1, 2], [3], [4, 5, 6], [7])]
        await waiting(one, 7)
        model.gate.set()
        await asyncio.gather(first, *others)

    asyncio.run(main())
    assert [batch[:, 0].tolist() for batch in model.batches] == [[0], [1, 2, 3, 4, 5, 6], [7]]


def test_a_full_batch_is_handed_over_while_the_one_before_is_computed(model, batcher):
    one = batcher(batch_rows=2)

    async def main():
        first = await busy(model, one)
        others = [asyncio.create_task(answered(one, rows(value))) for value in (1, 2, 3)]
        await waiting(one, 3)
        handed = one.running_rows, one.queued_rows
        others[0].cancel()
        model.gate.set()
        await first
        return handed, await asyncio.gather(*others, return_exceptions=True)

    handed, answers = asyncio.run(main())
    assert handed == (3, 1)
    assert [answer.item() for answer in answers[1:]] == [4, 6]
    assert [batch[:, 0].tolist() for batch in model.batches] == [[0], [1, 2], [3]]


def test_requests_of_different_sizes_never_share_a_batch(model, batcher):
    one = batcher()

    async def main():
        first = await busy(model, one)
        others = [asyncio.create_task(answered(one, rows(n, length=length))) for n, length in enumerate([2, 3, 2, 3])]
        await waiting(one, 4)
        model.gate.set()
        await asyncio.gather(first, *others)

    asyncio.run(main())
    assert [batch.shape for batch in model.batches] == [(1, 1), (2, 2), (2, 3)]


def test_a_request_larger_than_a_batch_is_computed_alone(model, batcher):
    answer = asyncio.run(answered(batcher(batch_rows=2, queue_rows=2), rows(1, 2, 3)))
    assert answer[:, 0].tolist() == [2, 4, 6]


def test_one_bad_request_fails_alone(model, batcher):
    one = batcher()

    async def main():
        first = await busy(model, one)
        tasks = [asyncio.create_task(answered(one, rows(value))) for value in (1, RAISES, 2, NAN)]
        await waiting(one, 4)
        model.gate.set()
        await first
        return await asyncio.gather(*tasks)

    good, raised, also_good, nan = asyncio.run(main())
    assert (good.item(), also_good.item()) == (2, 4)
    assert raised == nan == "model_failed"


def test_a_model_that_loses_rows_fails_instead_of_mixing_answers_up():
    batcher = Batcher(lambda inputs: {"total": inputs["series"][:-1]}, SIGNATURE, Limits())
    assert asyncio.run(answered(batcher, rows(1, 2))) == "model_failed"
    batcher.close()


# ---- limits ------------------------------------------------------------------------------------------------


def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(model, batcher):
    one = batcher(queue_rows=3)

    async def main():
        first = await busy(model, one)
        second = asyncio.create_task(answered(one, rows(1, 2)))
        await waiting(one, 2)
        with pytest.raises(Refusal) as refused:
            await one.submit(rows(3, 4), soon())
        third = asyncio.create_task(answered(one, rows(5)))
        await waiting(one, 3)
        model.gate.set()
        await asyncio.gather(first, second, third)
        return refused.value

    refusal = asyncio.run(main())
    assert (refusal.status, refusal.code) == (429, "busy")
    assert refusal.retry_after >= 1


def test_a_request_that_cannot_be_answered_in_time_is_not_taken(model, batcher):
    one = batcher()

    async def main():
        first = await busy(model, one)
        one.throughput.rate = 1.0
        second = asyncio.create_task(answered(one, rows(*range(8))))
        await waiting(one, 8)
        refusal = await answered(one, rows(1), soon(5))
        model.gate.set()
        await asyncio.gather(first, second)
        return refusal

    assert asyncio.run(main()) == "busy"


def test_who_would_wait_too_long_is_refused_on_arrival(model, batcher):
    one = batcher(wait_seconds=0.5)
    one.batch_rows, one.throughput.rate = 1, 10.0

    async def main():
        first = await busy(model, one)
        second = asyncio.create_task(answered(one, rows(1, 2)))
        await waiting(one, 2)
        taken = [one.arrival(), one.arrival()]  # with one that runs and two that wait: half a second
        with pytest.raises(Refusal, match="More requests are waiting") as refused:
            one.arrival()
        taken[0].over()
        taken[0].over()  # counted once all the same
        one.arrival().over()
        model.gate.set()
        await asyncio.gather(first, second)
        return refused.value

    refusal = asyncio.run(main())
    assert (refusal.status, refusal.code, refusal.retry_after) == (429, "busy", 1)


def test_some_batches_may_wait_for_a_slow_model(batcher):
    one = batcher(wait_seconds=0.5)
    one.batch_rows, one.throughput.rate = 2, 0.1
    taken = [one.arrival() for _ in range(one.PATIENCE * 2)]
    with pytest.raises(Refusal) as refused:
        one.arrival()
    assert refused.value.retry_after == 80
    for arrival in taken:
        arrival.over()
    assert one.arriving == 0


def test_what_waited_too_long_is_refused_and_never_computed(model, batcher):
    one = batcher()

    async def main():
        first = await busy(model, one)
        late = await answered(one, rows(9), soon(0.05))
        model.gate.set()
        await first
        await one.drain()
        return late

    assert asyncio.run(main()) == "too_late"
    assert [batch.tolist() for batch in model.batches] == [[[0]]]


def test_rows_of_a_caller_that_left_are_not_computed(model, batcher):
    one = batcher()

    async def main():
        first = await busy(model, one)
        gone = asyncio.create_task(answered(one, rows(9)))
        await waiting(one, 1)
        gone.cancel()
        await waiting(one, 0)
        model.gate.set()
        await first

    asyncio.run(main())
    assert [batch.tolist() for batch in model.batches] == [[[0]]]


# ---- life --------------------------------------------------------------------------------------------------


def test_draining_answers_what_was_taken_and_takes_no_more(model, batcher):
    one = batcher()

    async def main():
        first = await busy(model, one)
        second = asyncio.create_task(answered(one, rows(1)))
        await waiting(one, 1)
        drain = asyncio.create_task(one.drain())
        await asyncio.sleep(0)
        refused = await answered(one, rows(2))
        model.gate.set()
        await drain
        return await first, await second, refused

    first, second, refused = asyncio.run(main())
    assert (first.item(), second.item(), refused) == (0, 2, "stopping")


def test_if_the_thread_dies_all_who_wait_are_told_and_another_one_starts(model):
    prepared = []
    deadly = threading.Event()

    def run(inputs):
        answer = model(inputs)
        if deadly.is_set():
            raise SystemExit
        return answer

    one = Batcher(run, SIGNATURE, Limits(), lambda: prepared.append(1))
    one.RESTART_SECONDS = 0.05

    async def main():
        deadly.set()
        first = await busy(model, one)
        second = asyncio.create_task(answered(one, rows(1)))
        await waiting(one, 1)
        model.gate.set()
        told = [await first, await second]
        assert not one.ready
        told.append(await answered(one, rows(2)))
        deadly.clear()
        while not one.ready:
            await asyncio.sleep(0.01)
        return told, await answered(one, rows(3))

    told, answer = asyncio.run(main())
    assert told == ["restarting"] * 3
    assert answer.item() == 6
    assert len(prepared) == 2
    assert one.queued_rows == 0
    one.close()


def test_a_thread_that_fails_to_start_again_is_tried_again(model):
    attempts = []

    def prepare():
        attempts.append(1)
        if len(attempts) == 2:
            raise RuntimeError("not yet")

    def run(inputs):
        if len(attempts) == 1:
            raise SystemExit
        return model(inputs)

    one = Batcher(run, SIGNATURE, Limits(), prepare)
    one.RESTART_SECONDS = 0.02

    async def main():
        assert await answered(one, rows(1)) == "restarting"
        while not one.ready:
            await asyncio.sleep(0.01)
        return await answered(one, rows(1))

    assert asyncio.run(main()).item() == 2
    assert len(attempts) == 3
    one.close()


def test_a_batch_that_never_ends_is_noticed(model, batcher):
    one = batcher(stuck_seconds=0.05)

    async def main():
        first = await busy(model, one)
        assert one.alive
        await asyncio.sleep(0.1)
        states = one.alive, one.ready
        model.gate.set()
        await first
        return states

    assert asyncio.run(main()) == (False, False)
    assert one.ready


def test_what_fails_at_the_start_is_raised_to_whoever_builds_it(model):
    def prepare():
        raise RuntimeError("no golden")

    with pytest.raises(RuntimeError, match="no golden"):
        Batcher(model, SIGNATURE, Limits(), prepare)
