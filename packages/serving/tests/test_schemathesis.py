"""The OpenAPI document tells the truth: a fuzzer that knows nothing else finds no 5xx and no answer that it denies.

Schemathesis asks a service of its own with what the document allows and with what it forbids, by all methods, and
follows jobs from address to address. What a document cannot say is refused after all: a string of base64 that is no
picture, a tensor whose numbers do not fill its shape, as many labels as images.
"""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import generator_bundles
import sound_bundles
from processes import TOKEN, Service, administered, started

CHECKS = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422]

[[operations]]
include-path-regex = "/(predict|infer|jobs|stream|generate)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 413, 415, 422, 429]

[[operations]]
include-path-regex = "/sessions/[^/]*$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 404, 409, 413, 415, 422, 429]

[[operations]]
include-path-regex = "/completions$"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 413, 415, 429]
"""


def fuzz(service: Service, folder: Path, *options: str) -> None:
    """Raises AssertionError with Schemathesis' report if it finds anything."""
    config = folder / "schemathesis.toml"
    config.write_text(CHECKS)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color", "run"]
    command += [f"http://127.0.0.1:{service.port}/openapi.json", "--seed", "1"]
    command += ["--checks", "all", "--warnings", "off", "--suppress-health-check", "all", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    assert "Traceback" not in service.log()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--max-examples", "2", "--phases", "examples,fuzzing,stateful"], id="few"),
        pytest.param(["--max-examples", "100"], id="many", marks=[pytest.mark.long, pytest.mark.timeout(1800)]),
    ],
)
def test_whatever_is_asked_the_answer_is_one_that_the_document_has(bundles, tmp_path, options):
    models = [bundles / name for name in ("classifier", "findings", "generator", "translator")]
    models += [sound_bundles.write(name, tmp_path / name) for name in ("softener", "repeater", "adder")]
    with started(tmp_path / "log", *models) as service:
        fuzz(service, tmp_path, *options)


@pytest.mark.slow
def test_generation_too(tmp_path):
    models = [generator_bundles.write(name, tmp_path / name) for name in generator_bundles.SPECS]
    with started(tmp_path / "log", *models, "--max-tokens", 50) as service:
        only = ("--include-path-regex", "/(generate|completions|models)$", "--phases", "examples,coverage,fuzzing")
        fuzz(service, tmp_path, *only, "--max-examples", "10")


@pytest.mark.slow
def test_administration_too(bundles, tmp_path):
    with started(tmp_path / "log", bundles / "classifier", *administered(tmp_path, bundles)) as service:
        only = ("--include-path-regex", "^/admin", "--header", f"X-Admin-Token: {TOKEN}")
        fuzz(service, tmp_path, *only, "--max-examples", "10")
