"""Promises about installing single packages: really built and installed by pip and uv into fresh environments.

For pip the third-party packages of the environment that runs the tests count as installed; uv installs everything.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UV = os.environ.get("UV") or shutil.which("uv") or ""  # `uv run` sets the former
USE = "from torchworks.gans import DCGANGenerator; print(sum(p.numel() for p in DCGANGenerator().parameters()))"

pytestmark = [
    pytest.mark.install,
    pytest.mark.slow,
    pytest.mark.skipif(not UV, reason="needs uv, which `make test` brings"),
]


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """The finished command, run without the environment of the one that runs the tests."""
    hidden = ("VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=environment)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def workspace(tmp_path):
    """A copy of the members alone, so that builds leave nothing behind and no .venv is near."""
    folder = tmp_path / "workspace"
    leftovers = shutil.ignore_patterns("__pycache__", "build", "dist", "*.egg-info")
    for name in ("shared", "packages"):
        shutil.copytree(ROOT / name, folder / name, ignore=leftovers)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def python(tmp_path):
    """The interpreter of an empty environment that has pip."""
    run(UV, "venv", "--quiet", "--seed", "--python", sys.executable, tmp_path / "env", cwd=tmp_path)
    return tmp_path / "env/bin/python"


@pytest.fixture
def ready_python(python, tmp_path):
    """The same, which also sees every package of this environment but ours; pip leaves those alone."""
    lent = tmp_path / "lent"
    lent.mkdir()
    ours = tuple(path.name for path in (ROOT / "shared", *ROOT.glob("packages/*")))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if re.split(r"[-.]", entry.name)[0].replace("_", "-") not in ours:
            (lent / entry.name).symlink_to(entry)
    (site,) = tmp_path.glob("env/lib/python3*/site-packages")
    (site / "lent.pth").write_text(f"{lent}\n")
    return python


def test_pip_refuses_one_package_alone_instead_of_taking_a_strangers_shared(python, workspace):
    done = run(python, "-m", "pip", "install", "--dry-run", "./packages/gans", cwd=workspace, check=False)
    assert done.returncode != 0
    assert "No matching distribution found for shared==0.1.0+workspace" in done.stderr


def test_pip_installs_a_package_together_with_shared(ready_python, workspace, tmp_path):
    done = run(ready_python, "-m", "pip", "install", "./shared", "./packages/gans", cwd=workspace)
    assert "Successfully installed gans-0.1.0+workspace shared-0.1.0+workspace" in done.stdout
    shutil.rmtree(workspace)
    assert int(run(ready_python, "-c", USE, cwd=tmp_path).stdout) > 100_000
    assert "dcgan" in run(ready_python.parent / "gans", "list", cwd=tmp_path).stdout


def test_uv_installs_a_package_alone_and_takes_shared_from_the_workspace(python, workspace, tmp_path):
    run(UV, "pip", "install", "--quiet", "--python", python, "./packages/gans", cwd=workspace)
    where = run(python, "-c", "import torchworks.shared as s; print(s.__file__)", cwd=tmp_path).stdout
    assert Path(where.strip()).is_relative_to(workspace)
    assert "dcgan" in run(python.parent / "gans", "list", cwd=tmp_path).stdout
    assert run(python, "-c", "from importlib.metadata import version; version('torch')", cwd=tmp_path)
