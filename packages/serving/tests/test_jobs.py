"""A job's rows all come back, in order; it can be watched and cancelled, and the service keeps only so much of them."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from torchworks.serving import jobs as job_module
from torchworks.serving.batching import busy
from torchworks.serving.errors import Refusal
from torchworks.serving.jobs import Job, JobLimits, Jobs
from torchworks.shared.models.signature import Signature, TensorSpec


class Doubler:
    """Doubles numbers, refuses 13, and takes its time for 99."""

    name, version, part_rows = "doubler", "1", 10
    signature = Signature(
        (TensorSpec("x", "features", "int64", ("N",)),), (TensorSpec("y", "features", "int64", ("N",)),)
    )

    def __init__(self) -> None:
        self.together = self.most = 0
        self.busy = 0

    def lease(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    async def predict(self, inputs: dict[str, np.ndarray], deadline: float) -> dict[str, np.ndarray]:
        assert deadline > time.monotonic()
        self.together += 1
        self.most = max(self.most, self.together)
        try:
            if self.busy:
                self.busy -= 1
                raise busy(1.0)
            await asyncio.sleep(30 if 99 in inputs["x"] else 0)
            if 13 in inputs["x"]:
                raise Refusal(500, "model_failed", "The model failed on this input.")
            return {"y": 2 * inputs["x"]}
        finally:
            self.together -= 1


def run(action: Callable[[Jobs, Doubler], Awaitable[None]], **limits) -> None:
    async def whole() -> None:
        jobs = Jobs(JobLimits(**limits))
        try:
            await asyncio.wait_for(action(jobs, Doubler()), 20)
        finally:
            await jobs.close()

    asyncio.run(whole())


def submit(jobs: Jobs, model: Doubler, values) -> Job:
    return jobs.submit(model, {"x": np.asarray(values, np.int64)})


async def finished(jobs: Jobs, job: Job) -> list[dict]:
    return [event async for event in jobs.events(job.id)]


def test_all_rows_come_back_in_order_and_progress_can_be_watched():
    async def action(jobs, model):
        job = submit(jobs, model, range(100, 137))
        events = await finished(jobs, job)
        assert job.outputs()["y"].tolist() == list(range(200, 274, 2))
        done = [event["done"] for event in events]
        assert done == sorted(done)
        assert (events[-1]["state"], events[-1]["done"], events[-1]["rows"]) == ("done", 37, 37)

    run(action, part=5)


def test_a_job_waits_where_a_request_is_refused_because_too_many_wait(monkeypatch):
    monkeypatch.setattr(job_module, "BUSY_SECONDS", 0.001)

    async def action(jobs, model):
        model.busy = 3
        job = submit(jobs, model, range(100, 137))
        assert (await finished(jobs, job))[-1]["state"] == "done"
        assert job.outputs()["y"].tolist() == list(range(200, 274, 2))

    run(action)


def test_who_watches_slowly_sees_the_end_too():
    async def action(jobs, model):
        job = submit(jobs, model, range(100, 110))
        seen = []
        async for event in jobs.events(job.id):
            seen.append(event["state"])
            await asyncio.sleep(0.01)  # meanwhile it goes on
        assert seen[-1] == "done"

    run(action, part=5)


def test_jobs_take_turns():
    async def action(jobs, model):
        several = [submit(jobs, model, range(100, 120)) for _ in range(4)]
        for job in several:
            await finished(jobs, job)
        assert model.most == 1
        assert all(job.state == "done" for job in several)

    run(action, part=5)


def test_a_job_whose_model_fails_says_so_and_has_no_result():
    async def action(jobs, model):
        job = submit(jobs, model, range(20))
        assert (await finished(jobs, job))[-1]["error"] == "The model failed on this input."
        with pytest.raises(Refusal, match="The model failed"):
            jobs.get(job.id).outputs()

    run(action)


def test_a_cancelled_job_stops_and_makes_room():
    async def action(jobs, model):
        job = submit(jobs, model, [99])
        await asyncio.sleep(0.01)
        jobs.cancel(job.id)
        assert (await finished(jobs, job))[-1]["state"] == "cancelled"
        next_one = submit(jobs, model, [1])
        await finished(jobs, next_one)
        assert next_one.outputs()["y"].tolist() == [2]

    run(action, waiting=1)


@pytest.mark.parametrize(("values", "status"), [(range(65), 413), (range(3), 429)])
def test_too_large_a_job_and_too_many_are_refused(values, status):
    async def action(jobs, model):
        submit(jobs, model, [99])
        with pytest.raises(Refusal) as refused:
            submit(jobs, model, values)
        assert refused.value.status == status

    run(action, waiting=1, rows=64)


@pytest.mark.parametrize("limits", [{"kept": 2}, {"keep_bytes": 20}])
def test_only_the_newest_results_are_kept(limits):
    async def action(jobs, model):
        several = [submit(jobs, model, [i]) for i in range(4)]  # 8 bytes each
        for job in several:
            await finished(jobs, job)
        assert jobs.get(several[-1].id).outputs()["y"].tolist() == [6]
        with pytest.raises(Refusal, match="no such job"):
            jobs.get(several[0].id)

    run(action, **limits)


def test_a_result_is_forgotten_after_its_time():
    async def action(jobs, model):
        job = submit(jobs, model, [1])
        await finished(jobs, job)
        await asyncio.sleep(0.06)
        with pytest.raises(Refusal, match="no longer kept"):
            jobs.get(job.id)

    run(action, keep_seconds=0.05)
