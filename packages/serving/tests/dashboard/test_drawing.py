"""The page with a diffusion model: images appear step by step, and a part of one is drawn anew."""

import base64
import io
import json
import re

import numpy as np
import pytest
from drawing_bundles import SIZE
from pages import MARKS, expect
from PIL import Image

pytestmark = MARKS


@pytest.fixture
def page(visit, models):
    return lambda model="greys", **options: visit(f"{models}/dashboard/", model, **options)


def shown(page) -> list[np.ndarray]:
    """The images of the answer, uint8 (H, W)."""
    sources = page.locator("#answer img").evaluate_all("images => images.map(image => image.src)")
    return [np.array(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))) for source in sources]


def draw(page) -> None:
    with page.expect_response(re.compile("/draw$")) as answered:
        page.get_by_role("button", name="Draw", exact=True).click()
    answered.value.finished()
    expect(page.locator("#answer .hint")).to_have_text(re.compile("in [0-9.]+ ms"))


def stroke(page, touch: bool = False) -> None:
    """Across the middle of the image, with the mouse or by a finger."""
    pad = page.locator("canvas.pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    x, y = box["x"], box["y"] + box["height"] / 2
    if touch:
        page.touchscreen.tap(x + box["width"] / 2, y)
        return
    page.mouse.move(x + 0.2 * box["width"], y)
    page.mouse.down()
    page.mouse.move(x + 0.8 * box["width"], y, steps=8)
    page.mouse.up()


def test_sliders_and_class_are_sent_and_the_image_appears(page):
    made = page()
    with made.expect_request(re.compile("/draw$")) as sent:
        made.get_by_role("combobox", name="Class").select_option("light")
        made.get_by_label("Steps").fill("7")
        made.get_by_label("Guidance").fill("1")
        draw(made)
    given = {"seed": 0, "n": 1, "steps": 7, "label": "light", "guidance": 1, "sampler": "ddim"}
    assert json.loads(sent.value.post_data) == given | {"stream": True, "previews": True}
    (image,) = shown(made)
    assert image.shape == (SIZE, SIZE)


@pytest.mark.parametrize("touch", [False, True])
def test_a_part_of_what_was_drawn_is_drawn_anew_and_nothing_else(page, touch):
    made = page(has_touch=touch)
    made.get_by_role("combobox", name="Class").select_option("light")
    draw(made)
    (before,) = shown(made)
    made.get_by_role("button", name="Change a part of it").click()
    stroke(made, touch)
    made.get_by_role("combobox", name="Class").select_option("dark")
    with made.expect_request(re.compile("/draw$")) as sent:
        draw(made)
    given = json.loads(sent.value.post_data)
    mask = np.array(Image.open(io.BytesIO(base64.b64decode(given["mask"]))).convert("L"))
    assert mask.shape == (SIZE, SIZE)
    hole = mask >= 128
    assert 0 < hole.sum() < hole.size
    (after,) = shown(made)
    np.testing.assert_array_equal(after[~hole], before[~hole])
    assert (after[hole] != before[hole]).any()


def test_a_photograph_of_any_size_is_taken(page, tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (30, 50, 3)).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "photo.png")
    made = page()
    made.get_by_label("Choose an image").set_input_files(tmp_path / "photo.png")
    made.get_by_role("button", name="Draw", exact=True).click()
    expect(made.locator("#answer .error")).to_have_text(re.compile("Paint over the part"))
    stroke(made)
    with made.expect_request(re.compile("/draw$")) as sent:
        draw(made)
    given = json.loads(sent.value.post_data)
    assert Image.open(io.BytesIO(base64.b64decode(given["mask"]))).size == (50, 30)
    made.get_by_role("button", name="Close").click()
    with made.expect_request(re.compile("/draw$")) as sent:
        draw(made)
    assert "image" not in json.loads(sent.value.post_data)


def test_many_images_are_a_job(page):
    made = page()
    made.get_by_label("Images").fill("100")
    made.get_by_role("combobox", name="Class").select_option("dark")
    made.get_by_role("button", name="Draw", exact=True).click()
    expect(made.locator("#answer img")).to_have_count(100)
    expect(made.get_by_text("Download all in one image")).to_be_visible()
