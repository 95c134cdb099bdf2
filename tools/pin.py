"""Write the exact version of every dependency into pyproject.toml, so that installs repeat without uv.lock.

    python tools/pin.py            resolve the newest versions afresh and write them      (make pins)
    python tools/pin.py --check    exit 1 and name each dependency that has no exact pin  (.ci/run)

The pins are the lines of `constraint-dependencies` under MARK; the lines above it are chosen by hand and kept.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARK = "    # Written by `make pins`. Edit above this line only.\n"
EXPORT = "export --all-packages --all-groups --all-extras --no-emit-workspace --no-hashes --no-annotate --no-header"


def rewrite(manifest: str, pins: list[str]) -> str:
    """The manifest with `pins` in place of the written ones."""
    head, mark, rest = manifest.partition(MARK)
    assert mark, f"pyproject.toml has lost the line {MARK.strip()!r}"
    tail = rest[rest.index("]\n") :]
    return head + mark + "".join(f'    "{pin}",\n' for pin in pins) + tail


def missing(pins: list[str], manifest: str) -> list[str]:
    """The resolved `pins` whose version neither the written nor the hand-chosen part of the manifest holds.

    Markers are not compared: each release of uv may write the same one in another way.
    """
    held = {version(line.strip(' ",')) for line in manifest.splitlines()}
    return [pin for pin in pins if version(pin) not in held]


def version(pin: str) -> str:
    """The `name==1.2.3` of a requirement that may have a marker."""
    return pin.partition(";")[0].strip()


def uv(arguments: str) -> str:
    """What `uv ARGUMENTS` prints, run in the workspace; its complaints go to the terminal."""
    command = [os.environ.get("UV", "uv"), "--quiet", *arguments.split()]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def resolved() -> list[str]:
    """Every dependency at the version that uv.lock has, one requirement with its marker a line."""
    return uv(EXPORT).splitlines()


def write(path: Path) -> None:
    """Resolve without the written pins, which would block every upgrade, and write the result."""
    before = path.read_text()
    bare = rewrite(before, [])
    after = before
    try:
        path.write_text(bare)
        uv("lock --upgrade")
        after = rewrite(bare, missing(resolved(), bare))
    finally:
        path.write_text(after)


def check(path: Path) -> int:
    """1 if a dependency resolves to a version that no pin names, else 0."""
    unpinned = missing(resolved(), path.read_text())
    if unpinned:
        print("no exact pin in pyproject.toml for:", *unpinned, "run `make pins`", sep="\n  ", file=sys.stderr)
    return 1 if unpinned else 0


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true")
    path = ROOT / "pyproject.toml"
    if parser.parse_args().check:
        return check(path)
    write(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
