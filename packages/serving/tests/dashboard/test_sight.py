"""What a model sees in a picture, drawn over it on the page: boxes, masks, maps, and a legend that names them."""

import numpy as np
import pytest
from pages import MARKS, drop, expect, png
from sight_bundles import picture

pytestmark = MARKS


@pytest.fixture
def look(visit, models):
    """The page of a model to which a picture was given."""

    def dropped(model: str, values: np.ndarray, **options):
        page = visit(models, model, **options)
        drop(page, ".drop", "a.png", png(values))
        expect(page.locator("#answer .hint", has_text="here and back")).to_be_visible()
        assert "false" not in page.locator("#answer").inner_text()
        return page

    return dropped


def pixel(page, x: float, y: float) -> list[int]:
    """Of what is drawn, at a part of its width and height."""
    return page.locator(".stage canvas").evaluate(
        """(canvas, [x, y]) => {
            const { width, height } = canvas, copy = Object.assign(document.createElement("canvas"), { width, height });
            const context = copy.getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            return [...context.getImageData(x * width, y * height, 1, 1).data];
        }""",
        [x, y],
    )


def set_least(page, value: float) -> None:
    page.get_by_label("Least score").evaluate(
        "(range, value) => { range.value = value; range.dispatchEvent(new Event('input')); }", str(value)
    )


def test_boxes_are_drawn_where_they_are_with_their_names_and_a_slider_leaves_some_out(look):
    page = look("finder", picture(640, 320))
    names = page.locator(".stage svg text")
    expect(names).to_have_text(["bird 54 %", "bird 96 %"])  # the best in front
    expect(page.get_by_role("img", name="The image with 2 detections: bird 96 %, bird 54 %")).to_be_visible()
    expect(page.locator(".legend li")).to_have_text(["bird2, best 96 %"])
    stage = page.locator(".stage").bounding_box()
    box = page.locator(".stage svg g").last.locator("rect").first.bounding_box()
    assert stage["width"] == pytest.approx(2 * stage["height"], rel=0.02)
    assert box["width"] == pytest.approx(stage["width"] / 4, abs=6)
    set_least(page, 0.9)
    expect(names).to_have_text(["bird 96 %"])
    set_least(page, 1)
    expect(page.locator(".legend")).to_have_text("No detection has this score; the best has 96.5 %.")


def test_the_overlay_is_switched_from_the_keyboard_and_the_picture_is_left(look):
    page = look("segmenter", picture(64, 64))
    assert pixel(page, 0.1, 0.1) != [250, 250, 250, 255]
    page.get_by_label("Overlay (key O)").focus()
    page.keyboard.press("o")
    expect(page.get_by_role("img", name="the image that was sent")).to_be_visible()
    assert pixel(page, 0.1, 0.1) == [250, 250, 250, 255]
    page.keyboard.press("Space")
    expect(page.get_by_role("img", name="The image with mask: background")).to_be_visible()


def test_classes_of_pixels_have_colors_and_shares_and_a_background_lets_the_image_through(look):
    page = look("segmenter", picture(64, 64))
    expect(page.locator(".legend li")).to_have_text(["background87.5 %", "land6.3 %", "sky6.3 %"])
    assert pixel(page, 0.9, 0.1) == [20, 20, 20, 255]
    red, green, blue, _ = pixel(page, 0.1, 0.1)
    assert max(red, green, blue) - min(red, green, blue) > 60
    page.get_by_label("Pixels").select_option("confidence")
    expect(page.locator(".legend")).to_have_text("confidence 0  1")
    page.get_by_label("Pixels").select_option("nothing")
    assert pixel(page, 0.1, 0.1) == [250, 250, 250, 255]


def test_things_with_masks_are_coloured_one_by_one_and_go_with_their_boxes(look):
    page = look("outliner", picture(64, 64))
    assert pixel(page, 0.1, 0.1) != [250, 250, 250, 255]
    assert pixel(page, 0.9, 0.9) != [140, 140, 140, 255]
    set_least(page, 0.9)
    assert pixel(page, 0.9, 0.9) == [140, 140, 140, 255]
    page.get_by_label("Boxes").uncheck()
    expect(page.locator(".stage svg text")).to_have_count(0)


def test_a_model_that_sees_the_middle_is_shown_there_with_the_limits_of_its_map(look):
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, :32] = 255
    page = look("inspector", wide)
    stage = page.locator(".stage").bounding_box()
    assert stage["width"] == pytest.approx(stage["height"], abs=1)
    assert pixel(page, 0.1, 0.5) == pixel(page, 0.9, 0.5)  # the white third was cut off
    expect(page.locator(".legend")).to_have_text("heat 0  1")
    expect(page.get_by_role("img", name="The image with heat as colors from 0 to 1")).to_be_visible()
    expect(page.locator("#answer dl")).to_contain_text("gloom")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_of_a_driver_fits_and_can_be_named(look, scheme):
    page = look("driver", picture(640, 400), color_scheme=scheme, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in page.locator("#answer input, #answer select").all():
        assert control.evaluate("(control) => control.labels.length") == 1


def test_two_pictures_go_in_and_one_comes_out(visit, models):
    page = visit(models, "painter")
    places = page.locator(".drop")
    expect(places).to_have_count(2)
    drop(page, ".drop >> nth=0", "a.png", png(np.zeros((40, 40, 3), np.uint8)))
    drop(page, ".drop >> nth=1", "b.png", png(np.full((60, 50, 3), 255, np.uint8)))
    expect(page.get_by_role("img", name="painted 1 of 1")).to_be_visible()
    page.get_by_role("button", name="Use an example").click()
    expect(page.get_by_role("img", name="painted 1 of 1")).to_be_visible()
    drop(page, ".drop >> nth=1", "no picture", None)
    expect(page.locator("#answer .error")).to_contain_text("What was dropped is no file.")


@pytest.mark.parametrize("width", [1280, 360])
def test_an_image_of_any_size_goes_in_and_a_large_one_is_seen_at_its_own_size(visit, models, width):
    page = visit(models, "enlarger", due=("413",), width=width)
    expect(page.locator(".drop")).to_contain_text("Of any size up to 160 × 160 pixels.")
    drop(page, ".drop", "a.png", png(picture(140, 90)))
    image = page.get_by_role("img", name="enlarged 1 of 1")
    expect(image).to_be_visible()
    found = image.bounding_box()
    assert found["width"] == pytest.approx(min(280, width - 40), abs=24)
    assert found["width"] == pytest.approx(found["height"] * 14 / 9, rel=0.02)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    drop(page, ".drop", "b.png", png(picture(170, 90)))
    expect(page.locator("#answer")).to_contain_text(
        "may be 160 × 160 pixels at most for this model, and this one is 170 × 90"
    )
