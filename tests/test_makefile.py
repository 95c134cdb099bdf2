"""Promises of the Makefile: it explains itself, needs nothing but Python, and says what is wrong."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MANIFESTS = {path.parent.name: path.read_text() for path in sorted(ROOT.glob("packages/*/pyproject.toml"))}
PACKAGES = list(MANIFESTS)
TRAINED = [package for package, text in MANIFESTS.items() if "torchworks.recipes" in text]


@pytest.fixture
def bare_path(tmp_path):
    """A PATH folder with the usual tools, without uv and Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "make", "sed", "awk", "df", "mkdir", "rm", "printf", "echo"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


@pytest.fixture
def clone(tmp_path):
    """What make needs of the workspace, without .venv and .uv."""
    folder = tmp_path / "clone"
    for name in ("Makefile", "pyproject.toml", *(f"packages/{package}/pyproject.toml" for package in PACKAGES)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def make(*words: str, cwd: Path = ROOT, path: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    outer = ("UV", "PYTHON", "RECIPE", "DATA", "ARGS", "MAKEFLAGS", "MAKELEVEL")  # from the make that runs the tests
    inherited = {name: value for name, value in os.environ.items() if name not in outer}
    found = {"PATH": str(path)} if path else {}
    return subprocess.run(
        ["make", *words], cwd=cwd, capture_output=True, text=True, check=False, env=inherited | found | environment
    )


def test_help_is_the_default_and_lists_every_package(bare_path, clone):
    done = make(cwd=clone, path=bare_path)
    assert done.returncode == 0
    assert done.stderr == ""
    for package in TRAINED:
        assert f"make train-{package}\n" in done.stdout


@pytest.mark.parametrize("package", TRAINED)
def test_help_names_the_recipes_of_a_package(package, clone):
    manifest = clone / f"packages/{package}/pyproject.toml"
    group = f'[project.entry-points."torchworks.recipes.{package.replace("-", "_")}"]'
    text = manifest.read_text().replace(group, "[tool.other]")
    manifest.write_text(f'{text}\n{group}\nfirst = "a:b"\nsecond-one = "a:c"\n')
    line = next(line for line in make(cwd=clone).stdout.splitlines() if line.startswith(f"    {package} "))
    assert line.split(maxsplit=1)[1] == "first, second-one"


@pytest.mark.parametrize("package", TRAINED)
def test_the_recipe_that_train_takes_is_the_first_that_help_names(package):
    line = next(line for line in make().stdout.splitlines() if line.startswith(f"    {package} "))
    module = f"torchworks.{package.replace('-', '_')}"
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    assert f"[RECIPE={line.split()[1].rstrip(',')}]" in done.stdout


@pytest.mark.parametrize("target", ["train-gnas", "test-gnas"])
def test_an_unknown_package_gets_the_known_names(target):
    done = make(target)
    assert done.returncode == 2
    assert "no package 'gnas'" in done.stderr
    assert all(package in done.stderr for package in PACKAGES)


def test_train_passes_recipe_data_and_options_on():
    done = make("-n", "train-gans", "RECIPE=cgan", "DATA=folder:my images", "ARGS=--trainer.steps 200")
    assert done.stdout.rstrip().endswith("-m torchworks.gans train cgan --data 'folder:my images' --trainer.steps 200")


def test_serve_takes_a_run_and_says_so():
    done = make("serve")
    assert done.returncode == 2
    assert "make serve RUN=" in done.stderr
    assert (
        make("-n", "serve", "RUN=runs/my run", "ARGS=--port 0").stdout.rstrip().endswith("serve 'runs/my run' --port 0")
    )


@pytest.mark.parametrize("target", ["capstone", "gallery"])
def test_a_folder_may_begin_with_a_dash(target):
    assert "--out='-my runs'" in make("-n", target, "OUT=-my runs").stdout


def test_tests_of_a_package_run_in_an_environment_of_their_own():
    command = make("-n", "test-gans").stdout.rstrip()
    assert "run --isolated --package gans " in command
    assert command.rstrip().endswith("packages/gans/tests")
    assert make("-n", "test-shared").stdout.rstrip().endswith("shared/tests")


@pytest.mark.parametrize("python", [None, "#!/bin/sh\nexit 1\n"], ids=["missing", "old"])
def test_without_uv_and_a_recent_python_it_says_what_to_install(bare_path, clone, python):
    if python:
        (bare_path / "python3").write_text(python)
        (bare_path / "python3").chmod(0o755)
    done = make("train-gans", cwd=clone, path=bare_path)
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_without_the_venv_module_it_says_what_to_install(bare_path, clone):
    (bare_path / "python3").write_text('#!/bin/sh\ncase "$*" in *venv*) mkdir .uv; exit 1 ;; esac\n')
    (bare_path / "python3").chmod(0o755)
    done = make("train-gans", cwd=clone, path=bare_path)
    assert done.returncode == 2
    assert "python3-venv" in done.stderr
    assert not (clone / ".uv").exists()


def test_a_uv_that_is_too_old_is_not_used(bare_path, clone):
    (bare_path / "uv").write_text("#!/bin/sh\necho 'Required uv version' >&2; exit 2\n")
    (bare_path / "uv").chmod(0o755)
    assert "\n.uv/bin/uv run" in make("-n", "lint", cwd=clone, path=bare_path).stdout


def test_a_uv_on_the_path_is_used(bare_path, clone):
    (bare_path / "uv").write_text('#!/bin/sh\n[ "$*" = "cache dir" ] && echo "$HOME/cache" || echo "used: $*"\n')
    (bare_path / "uv").chmod(0o755)
    done = make("doctor", cwd=clone, path=bare_path, HOME=str(clone))
    assert done.stdout == "used: run --package shared python -m torchworks.shared.machine.doctor\n"
    assert done.stderr == ""


def test_clean_keeps_runs_and_environments(clone):
    for name in ("runs/gans/001/__pycache__", ".venv", ".uv", ".ruff_cache", "packages/gans/src/__pycache__", "dist"):
        (clone / name).mkdir(parents=True)
    done = make("clean", cwd=clone)
    assert done.returncode == 0
    assert all((clone / name).exists() for name in ("runs/gans/001/__pycache__", ".venv", ".uv"))
    assert not any((clone / name).exists() for name in (".ruff_cache", "packages/gans/src/__pycache__", "dist"))


@pytest.mark.slow
@pytest.mark.install
def test_without_uv_it_installs_a_private_copy(clone):
    nowhere = os.pathsep.join(
        folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "uv").exists()
    )
    done = make(".uv/bin/uv", cwd=clone, PATH=nowhere, HOME=str(clone))
    assert done.returncode == 0, done.stderr
    assert "private copy" in done.stderr
    assert subprocess.run([clone / ".uv/bin/uv", "cache", "dir"], cwd=clone, check=False).returncode == 0
