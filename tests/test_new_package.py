"""A package made by `make new-package` trains, tests, lints, is listed and served at once."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OTHERS = (".git", ".venv", ".uv", "runs", "build", "dist", "docs", "findings", "*.egg-info", "__pycache__", ".*_cache")
"""What a workspace has besides what is tested here."""
NAMES = {"image": "zoo-models", "text": "a1-texts"}
"""One that comes after `shared` in the alphabet and one before, where imports are sorted by it."""

each_kind = pytest.mark.parametrize("kind", NAMES)


def run(*words: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as from a shell, without what a `make` that runs these tests hands on to the one in them."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def new_package(workspace: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "tools/new_package.py", *words, cwd=workspace)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """A copy of the workspace with a new package of each kind."""
    folder = tmp_path_factory.mktemp("copy") / "workspace"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*OTHERS))
    for kind, name in NAMES.items():
        done = new_package(folder, name, "--kind", kind)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def python(workspace) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a module of Python in the workspace as if its new packages were installed."""
    packages = [workspace / "packages" / name for name in NAMES.values()]
    installed = workspace.parent / "installed"
    for package in packages:
        announce(package, installed)
    paths = [installed, *(package / "src" for package in packages), os.environ.get("PYTHONPATH")]
    path = os.pathsep.join(str(path) for path in paths if path)

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        return run(sys.executable, "-m", *words, cwd=workspace, PYTHONPATH=path, OMP_NUM_THREADS="1")

    return call


def announce(package: Path, folder: Path) -> None:
    """Write what makes the entry points of a package known to programs that have `folder` in their search path."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1.0\n")
    groups = {**project["entry-points"], "console_scripts": project["scripts"]}
    lines = (f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items())
    (info / "entry_points.txt").write_text("".join(lines))


# ---- written -------------------------------------------------------------------------------------------------


@each_kind
def test_it_has_the_files_of_a_package(workspace, kind):
    package = workspace / "packages" / NAMES[kind]
    source = package / "src/torchworks" / NAMES[kind].replace("-", "_")
    job = {f"{name}.py" for name in ("config", "recipes", "build", "task", "baselines", "predictor", "commands", "use")}
    assert {path.name for path in (source / "classification").iterdir()} == job | {"__init__.py"}
    assert {"__init__.py", "__init__.pyi", "__main__.py", "commands.py", "models"} <= {p.name for p in source.iterdir()}
    assert {"README.md", "pyproject.toml", "src", "tests"} == {path.name for path in package.iterdir()}
    for path in filter(Path.is_file, package.rglob("*")):
        assert "my_package" not in path.read_text(), path
        assert "my-package" not in path.read_text(), path


def test_make_help_lists_it_with_its_recipe(workspace):
    listed = run("make", "help", cwd=workspace).stdout
    for name in NAMES.values():
        assert f"    {name:<20} classify\n" in listed
        assert f"make train-{name}\n" in listed
        assert f"make test-{name}\n" in listed


def test_it_is_linted_and_formatted(workspace):
    folders = [f"packages/{name}" for name in NAMES.values()]
    for command in (("check",), ("format", "--check")):
        done = run(sys.executable, "-m", "ruff", *command, "--no-cache", *folders, cwd=workspace)
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_types_are_right(workspace):
    folders = [f"packages/{name}/src" for name in NAMES.values()]
    paths = [word for folder in folders for word in ("--extra-search-path", folder)]
    done = run(sys.executable, "-m", "ty", "check", "--python", sys.prefix, *paths, *folders, cwd=workspace)
    assert done.returncode == 0, done.stdout + done.stderr


@each_kind
def test_the_longest_name_makes_no_line_too_long(workspace, kind):
    name, manifest = f"{kind}-".ljust(24, "a"), (workspace / "pyproject.toml").read_text()
    assert new_package(workspace, name, "--kind", kind).returncode == 0
    commands = (("check",), ("format", "--check"))
    found = [run(sys.executable, "-m", "ruff", *c, "--no-cache", f"packages/{name}", cwd=workspace) for c in commands]
    shutil.rmtree(workspace / "packages" / name)
    (workspace / "pyproject.toml").write_text(manifest)
    assert [done.returncode for done in found] == [0, 0], found


@pytest.mark.slow
def test_the_rules_of_members_hold_for_it(workspace, python):
    for name in NAMES.values():
        done = python("pytest", "-q", "tests/test_workspace.py", "-p", "no:cacheprovider", "-k", name)
        assert done.returncode == 0, done.stdout[-4000:]
        assert "failed" not in done.stdout


# ---- refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["Foo_Bar"], "no name of a package: use lower-case letters, digits and single hyphens, such as foo-bar."),
        (["../x"], "no name of a package"),
        (["class"], "a keyword of Python"),
        (["torch"], "is taken"),
        (["shared"], "is taken"),
        (["gans"], "packages/gans exists already, and nothing is overwritten"),
        (["slow"], "two commands test-slow"),
        (["a" * 25], "longer than 24 characters"),
        (["sounds", "--kind", "sound"], "no kind 'sound'. KIND is image or text."),
    ],
)
def test_what_cannot_be_made_is_explained_and_changes_nothing(workspace, words, sentence):
    before = (workspace / "pyproject.toml").read_text(), sorted((workspace / "packages").iterdir())
    done = new_package(workspace, *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert before == ((workspace / "pyproject.toml").read_text(), sorted((workspace / "packages").iterdir()))


def test_make_asks_for_a_name_and_hands_it_on():
    done = run("make", "new-package", cwd=ROOT)
    assert done.returncode == 2
    assert "make new-package NAME=my-models" in done.stderr
    command = run("make", "-n", "new-package", "NAME=my-models", "KIND=text", cwd=ROOT).stdout
    assert command.rstrip().endswith("python tools/new_package.py 'my-models' --kind 'text'")


# ---- used ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@each_kind
def test_its_own_tests_pass(python, kind):
    done = python("pytest", "-q", "-p", "no:cacheprovider", f"packages/{NAMES[kind]}/tests")
    assert done.returncode == 0, done.stdout[-4000:]


ASK = """
import json, sys
from pathlib import Path
from fastapi.testclient import TestClient
from torchworks.serving.app import create_app
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel

settings = Settings()
registry = Registry(settings)
registry.add(ServedModel.load(Path(sys.argv[1]), settings))
with TestClient(create_app(registry, settings)) as client:
    for text in json.loads(sys.argv[2]):
        answer = client.post("/v1/models/classify/predict", json={"text": text})
        print(json.dumps([answer.status_code, answer.json()]))
"""
TEXTS = ["two hundred and forty-one", ["six", "nine thousand and forty-two", "eighty-one"], "six", ""]


@pytest.mark.slow
def test_a_text_classifier_is_trained_exported_and_answers_texts_with_names_of_classes(workspace, python, tmp_path):
    done = python("torchworks.a1_texts", "train", "--steps", "150", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    done = python("torchworks.serving", "export", tmp_path / "run", "--seconds", "0.01")
    assert done.returncode == 0, done.stderr
    (tmp_path / "ask.py").write_text(ASK)
    words = (tmp_path / "ask.py", tmp_path / "run/bundle-onnx", json.dumps(TEXTS))
    done = run(sys.executable, *words, cwd=tmp_path)  # without the package: a bundle needs it no more
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [status for status, _ in answers] == [200, 200, 200, 422]
    rows = [body["outputs"]["probability"] for _, body in answers[:3]]
    assert [row["label"] for row in (rows[0][0], *rows[1][1:])] == ["odd", "even", "odd"]
    assert set(rows[0][0]["probabilities"]) == {"even", "odd"}
    assert rows[2][0]["probabilities"] == pytest.approx(rows[1][0]["probabilities"], abs=1e-5)  # padded and alone
    assert "is empty" in answers[3][1]["error"]["message"]
