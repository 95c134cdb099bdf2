"""A board game on the page in a real browser: by mouse and keyboard, on a telephone, to its end."""

import re

import pytest
from pages import MARKS, expect

pytestmark = MARKS
STONES = ".four .cells button:nth-child({}) .stone{}"


def stones(page, column: int, side: str) -> int:
    return page.locator(STONES.format(column, f".{side}")).count()


@pytest.mark.parametrize(("width", "color_scheme"), [(1280, "light"), (390, "dark")])
def test_a_game_is_played_and_won_with_the_mouse(visit, models, width, color_scheme):
    """The model takes the free column farthest right, so four in the first column win."""
    page = visit(models, "fours", width=width, color_scheme=color_scheme)
    status, columns = page.locator(".turn"), page.locator(".four .cells button")
    expect(status).to_have_text("Your move.")
    for move in range(1, 4):
        columns.nth(0).click()
        expect(status).to_have_text("It took column 7. Your move.")
        assert (stones(page, 1, "you"), stones(page, 7, "model")) == (move, move)
    expect(page.locator(".towers span").nth(6)).to_have_text(re.compile(r"6\d %"))
    expect(page.locator("#answer .winner")).to_have_text("It took column 7")
    columns.nth(0).click()
    expect(status).to_have_text("You have won.")
    expect(page.locator(".stone.won")).to_have_count(4)
    columns.nth(1).click(force=True)
    assert stones(page, 2, "you") == 0
    page.get_by_role("button", name="Take back").click()
    expect(status).to_have_text("Your move.")
    assert (stones(page, 1, "you"), stones(page, 7, "model")) == (3, 3)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_is_played_from_the_keyboard_and_the_model_may_begin(visit, models):
    page = visit(models, "fours")
    status = page.locator(".turn")
    page.get_by_label("First move").select_option("the model")
    expect(status).to_have_text("It took column 7. Your move.")
    page.locator(".four .cells button").first.focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(STONES.format(7, ".model"))).to_have_count(2)
    assert stones(page, 3, "you") == 1
    page.keyboard.press("7")
    expect(page.locator(STONES.format(7, ".model"))).to_have_count(3)
    for _ in range(2):
        page.keyboard.press("7")
        expect(status).to_have_text(re.compile("Your move"))
    label = page.locator(".four .cells button").nth(6).get_attribute("aria-label")
    assert label.startswith("Column 7: it, it, you, it, you")
    page.get_by_role("button", name="What would it do?").click()
    expect(status).to_have_text(re.compile(r"It would take column \d in your place. Your move."))
    page.get_by_role("button", name="New game").click()
    expect(page.locator(".stone.model")).to_have_count(1)


def test_a_service_that_did_not_answer_is_asked_again_and_its_stone_is_nobody_elses_to_place(visit, models):
    page = visit(models, "fours", due=("net::ERR_FAILED",))
    status, columns = page.locator(".turn"), page.locator(".four .cells button")
    page.route("**/predict", lambda route: route.abort())
    columns.nth(2).click()
    expect(status).to_have_text("The model did not answer. Choose any column to ask it again.")
    page.unroute("**/predict")
    columns.nth(4).click()
    expect(status).to_have_text("It took column 7. Your move.")
    assert (stones(page, 3, "you"), stones(page, 5, "you"), stones(page, 5, "model")) == (1, 0, 0)
