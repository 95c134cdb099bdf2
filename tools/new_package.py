"""Write a package that trains, tests and lints at once, and add it to the workspace.

    python tools/new_package.py NAME [--kind image|text]        (make new-package NAME=my-models KIND=text)

The package is a copy of the files in tools/new_package/common and tools/new_package/KIND, where it is called
my-package, and its module my_package.
"""

import argparse
import keyword
import re
import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = Path(__file__).resolve().parent / "new_package"
KINDS = ("image", "text")
LONGEST = 24
"""Characters of a name: lines with it must not become longer than the linter allows."""
TARGETS = ("slow", "long", "gpu")
"""What `make test-…` calls kinds of tests."""
IMPORT = re.compile(r"from torchworks\.\S+ import ")


class Refused(Exception):
    """Why no package can be made, and what to do."""


def check_name(name: str, root: Path) -> None:
    """Raise `Refused` unless a new package can have this name: PEP 508's, in the normal form of PEP 503, and a module's
    with _ for -."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        wanted = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
        example = f", such as {wanted}" if wanted else ""
        raise Refused(f"'{name}' is no name of a package: use lower-case letters, digits and single hyphens{example}.")
    if len(name) > LONGEST:
        raise Refused(f"'{name}' is longer than {LONGEST} characters, and would make lines too long. Shorten it.")
    if keyword.iskeyword(name):
        raise Refused(f"'{name}' is a keyword of Python, so that nothing could import it. Choose another name.")
    if name in TARGETS:
        raise Refused(f"'{name}' would give make two commands test-{name}. Choose another name.")
    if (root / "packages" / name).exists():
        raise Refused(f"packages/{name} exists already, and nothing is overwritten. Choose another name, or delete it.")
    if name in known_names(root):
        raise Refused(
            f"'{name}' is taken: a member of this workspace, or a package that it installs, has this name. Choose "
            "another name."
        )


def known_names(root: Path) -> set[str]:
    """The names of the workspace's members and of the packages it installs."""
    tool = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["uv"]
    pinned = {re.split(r"[=\[ ;]", pin)[0] for pin in tool["constraint-dependencies"]}
    return {*tool["sources"], *pinned}


def write_package(name: str, kind: str, root: Path) -> list[Path]:
    """The new files, in order, below packages/`name`."""
    folder, made = root / "packages" / name, []
    for template in (TEMPLATES / "common", TEMPLATES / kind):
        for source in filter(Path.is_file, template.rglob("*")):
            if "__pycache__" not in source.parts:
                target = folder / renamed(str(source.relative_to(template)), name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(renamed(source.read_text(), name))
                made.append(target)
    return sorted(made)


def renamed(text: str, name: str) -> str:
    """A template's text as the package's, with its imports in the linter's order."""
    lines = text.replace("my_package", name.replace("-", "_")).replace("my-package", name).splitlines(keepends=True)
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and IMPORT.match(lines[end]):
            end += 1
        lines[start:end] = sorted(lines[start:end], key=lambda line: line.split()[1])
        start = end + 1
    return "".join(lines)


def added(manifest: str, name: str) -> str:
    """The workspace's manifest with the new member: among its sources, and in the development environment. Raises
    `Refused` if one of them is not there to be added to."""
    sources = list(re.finditer(r"(?m)^[\w-]+ = \{ workspace = true \}\n", manifest))
    group = re.search(r"(?ms)^dev = \[\n.*?^(?=\]$)", manifest)
    if not sources or not group or group.start() < sources[-1].end():
        raise Refused("pyproject.toml has no list of sources with `dev = [` after it, so nothing can be added to them.")
    places = (sources[-1].end(), group.end())
    first, second, last = manifest[: places[0]], manifest[places[0] : places[1]], manifest[places[1] :]
    return f'{first}{name} = {{ workspace = true }}\n{second}    "{name}",\n{last}'


def make(name: str, kind: str, root: Path = ROOT) -> list[Path]:
    """Write the package and add it to the workspace, or raise `Refused` and change nothing."""
    check_name(name, root)
    manifest = root / "pyproject.toml"
    content = added(manifest.read_text(), name)
    try:
        made = write_package(name, kind, root)
    except OSError:
        shutil.rmtree(root / "packages" / name, ignore_errors=True)
        raise
    manifest.write_text(content)
    return made


def main(words: list[str] | None = None) -> int:
    """Make the package that the arguments name, and say what to do next."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="its name, such as my-models")
    parser.add_argument("--kind", default="image", help="what its first model reads: image (default) or text")
    given = parser.parse_args(words)
    try:
        if given.kind not in KINDS:
            raise Refused(f"There is no kind '{given.kind}'. KIND is {' or '.join(KINDS)}.")
        made = make(given.name, given.kind)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"The package could not be written: {error}. Make room or permission there, and try again.", file=sys.stderr
        )
        return 2
    print("\n".join(str(path.relative_to(ROOT)) for path in made))
    print(f"\nAdded to pyproject.toml. Try: make train-{given.name}, make test-{given.name}, make lint, make types")
    return 0


if __name__ == "__main__":
    sys.exit(main())
