"""The thread that draws: callers take turns, those who go away leave, what takes too long is refused, and it comes back
when it dies."""

import asyncio
import http.client
import json
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from drawing_bundles import SIZE, SPECS
from processes import until

from torchworks.serving.denoising.engine import DrawingEngine
from torchworks.serving.denoising.images import DrawRequest, noise_of
from torchworks.serving.errors import Refusal
from torchworks.serving.latents import draw as latents
from torchworks.serving.limits import Limits
from torchworks.shared.numbers.stream import sample_normal

SPEC = SPECS["greys"]
GOLDEN = {"latent": np.zeros((1, SIZE * SIZE), np.float32), "label": np.zeros(1, np.int64)}


def request(n: int, label: int = 0, steps: int = 4, guidance: float = 1.0) -> DrawRequest:
    inputs = {
        "latent": latents(label, range(n), SIZE * SIZE, uniform=False), "label": np.full(n, label),
        "steps": np.full(n, steps), "sampler": np.zeros(n, np.int64), "guidance": np.full(n, guidance, np.float32),
    }  # fmt: skip
    return DrawRequest(SPEC, inputs)


class Net:
    """Says x / 2. It waits while `held`, and has noted the labels of each round."""

    def __init__(self) -> None:
        self.go, self.rounds = threading.Event(), list[list[int]]()
        self.go.set()

    def __call__(self, arrays):
        self.rounds.append(arrays["label"].tolist())
        assert self.go.wait(30)
        return {"predicted": arrays["x"] / 2}


@asynccontextmanager
async def engine(net, **limits):
    made = DrawingEngine(net, SPEC, GOLDEN, replace(Limits(), **limits))
    made.rate = 1e9  # what was measured says nothing of a machine that is busy
    try:
        yield made
    finally:
        await asyncio.to_thread(made.close)


async def become(true) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.002)


def test_a_caller_with_many_images_and_steps_lets_others_in_between():
    async def main():
        net = Net()
        async with engine(net) as made:
            net.go.clear()
            many, few = request(64, label=1, steps=20), request(2, label=2, steps=3)
            made.submit(many, 100)
            await become(lambda: made.running_rows == 16)
            made.submit(few, 100)
            net.go.set()
            found = await asyncio.gather(many.images(100), few.images(100))
        assert [len(images) for images in found] == [64, 2]
        return net.rounds[2:]  # after two that measured

    rounds = asyncio.run(main())
    assert max(map(len, rounds)) <= 16
    others = [i for i, labels in enumerate(rounds) if 2 in labels]
    assert others == [20, 21, 22]  # when the two parts before it are drawn, of eight
    assert all(sorted(rounds[i]) == [1] * 8 + [2] * 2 for i in others)  # in evaluations with rows of the other caller


def test_what_nobody_waits_for_any_more_is_not_drawn():
    async def main():
        net = Net()
        async with engine(net) as made:
            net.go.clear()
            gone = request(8, steps=200)
            made.submit(gone, 100)
            task = asyncio.create_task(gone.images(100))
            await become(lambda: len(net.rounds) == 3)  # the first two measured
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            net.go.set()
            await become(lambda: made.idle)
            assert len(net.rounds) <= 4

    asyncio.run(main())


def test_the_wait_is_estimated_from_evaluations_and_what_is_too_long_is_refused():
    async def main():
        net = Net()
        async with engine(net, draw_wait=1.0) as made:
            net.go.clear()
            made.rate = 100.0
            with pytest.raises(Refusal, match="16 images in this way take about 64 s here") as refused:
                made.submit(request(16, steps=200, guidance=2.0), 30)
            assert refused.value.status == 422
            first = request(16, steps=10, guidance=2.0)
            assert first.evaluations == 16 * 10 * 2
            made.submit(first, 30)
            await become(lambda: made.running_rows == 16)
            assert made.refusal().status == 429
            assert made.refusal().retry_after in (3, 4)  # 320 evaluations at 100 a second
            with pytest.raises(Refusal) as refused:
                made.submit(request(1), 2)
            assert refused.value.status == 429
            net.go.set()
            await first.images(30)
            assert made.refusal() is None

    asyncio.run(main())


def test_images_that_are_not_drawn_in_time_are_given_up():
    async def main():
        net = Net()
        async with engine(net) as made:
            net.go.clear()
            late = request(1)
            made.submit(late, 100)
            with pytest.raises(Refusal) as refused:
                await late.images(0.05)
            assert (refused.value.status, late.cancelled) == (504, True)
            net.go.set()

    asyncio.run(main())


def test_when_the_thread_dies_all_are_told_and_another_one_draws():
    async def main():
        net = Net()

        def dies(arrays):
            if net.go.is_set():
                return net(arrays)
            net.go.set()
            raise SystemExit

        async with engine(dies) as made:
            net.go.clear()
            waits = request(3)
            made.submit(waits, 100)
            with pytest.raises(Refusal) as refused:
                await waits.images(100)
            assert refused.value.status == 503
            await become(lambda: made.ready)
            again = request(3)
            made.submit(again, 100)
            assert len(await again.images(100)) == 3

    asyncio.run(main())


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 4, 4), (1, 5, 5), (3, 7, 7)])
def test_noise_is_that_of_the_commands(shape):
    """Also where an image's numbers are no multiple of 16, of which the last are drawn in another way."""
    noise = noise_of(7, range(2, 5), shape)
    for i in (0, 1, 4, 2):
        wanted = sample_normal(7, range(2, 5), i + 1, *shape)[:, -1].numpy()
        np.testing.assert_allclose(noise(i), wanted, rtol=0, atol=1e-6)  # float32


def test_a_client_that_goes_away_ends_its_images(service):
    def rows() -> float:
        lines = service.ask("GET", "/metrics").body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("serving_in_flight_rows{"))

    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    asked = {"n": 64, "label": "dark", "steps": 250, "sampler": "unipc", "stream": True, "previews": True}
    connection.request("POST", "/v1/models/greys/draw", json.dumps(asked), {"Content-Type": "application/json"})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    assert json.loads(response.readline()[6:])["step"] == 1
    response.close()
    connection.close()
    until(lambda: rows() == 0, "its images have left")

    def statuses() -> list[int]:
        recent = service.ask("GET", "/v1/models/greys/recent").json()["predictions"]
        return [each["status"] for each in recent[:1]]

    until(lambda: statuses() == [499], "it is noted")
