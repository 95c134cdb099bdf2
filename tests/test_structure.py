"""The structure of the code: no files import each other in a circle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for pattern in ("shared/src", "packages/*/src") for path in ROOT.glob(pattern))


def modules(source: Path) -> dict[str, Path]:
    """The files of a member by dotted name; a folder has the name of its `__init__`."""
    found = {}
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path) -> Iterator[str]:
    """What a file imports, within functions too, but not for type checkers alone. `from a import b` is a.b."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        else:
            waiting += ast.iter_child_nodes(node)


def graph(source: Path) -> dict[str, set[str]]:
    """The files that each file of a member imports."""
    known = modules(source)
    homes = {name: {home_of(imported, known) for imported in imports(path)} for name, path in known.items()}
    return {name: found - {"", name} for name, found in homes.items()}


def home_of(imported: str, known: dict[str, Path]) -> str:
    """The file that defines `imported`: the longest known name that it begins with; empty if it is none of ours."""
    while imported and imported not in known:
        imported = imported.rpartition(".")[0]
    return imported


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.parent.name)
def test_no_files_import_each_other_in_a_circle(source):
    try:
        TopologicalSorter(graph(source)).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_a_circle_within_functions_is_found(tmp_path):
    room = tmp_path / "torchworks" / "house"
    room.mkdir(parents=True)
    (room / "a.py").write_text("from torchworks.house import b\n")
    (room / "b.py").write_text("def late():\n    from torchworks.house.a import x\n")
    with pytest.raises(CycleError):
        TopologicalSorter(graph(tmp_path)).prepare()
    (room / "b.py").write_text("if TYPE_CHECKING:\n    from torchworks.house.a import x\n")
    TopologicalSorter(graph(tmp_path)).prepare()


def unspecified(path: Path) -> Iterator[str]:
    """Places of a file at which text is read or written in whatever encoding the machine prefers."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = {keyword.arg for keyword in node.keywords}
            if node.func.attr in ("read_text", "write_text") and not given & {"encoding", "errors"}:
                yield f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.parent.name)
def test_files_are_utf_8_on_machines_that_prefer_a_code_page(source):
    """Names of classes in a model card would end a training there otherwise."""
    readers = source / "torchworks" / "shared" / "data"  # files of others, in whatever encoding they have
    paths = [path for path in source.rglob("*.py") if readers not in path.parents]
    assert [place for path in paths for place in unspecified(path)] == []
