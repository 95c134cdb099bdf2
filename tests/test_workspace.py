"""Promises about the workspace as a whole: one version, one namespace, no sibling imports, no pickles, exact pins."""

import ast
import os
import re
import resource
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = [ROOT / "shared", *sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))]
MODULES = {member.name: f"torchworks.{member.name.replace('-', '_')}" for member in MEMBERS}
PACKAGES = [name for name in MODULES if name != "shared"]
COMMAND = {name: "serve" if name == "serving" else "train" for name in PACKAGES}
SOURCES = [path for member in MEMBERS for path in sorted(member.glob("src/**/*.py"))]

each_member = pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
each_package = pytest.mark.parametrize("package", PACKAGES)


def manifest(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text(), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "torchworks":
            yield from (f"torchworks.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.module or ""


def test_all_members_have_one_local_version_that_a_public_index_cannot_offer():
    versions = {member.name: manifest(member)["project"]["version"] for member in MEMBERS}
    assert len(set(versions.values())) == 1, versions
    assert versions["shared"].endswith("+workspace")


@each_package
def test_a_package_requires_exactly_this_shared(package):
    dependencies = manifest(ROOT / "packages" / package)["project"]["dependencies"]
    assert f"shared=={manifest(ROOT / 'shared')['project']['version']}" in dependencies


@each_member
def test_a_member_is_named_like_its_folder_and_never_uploaded(member):
    project = manifest(member)["project"]
    assert project["name"] == member.name
    assert "Private :: Do Not Upload" in project["classifiers"]


@each_member
def test_the_namespace_belongs_to_no_member(member):
    assert [path.name for path in (member / "src").iterdir() if path.suffix != ".egg-info"] == ["torchworks"]
    assert [path.name for path in (member / "src/torchworks").iterdir() if path.name != "__pycache__"] == [
        MODULES[member.name].removeprefix("torchworks.")
    ]


@each_member
def test_the_development_environment_holds_the_member(member):
    root = manifest(ROOT)
    assert root["tool"]["uv"]["sources"][member.name] == {"workspace": True}
    assert member.name in {str(line).partition("[")[0] for line in root["dependency-groups"]["dev"]}


@each_member
def test_a_member_imports_only_itself_and_shared(member):
    allowed = {MODULES["shared"], MODULES[member.name]}
    for path in sorted(member.glob("**/*.py")):
        foreign = [
            name
            for name in imports(path)
            if name.partition(".")[0] == "torchworks" and ".".join(name.split(".")[:2]) not in allowed
        ]
        assert not foreign, f"{path.relative_to(ROOT)} imports {foreign}"


def extras(project: dict) -> dict[str, list[str]]:
    return project.get("optional-dependencies", {})


NOT_NEEDED = {"torchworks", "torchaudio"}  # ourselves; a companion of torch that the doctor looks at if it is there


@each_member
def test_a_member_declares_every_distribution_that_it_imports(member):
    project = manifest(member)["project"]
    lines = [line for group in [project["dependencies"], *extras(project).values()] for line in group]
    shared = extras(manifest(ROOT / "shared")["project"])
    lines += [line for name in re.findall(r"shared\[(\w+)\]", " ".join(lines)) for line in shared[name]]
    offered = packages_distributions()
    declared = {re.split(r"[\[<>=!~; ]", line)[0].replace("_", "-").lower() for line in lines}
    for path in sorted(member.glob("src/**/*.py")):
        for name in {name.partition(".")[0] for name in imports(path)} - sys.stdlib_module_names - NOT_NEEDED:
            names = {found.replace("_", "-").lower() for found in offered.get(name, [name])}
            assert names & declared, f"{path.relative_to(ROOT)} imports {name}, which {member.name} does not declare"


def unsafe_call(call: ast.Call) -> bool:
    """Whether the call could run code that hides in a file."""
    options = {option.arg: ast.unparse(option.value) for option in call.keywords}
    name = ast.unparse(call.func)
    pickled = re.fullmatch(r"(c?[pP]ickle|dill|cloudpickle|joblib)\.(loads?|Unpickler)", name)
    trusting = name == "torch.load" and options.get("weights_only") != "True"
    return bool(pickled) or trusting or options.get("allow_pickle") == "True"


@pytest.mark.parametrize(
    ("code", "unsafe"),
    [
        ("torch.load(path)", True),
        ("torch.load(path, weights_only=False)", True),
        ("torch.load(path, weights_only=True)", False),
        ("pickle.loads(data)", True),
        ("np.load(path, allow_pickle=True)", True),
        ("np.load(path)", False),
        ("json.loads(text)", False),
    ],
)
def test_the_check_for_pickles_tells_safe_from_unsafe(code, unsafe):
    assert unsafe_call(ast.parse(code, mode="eval").body) is unsafe


def test_no_code_loads_pickles():
    for path in SOURCES:
        calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and unsafe_call(node)]
        assert not calls, f"{path.relative_to(ROOT)}:{calls[0].lineno} {ast.unparse(calls[0])}"


def test_every_declared_dependency_has_an_exact_pin():
    root = manifest(ROOT)
    pinned = {re.split(r"[=\[ ;]", pin)[0] for pin in root["tool"]["uv"]["constraint-dependencies"] if "==" in pin}
    projects = [manifest(member)["project"] for member in MEMBERS]
    wanted = [line for project in projects for line in project["dependencies"]]
    wanted += [
        line for project in projects for lines in project.get("optional-dependencies", {}).values() for line in lines
    ]
    wanted += manifest(ROOT / "lessons")["project"]["dependencies"]
    wanted += [line for lines in root["dependency-groups"].values() for line in lines if isinstance(line, str)]
    names = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in wanted}
    assert names - pinned - {*MODULES, "lessons"} == set(), "run `make pins`"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs git to know which files are ours")
