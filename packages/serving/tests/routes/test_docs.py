"""The page /docs: whatever it offers to copy works when it is pasted into a shell."""

import html
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import generator_bundles
import sight_bundles
import text_bundles
from processes import Service, started

from torchworks.serving.routes.docs import LONGEST

KEY = "a-key-of-some-length"
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl"))), reason="needs bash and curl, as whoever pastes a command does"
)


def commands_of(page: str) -> list[str]:
    return [html.unescape(command) for command in re.findall(r"<pre>(curl .*?)</pre>", page, re.DOTALL)]


def docs(service: Service, **headers: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{service.port}/docs", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read().decode()


def pasted(command: str, folder: Path) -> dict:
    ended = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60)
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def models(bundles, tmp_path_factory) -> list[Path]:
    """Bundles of every kind: images in and out, noise and labels, series, texts, tokens, boxes, masks, generators."""
    folder = tmp_path_factory.mktemp("models")
    texts = [text_bundles.write(name, folder / name) for name in text_bundles.TINY]
    seeing = [sight_bundles.write_seeing(name, folder / f"see-{name}") for name in sight_bundles.SEEING]
    tiny = [bundles / name for name in ("classifier", "findings", "generator", "translator", "sqrt")]
    generators = [generator_bundles.write(name, folder / f"bundle-{name}") for name in generator_bundles.SPECS]
    return [*texts, *seeing, *tiny, *generators]


@pytest.fixture(scope="module")
def service(models, tmp_path_factory) -> Iterator[Service]:
    with started(tmp_path_factory.mktemp("logs") / "log", *models) as running:
        yield running


def test_every_command_for_every_kind_of_model_is_answered_as_pasted(service, models, tmp_path):
    commands = commands_of(docs(service))
    assert len(commands) > 2 * len(models)
    assert max(map(len, commands)) < LONGEST + 200
    for command in commands:
        assert {"outputs", "texts", "choices"} & pasted(command, tmp_path).keys(), command
    generated = [command for command in commands if "/generate" in command or "completions" in command]
    assert len(generated) == 3 * len(generator_bundles.SPECS)


def test_every_command_of_a_keyed_service_is_answered_where_the_file_of_the_key_lies(bundles, tmp_path):
    (tmp_path / "api-key").write_text(KEY)
    with started(tmp_path / "log", bundles / "classifier", "--api-key-file", tmp_path / "api-key") as service:
        page = docs(service, **{"X-API-Key": KEY})
        assert "<code>api-key</code>" in page
        for command in commands_of(page):
            assert "outputs" in pasted(command, tmp_path), command


def test_what_is_too_long_for_a_line_is_fetched_and_is_the_whole_example(service):
    page = docs(service)
    assert "…" not in "".join(commands_of(page))
    links = re.findall(r"@&lt;\(curl -s http://127\.0\.0\.1:\d+(/docs/[^)]*\.json)\)", page)
    assert links
    for link in links:
        body = service.ask("GET", link)
        assert body.headers["content-type"] == "application/json"
        assert len(body.body) > LONGEST
        assert set(body.json()) == {"inputs"}


@pytest.mark.parametrize("file", ["nothing.json", "image.jpg", "predict-1", "..%2Fmodel.onnx", "predict-99.json"])
def test_only_examples_are_given(service, file):
    assert service.ask("GET", f"/docs/classifier/{file}").status == 404


def test_there_is_a_way_back(service):
    assert '<a href="dashboard/">' in docs(service)
