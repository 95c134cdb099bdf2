"""Promises about the images: how they are built, what is in them, and that what is in the CPU image runs a bundle."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny_bundles

SERVING = Path(__file__).resolve().parents[2]
DOCKER, ROOT = SERVING / "docker", SERVING.parents[1]
UV = os.environ.get("UV") or shutil.which("uv") or ""  # `uv run` sets the former
HADOLINT = Path(sys.executable).parent / "hadolint"
IMAGES = ("cpu", "cuda")
LOG = "/log"

each_image = pytest.mark.parametrize("image", IMAGES)


def dockerfile(image: str) -> Path:
    return DOCKER / f"Dockerfile.{image}"


def steps(image: str) -> list[tuple[str, str]]:
    """Instructions and their arguments, with continued lines joined."""
    text = re.sub(r"\\\n\s*", "", dockerfile(image).read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def final(image: str) -> dict[str, str]:
    """The instructions of the last stage."""
    found = steps(image)
    start = max(place for place, (word, _) in enumerate(found) if word == "FROM")
    return dict(found[start:])


def requirements(image: str) -> set[str]:
    text = (DOCKER / f"requirements.{image}.txt").read_text()
    return set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))


@each_image
@pytest.mark.skipif(not HADOLINT.is_file(), reason="needs hadolint, which `make setup` brings")
def test_hadolint_finds_nothing(image):
    done = subprocess.run([HADOLINT, dockerfile(image)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@each_image
def test_a_base_pinned_by_digest_can_be_given_to_all_stages(image):
    (argument,) = [rest for word, rest in steps(image) if word == "ARG"]
    name, _, base = argument.partition("=")
    bases = [rest.split()[0] for word, rest in steps(image) if word == "FROM"]
    assert bases == [f"${{{name}}}"] * 2
    assert re.fullmatch(r"docker\.io/[\w/]+:[\w.-]*\d[\w.-]*", base), "a tag with a version, never latest"


@each_image
def test_the_folder_for_the_log_belongs_to_the_services_user(image):
    stage = final(image)
    assert stage["COPY"] == f"--from=build --chown={stage['USER']} {LOG} {LOG}"


@each_image
def test_the_service_runs_as_a_number_and_may_write_only_to_tmp(image):
    stage = final(image)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", stage["USER"])
    assert stage["WORKDIR"] == "/tmp"
    assert "HOME=/tmp" in stage["ENV"]
    assert "PYTHONDONTWRITEBYTECODE=1" in stage["ENV"]
    assert "RUN" not in stage


@each_image
def test_the_image_says_how_it_is_watched_and_stopped(image):
    stage = final(image)
    assert stage["STOPSIGNAL"] == "SIGTERM"
    words = json.loads(stage["HEALTHCHECK"].partition(" CMD ")[2])
    compile(words[2], "HEALTHCHECK", "exec")
    assert words[:2] == ["python3", "-c"]
    assert f"'127.0.0.1', {stage['EXPOSE']}" in words[2]
    assert "/readyz" in words[2]
    assert json.loads(stage["ENTRYPOINT"]) == ["serving", "serve"], "no shell, which would keep the signal"
    assert json.loads(stage["CMD"])[0] == "/models"


@each_image
def test_nothing_is_fetched_without_a_hash_or_a_version_and_no_secret_goes_in(image):
    text = dockerfile(image).read_text()
    assert "--require-hashes" in text
    assert not re.search(r"curl|wget|ADD |apt-get", text)
    for word, rest in steps(image):
        assert word == "CMD" or not re.search("password|secret|token|key", rest, re.IGNORECASE), (word, rest)
    assert not re.search(r"--from=(?!build)", text)
    assert re.search(r"uv==\d", text)


@each_image
def test_only_sources_and_requirements_go_to_the_builder(image):
    ignored = dockerfile(image).with_suffix(f".{image}.dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    kept = [line for line in ignored if line.startswith("!")]
    assert all(line.endswith(("/src", "/pyproject.toml", f"/requirements.{image}.txt")) for line in kept)


def test_the_cpu_image_holds_nothing_for_training_or_for_nvidia_devices():
    names = requirements("cpu")
    assert not [name for name in names if name.startswith(("torch", "nvidia", "triton", "scikit", "matplotlib"))]
    assert {"onnxruntime", "fastapi", "uvicorn", "numpy", "pillow", "safetensors"} <= names
    assert not {"uv", "pip", "pytest", "httpx2"} & names


def test_the_cuda_image_holds_torch_with_its_own_cuda():
    assert {"torch", "nvidia-cudnn-cu13", "onnxruntime", "fastapi"} <= requirements("cuda")


@pytest.mark.skipif(not UV or not (ROOT / "uv.lock").is_file(), reason="needs uv and uv.lock, which `make` brings")
def test_the_images_install_the_versions_that_are_tested():
    done = subprocess.run(
        [sys.executable, DOCKER / "requirements.py", "--check"],
        env={**os.environ, "UV": UV},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


USE = """
import sys
from pathlib import Path
from torchworks.serving import bundle, engine, onnx_engine
opened = bundle.open_bundle(Path(sys.argv[1]))
assert engine.check_golden(opened, engine.open_engine(opened)) < 1e-5
assert 'torch' not in sys.modules
"""


@pytest.mark.install
@pytest.mark.slow
@pytest.mark.skipif(not UV, reason="needs uv, which `make test` brings")
def test_what_the_cpu_image_installs_is_enough_to_run_a_bundle(tmp_path):
    """The build stage's own commands, in an empty folder and with an empty home."""
    bundle = tiny_bundles.write("classifier", tmp_path / "bundle")
    for member in ("shared", "packages/serving"):
        kept = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(ROOT / member, tmp_path / "build" / member, ignore=kept)
    shutil.copy(DOCKER / "requirements.cpu.txt", tmp_path / "build")
    hidden = ("VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT")
    cache = subprocess.run([UV, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    outer = {name: value for name, value in os.environ.items() if name not in hidden}
    environment = {**outer, "HOME": str(tmp_path / "home"), "UV_CACHE_DIR": cache}

    def run(*command: str | Path, cwd: Path = tmp_path / "build") -> str:
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    app = tmp_path / "app"
    for command in uv_commands("cpu"):
        run(UV, *(sys.executable if word == "python3" else word.replace("/app", str(app)) for word in command))
    run(app / "bin/python", "-c", USE, bundle, cwd=tmp_path)
    installed = json.loads(run(UV, "pip", "list", "--format", "json", "--python", app))
    assert {entry["name"] for entry in installed} - {"shared", "serving"} <= requirements("cpu")


def uv_commands(image: str) -> list[list[str]]:
    """What the Dockerfile calls uv with."""
    runs = [rest for word, rest in steps(image) if word == "RUN"]
    return [command.split() for rest in runs for command in re.findall(r"/uv/bin/uv ([^&]+)", rest)]