def test_no_file_names_a_package_registry_or_a_folder_of_someone_elses_machine():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    private = re.compile(rb"p[y]pi\.org|p[y]thonhosted|n[p]mjs\.|deb\.d[e]bian|/h[o]me/\w+/|/r[o]ot/|/U[s]ers/\w+/")
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        found = private.search(path.read_bytes()) if path.is_file() and path.suffix != ".png" else None
        assert found is None, f"{name}: {found}"
    assert "uv.lock" not in listed.split("\0")


def run_help(package: str, words: list[str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-m", MODULES[package], *(COMMAND[package] for _ in words), "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True)


each_help = pytest.mark.parametrize("words", [[], ["command"]], ids=["help", "command-help"])


@each_package
@each_help
def test_help_does_not_import_torch(package, words):
    done = run_help(package, words, "-X", "importtime")
    imported = re.findall(r"\| +(\S+)$", done.stderr, re.MULTILINE)
    assert package in done.stdout
    assert "torchworks.shared.cli" in imported
    assert "torch" not in imported


def cpu_seconds(command: list[str]) -> float:
    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    subprocess.run(command, capture_output=True, check=True)
    return used() - before


@each_package
@each_help
def test_help_costs_little_more_than_the_parser_of_command_lines(package, words):
    ours = [sys.executable, "-m", MODULES[package], *(COMMAND[package] for _ in words), "--help"]
    parser = [sys.executable, "-c", "import tyro"]
    rounds = [(cpu_seconds(ours), cpu_seconds(parser)) for _ in range(3)]  # in turns: others use it too
    assert min(help for help, _ in rounds) <= 6 * min(alone for _, alone in rounds)


def test_ci_runs_only_actions_pinned_by_commit():
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    actions = re.findall(r"uses: *(.+)", workflow)
    assert actions
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action) for action in actions)


def test_the_ci_script_runs_every_check_and_stops_at_the_first_failure(tmp_path):
    stub = tmp_path / "make"
    stub.write_text('#!/bin/sh\necho "ran $*"\n[ "$1" != "$FAILING" ]\n')
    stub.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    script = ["bash", str(ROOT / ".ci/run")]
    done = {
        failing: subprocess.run(
            script, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path, "FAILING": failing}
        )
        for failing in ("", "types")
    }
    ran = {failing: re.findall(r"^ran (.+)", run.stdout, re.MULTILINE) for failing, run in done.items()}
    imports = " ".join(f"imports-{member}" for member in ("shared", *PACKAGES))
    assert done[""].returncode == 0
    assert [line.partition(" ARGS=")[0] for line in ran[""]] == [
        "lint",
        "types",
        "pins",
        "test",
        f"-j 2 {imports}",
        "test-gans",
    ]
    assert ran[""][3].startswith("test ARGS=-m 'not gpu and not long'")
    assert done["types"].returncode != 0
    assert ran["types"] == ["lint", "types"]
