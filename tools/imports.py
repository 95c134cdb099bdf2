"""Import every module of one member: `python tools/imports.py gans`, in an environment that has what it declares.

CI runs this for each member in an environment of its own, where an import that the member does not declare fails. All
of its tests have run before, in the environment of the workspace; only what an undeclared import would break differs
here, so they are not repeated. Modules that need an extra are named and left out, as they are for whoever has not
installed it.
"""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def modules(member: Path) -> Iterator[str]:
    """The dotted names of a member's files."""
    source = member / "src"
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        if parts[-1] != "__main__":
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def extras(member: Path) -> set[str]:
    """The import names of a member's optional dependencies, as far as they follow from the distributions' names."""
    groups = tomllib.loads((member / "pyproject.toml").read_text())["project"].get("optional-dependencies", {})
    names = [re.split(r"[\[<>=!~; ]", line)[0] for lines in groups.values() for line in lines]
    known = {"scikit-image": "skimage", "scikit-learn": "sklearn", "pyyaml": "yaml", "open-clip-torch": "open_clip"}
    return {known.get(name, name.replace("-", "_")) for name in names}


def main(name: str) -> int:
    """0 if every module can be imported, or lacks an extra alone."""
    member = ROOT / name if name == "shared" else ROOT / "packages" / name
    optional, failed, skipped = extras(member), [], []
    for module in modules(member):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            (skipped if missing in optional else failed).append(f"{module}: {error}")
    for line in skipped:
        print(f"needs an extra: {line}")
    for line in failed:
        print(f"undeclared: {line}", file=sys.stderr)
    print(f"{name}: {len(failed)} modules import what the member does not declare")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
