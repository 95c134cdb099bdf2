"""The Python client and a model that draws, over a real socket."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from drawing_bundles import SIZE, alone
from PIL import Image
from processes import Service, until

from torchworks.serving.client import AsyncClient, Client, ServiceError
from torchworks.shared.config import UserError
from torchworks.shared.models.denoising import Drawing


@pytest.fixture
def ours(service: Service) -> Iterator[Client]:
    with Client(f"http://127.0.0.1:{service.port}", timeout=30) as client:
        yield client


def pixels(images) -> np.ndarray:
    return np.stack([np.array(image) for image in images])


def test_images_are_drawn_as_they_were_asked_for(ours, folder):
    found = ours.draw("greys", label="dark", seed=5, n=3, steps=7, guidance=2.5, sampler="heun")
    wanted = alone(folder, "greys", range(3), 0, Drawing("heun", 7, 2.5), seed=5)
    np.testing.assert_array_equal(pixels(found), wanted)
    assert (found.model, found.image.size, found.warnings) == ("greys", (SIZE, SIZE), ())
    each = ours.draw("greys", label=("dark", "light"), n=2, seed=5)
    assert np.array_equal(pixels(each)[1], pixels(ours.draw("greys", label=2, n=2, seed=5))[1])


def test_steps_come_one_by_one_and_end_with_the_images(ours):
    with ours.draw_steps("greys", label="dark", n=10, steps=3, seed=5) as stream:
        steps = list(stream)
    assert [(each.step, each.steps, each.drawn) for each in steps if each.first == 0] == [
        (1, 3, False), (2, 3, False), (3, 3, False), (3, 3, True),
    ]  # fmt: skip
    last = [image for each in steps if each.drawn for image in each.images]
    np.testing.assert_array_equal(pixels(last), pixels(ours.draw("greys", label="dark", n=10, steps=3, seed=5)))


def test_a_part_of_an_image_is_drawn_anew(ours, tmp_path):
    known, mask = np.full((SIZE, SIZE), 200, np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    mask[:, : SIZE // 2] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    found = pixels(ours.draw("greys", image=Image.fromarray(known), mask=tmp_path / "mask.png", label="dark"))[0]
    assert (found[:, SIZE // 2 :] == 200).all()
    assert (found[:, : SIZE // 2] != 200).all()
    with pytest.raises(UserError, match="The image for 'mask' cannot be used"):
        ours.draw("greys", image=Image.fromarray(known), mask=tmp_path / "nowhere.png")


def test_mistakes_and_failures_are_the_clients_own_errors(ours):
    with pytest.raises(ServiceError, match="'steps' must be at least 1") as refused:
        ours.draw("greys", steps=0)
    assert refused.value.status == 422
    with pytest.raises(ServiceError, match="The model has no such input"):
        ours.draw("greys", prompt="a red ball")
    with pytest.raises(ServiceError, match="The model failed on this input"):
        list(ours.draw_steps("greys", label="broken"))


def test_steps_that_are_left_end_the_drawing(ours, service):
    with ours.draw_steps("greys", label="dark", n=64, steps=250) as steps:
        next(steps)
    until(lambda: service.metric("serving_in_flight_rows") == 0, "nothing is drawn any more")


def test_many_are_asked_for_at_once_with_asyncio(service, ours):
    async def run():
        async with AsyncClient(f"http://127.0.0.1:{service.port}") as client:
            drawn = await asyncio.gather(*(client.draw("greys", label="grey", seed=i) for i in range(6)))
            async with await client.draw_steps("greys", label="grey", seed=3, steps=4) as stream:
                steps = [each async for each in stream]
        return drawn, steps

    drawn, steps = asyncio.run(run())
    for i, each in enumerate(drawn):
        assert each.image.tobytes() == ours.draw("greys", label="grey", seed=i).image.tobytes()
    assert [each.drawn for each in steps] == [False] * 4 + [True]
    assert steps[-1].images[0].tobytes() == drawn[3].image.tobytes()
