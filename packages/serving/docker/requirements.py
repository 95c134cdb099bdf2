"""Write what the images install, with exact versions and hashes, as uv.lock has it.

    python packages/serving/docker/requirements.py            write requirements.cpu.txt and requirements.cuda.txt
    python packages/serving/docker/requirements.py --check    exit 1 and name the versions that differ

Hashes are not compared: a release gets more files after it was locked.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
MEMBERS = {"cpu": ["serving"], "cuda": ["serving", "cnn-vision", "gans"]}

SERVED = {"markdown-it-py"}
"""What `shared` declares for its gallery, and rich needs, which prints the command line's help."""


def dependencies(member: str) -> set[str]:
    """Names of what a member declares."""
    project = tomllib.loads((ROOT / member / "pyproject.toml").read_text())["project"]
    return {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]}


def export(image: str) -> str:
    """The requirements of an image. What `shared` declares and `serving` does not is for training: torch and others
    that the service of an ONNX bundle never imports."""
    served = dependencies("packages/serving") | SERVED
    training = sorted(dependencies("shared") - served) if image == "cpu" else []
    options = [f"--package={name}" for name in MEMBERS[image]] + [f"--prune={name}" for name in training]
    command = [os.environ.get("UV", "uv"), "export", "--quiet", "--frozen", "--no-dev", "--no-emit-workspace"]
    plain = ["--no-annotate", "--no-header"]
    return subprocess.run([*command, *plain, *options], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def versions(requirements: str) -> set[str]:
    """Its `name==1.2.3`, without markers and hashes."""
    return set(re.findall(r"^[\w.-]+==[^\s;\\]+", requirements, re.MULTILINE))


def main(words: list[str]) -> int:
    """Command line."""
    stale = []
    for image in MEMBERS:
        path, wanted = HERE / f"requirements.{image}.txt", export(image)
        if words == ["--check"]:
            stale += sorted(versions(wanted) ^ versions(path.read_text()))
        else:
            path.write_text(wanted)
    if stale:
        print("not as in uv.lock:", *stale, f"run {sys.argv[0]}", sep="\n  ", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
