"""Print the members that a change can affect, as a JSON list for CI: `python tools/changed.py BASE`.

A change below packages/X affects X; documentation and lessons, on which no member depends, affect nothing; anything
else affects every member.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = {".md", ".png", ".svg", ".gif", ".jpg"}


def members() -> list[str]:
    """The names behind `make test-<name>`."""
    return ["shared", *sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))]


def changed_files(base: str) -> list[Path] | None:
    """Files that differ between HEAD and where it left `base`; None if `base` is no ancestor that git knows."""
    command = ["git", "diff", "--name-only", "--no-renames", "-z", f"{base}...HEAD"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [Path(name) for name in done.stdout.split("\0") if name] if done.returncode == 0 else None


def affected(files: list[Path], known: list[str]) -> list[str]:
    """The members among `known` that `files` can affect."""
    code = [file for file in files if file.suffix not in DOCUMENTS and file.parts[0] != "lessons"]
    owners = {file.parts[1] if file.parts[0] == "packages" else "everything" for file in code}
    return known if "everything" in owners else [name for name in known if name in owners]


def main(base: str) -> None:
    """Print the list for the change since `base` (a commit; one that git does not know stands for everything)."""
    files = changed_files(base)
    print(json.dumps(members() if files is None else affected(files, members())))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
