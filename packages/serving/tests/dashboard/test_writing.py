"""The page with a model that generates text: what it writes appears as it comes, and can be stopped."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import generator_bundles
from processes import Service, started, until

api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
from test_browser import CHROMIUM, browser, visit  # noqa: E402, F401 (fixtures)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the PATH")]
expect = api.expect


@pytest.fixture(scope="module")
def writers(tmp_path_factory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("writers")
    bundles = [generator_bundles.write(name, folder / name) for name in generator_bundles.SPECS]
    with started(folder / "log", *bundles, "--max-tokens", 200_000) as running:
        yield running


@pytest.fixture
def page(visit, writers):  # noqa: F811
    return lambda model, **options: visit(f"http://127.0.0.1:{writers.port}/dashboard/", model, **options)


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
    bundle = Path(generator_bundles.__file__)
    assert bundle.exists()
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


def test_writing_can_be_stopped_and_the_service_stops_too(page, writers):
    shown = page("fixed")
    shown.get_by_label("Tokens").fill("200000")
    shown.get_by_role("button", name="Write").click()
    expect(shown.locator("#answer p.text")).to_have_text(re.compile(".{40}", re.DOTALL))
    shown.get_by_role("button", name="Stop").click()
    expect(shown.locator("#answer .hint")).to_have_text("Stopped.")
    until(lambda: writers.metric("serving_in_flight_rows") == 0, "the text has left the batch")


def test_what_the_service_refuses_is_said(page):
    shown = page("grows", due=("422",))
    shown.locator("textarea").fill("a" * 500)
    shown.get_by_role("button", name="Write").click()
    expect(shown.locator("#answer .error")).to_have_text(re.compile("The prompt has at least 500 tokens"))
