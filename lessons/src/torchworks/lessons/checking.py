"""Whether a reader's answers to the exercises of a lesson are right.

`checks/NAME.py` has a function for each exercise of `exercises/NAME.py`, of the same name. It gets the reader's
function, calls it, and raises `Wrong` with a hint where the answer is not as it should be; `expect`, `expect_close`
and `expect_shape` do that.
"""

import ast
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

import torch

from torchworks.lessons.course import Lesson
from torchworks.shared.config import UserError


class Wrong(Exception):
    """An answer is wrong; the text says why, and what to look at."""


@dataclass(frozen=True)
class Verdict:
    """What is known of the answer to one exercise: `right`, `wrong` or `not answered`, and why."""

    exercise: str
    state: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.exercise}: {self.state}" + (f": {self.why}" if self.why else "")


def expect(holds: bool | torch.Tensor, hint: str) -> None:
    """Raise `Wrong` with the hint unless it holds."""
    if not bool(holds):
        raise Wrong(hint)


def expect_shape(given: object, shape: tuple[int, ...], hint: str = "") -> None:
    """Raise `Wrong` unless `given` is a tensor of that shape."""
    if not isinstance(given, torch.Tensor):
        raise Wrong(f"expected a tensor of shape {shape}, got {_kind(given)}. {hint}".strip())
    if tuple(given.shape) != tuple(shape):
        raise Wrong(f"expected shape {tuple(shape)}, got {tuple(given.shape)}. {hint}".strip())


def expect_close(given: object, wanted: torch.Tensor | float, hint: str = "", tolerance: float = 1e-5) -> None:
    """Raise `Wrong` unless `given` has the shape and, within a tolerance, the values of `wanted`."""
    wanted = torch.as_tensor(wanted)
    if isinstance(given, int | float):
        given = torch.tensor(float(given))
    expect_shape(given, tuple(wanted.shape), hint)
    assert isinstance(given, torch.Tensor)
    if not torch.allclose(given.detach().double(), wanted.detach().double(), rtol=tolerance, atol=tolerance):
        apart = (given.detach().double() - wanted.detach().double()).abs().max().item()
        raise Wrong(f"the shape is right, the values are not (largest difference {apart:.3g}). {hint}".strip())


def _kind(given: object) -> str:
    if given is None:
        return "None (is a `return` missing?)"
    return f"an object of type {type(given).__name__}"


def load(path: Path) -> ModuleType:
    """Execute a file as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"lesson_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def load_answers(path: Path) -> ModuleType:
    """The reader's file; raises `UserError` in place of a traceback if it does not even load."""
    shown = os.path.relpath(path)
    if not path.exists():
        raise UserError(
            f"There are no answers yet: {shown} does not exist. 'make lesson NAME={path.stem}' puts it there."
        )
    try:
        return load(path)
    except SyntaxError as error:
        raise UserError(f"{shown}, line {error.lineno}: {error.msg}. Nothing was checked.") from error
    except ModuleNotFoundError as error:
        raise UserError(
            f"{shown}{_line(error, path)} imports '{error.name}', which is not installed here. Is the name right? "
            "Nothing was checked. No exercise needs more than its lesson imports."
        ) from error
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{shown}{_line(error, path)} raised {type(error).__name__} while the file was loaded: {error}. "
            "Nothing was checked. Code outside of the functions runs first; look there."
        ) from error


def exercises(lesson: Lesson) -> dict[str, FunctionType]:
    """The checks of a lesson's exercises by name, in their order."""
    module = load(lesson.part("checks"))
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__ and not name.startswith("_")
    }


def unanswered(path: Path) -> dict[str, str]:
    """The functions and classes of a file that still hold a `...`, or raise NotImplementedError, where code belongs.

    With each what is to be said of it: nothing of an untouched one, of another which line is left.
    """
    found = {}
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            stubs = [part for part in ast.walk(node) if isinstance(part, ast.stmt) and _is_stub(part)]
            if stubs:
                left = (
                    f"`{ast.unparse(stubs[0])}` still stands in line {stubs[0].lineno}; delete it if your code is whole"
                )
                found[node.name] = left if _begun(node) else ""
    return found


def _begun(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether a function holds more than its docstring and a stub."""
    documented = ast.get_docstring(node, clean=False) is not None
    return isinstance(node, ast.FunctionDef) and len(node.body) - documented > 1


def _is_stub(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise):
        return node.exc is not None and "NotImplementedError" in ast.unparse(node.exc)
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def judge(check: FunctionType, answers: ModuleType, path: Path) -> Verdict:
    """The verdict on the answer to the exercise that `check` is named after. The reader's own errors are part of it."""
    name = check.__name__
    answer = getattr(answers, name, None)
    if answer is None:
        return Verdict(name, "not answered", f"{path.name} has no function of this name")
    if name in (left := unanswered(path)):
        return Verdict(name, "not answered", left[name])
    try:
        torch.manual_seed(0)
        check(answer)
    except Wrong as error:
        return Verdict(name, "wrong", str(error))
    except RecursionError:
        return Verdict(name, "wrong", "it calls itself without end")
    except (Exception, SystemExit) as error:
        return Verdict(name, "wrong", f"it raised {type(error).__name__}: {error}{_line(error, path, ' (', ')')}")
    return Verdict(name, "right")


def _line(error: BaseException, path: Path, before: str = ", ", after: str = "") -> str:
    """`line N` of the reader's file, where the error came from; empty if from elsewhere."""
    trace, number = error.__traceback__, None
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path:
            number = trace.tb_lineno
        trace = trace.tb_next
    return f"{before}line {number}{after}" if number else ""
