"""The page with a model that generates text: what it writes appears as it comes, and can be stopped."""

import re
import urllib.request

import generator_bundles
import pytest
from pages import MARKS, expect
from processes import until

pytestmark = MARKS


@pytest.fixture
def page(visit, models):
    return lambda model, **options: visit(f"{models}/dashboard/", model, **options)


def in_flight(address: str) -> float:
    """Rows of all models that are computed now."""
    with urllib.request.urlopen(f"{address}/metrics", timeout=30) as response:
        found = re.findall(r"^serving_in_flight_rows\{.*\} (\S+)$", response.read().decode(), re.MULTILINE)
    assert found
    return sum(map(float, found))


def test_a_text_is_written_behind_the_one_that_was_given(page, tmp_path):
    shown = page("grows")
    box = shown.locator("textarea")
    assert box.input_value() == "ab"  # the golden example's
    box.fill("abc")
    shown.get_by_label("Tokens").fill("20")
    shown.get_by_role("button", name="Write").click()
    expect(shown.locator("#answer .hint")).to_have_text(
        re.compile(
            r"^20 tokens after 3: it has the length that was asked for\. The first came after .* ms, \d+ a second\.$"
        )
    )
    written = generator_bundles.TOKENIZER.decode(
        generator_bundles.lone(generator_bundles.write("grows", tmp_path / "grows"), "grows", "abc", 20)
    )
    assert shown.locator("#answer p.text").text_content() == "abc" + written


def test_the_same_seed_writes_the_same_text(page):
    shown = page("fixed")
    texts = []
    for seed in ("3", "3", "4"):
        shown.get_by_label("Seed").fill(seed)
        shown.get_by_label("Temperature").fill("1")
        shown.locator("textarea").press("Control+Enter")
        expect(shown.locator("#answer .hint")).to_have_text(re.compile("tokens after"))
        texts.append(shown.locator("#answer p.text").text_content())
        shown.get_by_role("button", name="Write").focus()
        shown.evaluate("document.querySelector('#answer').replaceChildren()")
    assert texts[0] == texts[1] != texts[2]


def test_writing_can_be_stopped_and_the_service_stops_too(page, models):
    shown = page("fixed")
    shown.get_by_label("Tokens").fill("200000")
    shown.get_by_role("button", name="Write").click()
    expect(shown.locator("#answer p.text")).to_have_text(re.compile(".{40}", re.DOTALL))
    shown.get_by_role("button", name="Stop").click()
    expect(shown.locator("#answer .hint")).to_have_text("Stopped.")
    until(lambda: in_flight(models) == 0, "the text has left the batch")


def test_what_the_service_refuses_is_said(page):
    shown = page("grows", due=("422",))
    shown.locator("textarea").fill("a" * 500)
    shown.get_by_role("button", name="Write").click()
    expect(shown.locator("#answer .error")).to_have_text(re.compile("The prompt has at least 500 tokens"))
