"""What the tests of the page have in common: services in processes of their own, the hand that draws, files that drop.

They run where Playwright and a Chromium are installed; nothing is downloaded.
"""

import base64
import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None
)
MARKS = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on the PATH")]
PATIENCE = 60_000
"""Milliseconds, of which a machine that does nothing else needs few; beside other work 15,000 were once too few."""
SECRET = "a-key-of-some-length"
STROKES = {  # of a hand, from the upper left corner at (0, 0) to the lower right one at (1, 1)
    "0": [(0.5, 0.1), (0.3, 0.2), (0.25, 0.5), (0.3, 0.8), (0.5, 0.9), (0.7, 0.8), (0.75, 0.5), (0.7, 0.2), (0.5, 0.1)],
    "1": [(0.5, 0.1), (0.5, 0.9)],
    "7": [(0.25, 0.12), (0.75, 0.12), (0.62, 0.4), (0.5, 0.65), (0.42, 0.9)],
}  # fmt: skip
expect = api.expect
expect.set_options(timeout=PATIENCE)


@contextlib.contextmanager
def service(*words: object, port: int = 0) -> Iterator[SimpleNamespace]:
    """`serving serve WORDS…` in a process of its own: its `address` and a way to `stop` it."""
    command = [sys.executable, "-m", "torchworks.serving", "serve", "--port", str(port), *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:

        def stop() -> None:
            process.kill()
            process.wait()

        try:
            yield SimpleNamespace(address=process.stdout.readline().split()[2], stop=stop)
        finally:
            process.kill()


def choose(page, model: str) -> None:
    page.locator("#model").select_option(model)
    expect(page.locator("#about")).to_have_text(re.compile(f"^{model} "))


def draw(page, digit: str) -> None:
    box = page.locator("canvas").bounding_box()
    (x, y), *rest = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in STROKES[digit]]
    page.mouse.move(x, y)
    page.mouse.down()
    for place in rest:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def label(page):
    return page.locator("#answer .winner")


def ask(address: str, path: str, body: object, **headers: str) -> dict:
    request = urllib.request.Request(
        address + path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def read(address: str, path: str) -> dict:
    with urllib.request.urlopen(address + path, timeout=30) as response:
        return json.load(response)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def shown_images(page) -> list[str]:
    """The PNG files of the answer, in base64."""
    return [image.get_attribute("src").partition(",")[2] for image in page.locator(".images img").all()]


def drop(page, selector: str, name: str, content: bytes | None) -> None:
    """Let a file fall onto an element; without `content`, some text."""
    data = page.evaluate_handle(
        """([name, content]) => {
            const data = new DataTransfer();
            if (content === null) data.setData("text/plain", name);
            else data.items.add(new File([Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0))], name));
            return data;
        }""",
        [name, None if content is None else base64.b64encode(content).decode()],
    )
    for event in ("dragover", "drop"):
        page.dispatch_event(selector, event, {"dataTransfer": data})
