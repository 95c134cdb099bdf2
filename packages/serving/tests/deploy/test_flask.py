"""The promise of docs/flask.md: its code runs, and refuses what it says it refuses."""

import importlib.util
import io
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny_bundles

PAGE = Path(__file__).resolve().parents[2] / "docs/flask.md"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("flask") is None, reason="needs flask: uv run --with flask pytest"
)


@pytest.fixture
def client(tmp_path, monkeypatch):
    tiny_bundles.write("classifier", tmp_path / "bundles/classify")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names: dict = {"__name__": "app"}
    exec(code, names)
    return names["app"].test_client()


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_the_page_s_application_names_the_class_of_a_picture(client):
    answer = client.post("/digit", data=png(Image.fromarray(tiny_bundles.picture(1)[0])))
    assert answer.status_code == 200
    assert answer.json["label"] == "square"
    assert answer.json["probability"] > 0.9


def test_the_page_s_application_refuses_what_is_no_picture_or_too_large(client):
    whole = png(Image.fromarray(tiny_bundles.picture(1)[0]))
    for body in (b"", b"not a picture", whole[:60], b"GIF89a"):
        assert client.post("/digit", data=body).status_code == 400
    assert client.post("/digit", data=png(Image.new("1", (4001, 4000)))).status_code == 413
    assert client.post("/digit", data=bytes(5 << 20)).status_code == 413
