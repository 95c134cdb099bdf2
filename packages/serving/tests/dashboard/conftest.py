"""One service for all tests of the page and one browser for each file of them: starting either costs more than most
tests do."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(1, str(Path(__file__).parents[1]))

import board_bundles
import digit_bundles
import drawing_bundles
import enlarging_bundles
import generator_bundles
import mixing_bundles
import molecule_bundles
import sound_bundles
import text_bundles
from pages import CHROMIUM, PATIENCE, SECRET, api, choose, service
from sight_bundles import SEEING, write_seeing

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    return digit_bundles.write_digits("digits", tmp_path_factory.mktemp("digits") / "bundle")


@pytest.fixture(scope="session")
def models(digits, bundles, tmp_path_factory) -> Iterator[str]:
    """The address of a service with a model of each kind. Of "fresh" and "tried" nobody asks but one test each."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "token").write_text(SECRET)
    made = [digit_bundles.write_digits(name, folder / name) for name in ("watched", "fresh", "tried")]
    made += [digit_bundles.write_slow("slow", folder / "slow")]
    made += [text_bundles.write(name, folder / name) for name in ("moods", "ranker", "reader", "towers", "asker")]
    made += [molecule_bundles.write("counter", folder / "counter")]
    made += [board_bundles.write("fours", folder / "fours")]
    made += [sound_bundles.write(name, folder / name) for name in ("softener", "repeater", "marker")]
    made += [write_seeing(name, folder / name) for name in (*SEEING, "painter")]
    made += [generator_bundles.write(name, folder / name) for name in generator_bundles.SPECS]
    made += [drawing_bundles.write("greys", folder / "greys"), mixing_bundles.write(folder / "mixer")]
    made += [enlarging_bundles.write_enlarger("enlarger", folder / "enlarger")]
    served = [digits, *made, *(bundles / name for name in ("classifier", "generator", "translator", "sqrt"))]
    options = ["--bundles", bundles, "--admin-token-file", folder / "token", "--max-tokens", 200_000]
    with service(*served, *options) as running:
        yield running.address


@pytest.fixture(scope="session")
def keyed(digits, tmp_path_factory) -> Iterator[str]:
    """The address of a service that wants `SECRET`."""
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text(SECRET)
    with service(digits, "--api-key-file", key) as running:
        yield running.address


@pytest.fixture(scope="module")
def browser():
    """While it runs so does an event loop of Playwright's, beside which no other can, so it must end with the file."""
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Open the page of a service at a model. In the end nothing may have been asked of any other host, and the browser
    may have complained of nothing, such as what the content security policy forbids, but of refusals that are `due`."""
    opened, seen = [], SimpleNamespace(complaints=[], addresses=set(), due=())

    def complain(message):
        if message.type in ("error", "warning") and not any(status in message.text for status in seen.due):
            seen.complaints.append(message.text)

    def open_page(address: str, model: str | None = None, *, due: tuple[str, ...] = (), width: int = 1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        context.set_default_timeout(PATIENCE)
        opened.append(context)
        seen.due += due
        page = context.new_page()
        page.on("console", complain)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda request: seen.addresses.add(request.url))
        page.goto(address)
        if model is not None:
            choose(page, model)
        return page

    yield open_page
    for context in opened:
        context.close()
    assert seen.complaints == []
    assert [url for url in seen.addresses if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []
