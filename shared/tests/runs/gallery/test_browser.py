"""The gallery in a real browser without a window, opened as a file: filter, films, comparison, keyboard, telephone.

It runs where Playwright and a Chromium are installed; nothing is downloaded.
"""

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from run_folders import write_run

from torchworks.shared.runs.gallery.commands import Gallery
from torchworks.shared.runs.gallery.use import run as make_gallery

api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None
)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the PATH")]
expect = api.expect


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    """Five runs: two that differ in rate, seed and score, one with a film, one of a name with markup, one plain."""
    runs = tmp_path_factory.mktemp("gallery") / "runs"
    write_run(runs / "cnn-vision/classify-digits/001", accuracy=0.91, seed=0, lr=0.01)
    write_run(runs / "cnn-vision/classify-digits/002", accuracy=0.95, seed=1, lr=0.05)
    folder = write_run(runs / "rl/ppo-cartpole/001", package="rl", recipe="ppo", picture=False)
    frames = [Image.new("L", (40, 30), grey) for grey in (0, 90, 180)]
    frames[0].save(folder / "samples/episode-1.gif", save_all=True, append_images=frames[1:], duration=50)
    write_run(runs / "gans/<img src=x onerror=document.title=1>/001", package="gans", recipe="</script><b>dcgan")
    write_run(runs / "gans/dcgan/002", package="gans", recipe="dcgan")
    make_gallery(Gallery(runs))
    return runs / "gallery.html"


@pytest.fixture(scope="module")
def browser():
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, page_file) -> Iterator[Callable]:
    """Open the page; in the end the browser may have complained of nothing and asked for nothing but the file."""
    opened, complaints, asked = [], [], set()

    def open_page(width: int = 1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.add(request.url.partition(":")[0]))
        page.goto(page_file.as_uri())
        return page

    yield open_page
    for context in opened:
        context.close()
    assert complaints == []
    assert asked <= {"file", "data"}


def runs(page):
    return page.locator(".run:visible")


def test_runs_are_found_by_words_settings_package_and_recipe(visit):
    page = visit()
    expect(runs(page)).to_have_count(5)
    page.get_by_label("Search").fill("optim.lr=0.05")
    expect(runs(page)).to_have_count(1)
    expect(page.locator("#count")).to_have_text("1 of 5 runs")
    page.get_by_label("Search").fill("")
    page.get_by_label("Package").select_option("gans")
    expect(runs(page)).to_have_count(2)
    assert page.locator("#recipe option").all_inner_texts() == ["all", "</script><b>dcgan", "dcgan"]
    page.get_by_label("Recipe").select_option("dcgan")
    expect(runs(page)).to_have_count(1)
    page.get_by_label("Search").fill("nothing like it")
    page.get_by_role("button", name="Show all").click()
    expect(runs(page)).to_have_count(5)
    page.get_by_label("Order").select_option("new")
    expect(runs(page).first).to_contain_text("classify-digits/002")


def test_pictures_and_curves_are_shown_and_names_are_text(visit):
    page = visit()
    run = page.locator(".run", has_text="classify-digits/001")
    expect(run.locator("img").first).to_have_js_property("naturalWidth", 32)
    expect(run.locator(".chart").first).to_have_attribute("aria-label", re.compile(r"^accuracy\. .*0\.91 at step 20$"))
    run.get_by_text("All curves").click()
    expect(run.locator(".curves .chart")).to_have_count(3)
    assert page.title() == "Runs in runs"
    assert page.locator("b").count() == 0


def test_a_film_plays_only_when_asked(visit):
    page = visit()
    film = page.get_by_role("button", name=re.compile("Play episode-1"))
    film.scroll_into_view_if_needed()
    image = film.locator("img")
    expect(image).to_have_attribute("src", re.compile("^data:image/(webp|png)"))
    film.press("Enter")
    expect(image).to_have_attribute("src", re.compile("^data:image/gif"))
    film.press("Enter")
    expect(image).to_have_attribute("src", re.compile("^data:image/(webp|png)"))


def test_two_runs_are_compared_by_the_keyboard_alone(visit):
    page = visit()
    press = page.keyboard.press
    for number in (0, 1):
        page.locator(f"[data-pick='{number}']").focus()
        press("Space")
    compare = page.get_by_role("button", name="Compare", exact=True)
    for _ in range(60):
        if compare.evaluate("(button) => button === document.activeElement"):
            break
        press("Tab")
    press("Enter")
    dialog = page.get_by_role("dialog", name="Comparison")
    expect(dialog).to_be_visible()
    rows = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in dialog.locator("tbody tr").all()
    }
    assert rows["accuracy"] == ["0.91", "0.95"]
    assert rows["– majority class"] == ["0.1", "0.1"]
    assert rows["seed"] == ["0", "1"]
    assert rows["optim.lr"] == ["0.01", "0.05"]
    assert "optim.momentum" not in rows
    expect(dialog.locator(".chart", has_text="accuracy").first.locator("polyline")).to_have_count(2)
    expect(dialog.locator(".pictures img")).to_have_count(2)
    press("Escape")
    expect(dialog).to_be_hidden()
    assert compare.evaluate("(button) => button === document.activeElement")


def test_one_run_alone_is_not_compared(visit):
    page = visit()
    page.locator("[data-pick='0']").check()
    expect(page.get_by_role("button", name="Compare", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#chosen")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone_in_light_and_dark(visit, scheme):
    page = visit(390, color_scheme=scheme, has_touch=True)
    for box in page.locator("[data-pick]").all()[:3]:
        box.check()
    for summary in runs(page).first.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    colors = page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    text, back = (sum(map(int, re.findall(r"\d+", color)[:3])) for color in colors)
    assert (text > back) == (scheme == "dark")
    page.get_by_role("button", name="Compare", exact=True).click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 390


def test_hundreds_of_runs_stay_quick_because_pictures_and_curves_wait(browser, tmp_path):
    write_run(tmp_path / "000", data="x" * 40)
    for number in range(1, 300):
        shutil.copytree(tmp_path / "000", tmp_path / f"{number:03d}")
    make_gallery(Gallery(tmp_path))
    page = browser.new_page()
    page.goto((tmp_path / "gallery.html").as_uri())
    expect(page.locator("#count")).to_have_text("300 finished runs")
    assert 0 < page.locator("img[src]").count() < 60
    assert 0 < page.locator(".chart").count() < 60
    page.locator("#run-299").scroll_into_view_if_needed()
    expect(page.locator("#run-299 img")).to_have_attribute("src", re.compile("^data:"))
    assert len(json.loads(page.locator("#data").text_content())) == 300
    page.close()
