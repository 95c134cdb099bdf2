"""The command line every package shares: `list`, `train`, `check`, and whatever commands a package adds.

Parses before it imports torch, so that help and typing errors answer at once. A mistake of the user's is one
paragraph and exit code 2; a failure that is not the user's is exit code 1; a signal is 128 + its number.
"""

import codecs
import dataclasses
import importlib
import io
import math
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args, get_type_hints

import tyro

from torchworks.shared.config import Config, LoaderConfig, UserError, find_recipe, nearest, recipes

RESUMABLE = "trainer"  # the only group of settings that may change when a run is continued


@dataclass(frozen=True)
class Command:
    """A command of a package. `arguments` is a dataclass that tyro parses; `call` is "module:function", imported
    only when the command runs and called with the parsed dataclass."""

    arguments: type
    call: str

    @property
    def summary(self) -> str:
        """The first sentence of the arguments' docstring; of a long one what stands before a colon or semicolon."""
        paragraph = " ".join((self.arguments.__doc__ or "").strip().split("\n\n")[0].split())
        sentence = re.split(r"(?<=[.!?]) ", paragraph)[0]
        return sentence if len(sentence) <= 110 else re.split("[:;] ", sentence)[0].rstrip(".") + "."


@dataclass(frozen=True)
class Check:
    """Validate a data set and, with --picture, preview nine of its samples."""

    data: tyro.conf.Positional[str]
    picture: Annotated[
        Path | None,
        tyro.conf.arg(
            metavar="FILE",
            help="Draw nine samples, with their labels, into this image file.",
            help_behavior_hint="(default: none is drawn)",
        ),
    ] = None
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help="Replace a file of that name.")] = False
    loader: LoaderConfig = field(default_factory=LoaderConfig)


def check_command(loader: type[LoaderConfig], known: str = Config.known_data) -> Command:
    """The command `check` of a package whose data, such as the `known` ones, are opened with `loader`."""
    data = tyro.conf.arg(metavar="DATA", help=f"Data to check, such as {known}.", help_behavior_hint="")
    arguments = dataclasses.make_dataclass(
        "Check",
        [
            ("data", tyro.conf.Positional[Annotated[str, data]]),
            ("loader", loader, field(default_factory=loader)),
        ],
        bases=(Check,),
        frozen=True,
    )
    arguments.__doc__ = Check.__doc__
    return Command(arguments, "torchworks.shared.data:run_check")


def main(package: str, default: str | None, commands: dict[str, Command], arguments: list[str] | None = None) -> int:
    """Run one command of `package` and return the exit code. `default` is the recipe that `train` takes; a package
    without recipes has none, and has no commands but its own."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _print_in_any_encoding()
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not debug:
        warnings.formatwarning = _without_place  # ty: ignore[invalid-assignment]
    try:
        if default is not None:
            # only `check` itself loads the recipes to learn what it takes
            preset = find_recipe(package, default)() if words[:1] == ["check"] else Config()
            commands = {"check": check_command(type(preset.loader), preset.known_data), **commands}
        return _dispatch(package, default, commands, words)
    except SystemExit as exit:
        return exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    except BaseException as error:
        if debug:
            raise
        return _explain(error)


_PLAIN = {"×": "x", "…": "...", "–": "-", "—": "-", "·": "*", "±": "+/-", "→": "->", "≤": "<=", "≥": ">=", "²": "2"}
"""Signs that an output in a code page may lack, in ASCII."""


def _print_in_any_encoding() -> None:
    """Let text be printed whatever the encoding of the output: signs that it lacks become similar or escaped ones, as
    do the bytes of file names that are no text. Otherwise a name or a × would end a command."""
    codecs.register_error("torchworks.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="torchworks.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs), error.end


def _without_place(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning of a library as its text alone: the user can do nothing with the file and the line."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(message))  # colors, which a file or a pipe would show as signs
    return f"warning: {' '.join(plain.split())}\n"


def program(package: str, *, default: str | None, commands: dict[str, Command]) -> Callable[[], NoReturn]:
    """The program `package`, for its `__main__`: it runs the command that the arguments name and exits with its code.

    main = program("gans", default="cgan", commands=COMMANDS)
    """

    def run() -> NoReturn:
        sys.exit(main(package, default, commands))

    return run


def _dispatch(package: str, default: str | None, commands: dict[str, Command], words: list[str]) -> int:
    name, rest = (words[0], words[1:]) if words else ("--help", [])
    if name in ("-h", "--help", "help"):
        print(_overview(package, default, commands))
    elif name == "list" and default is not None:
        if rest[:1] not in ([], ["--help"], ["-h"]):
            raise UserError(f"`{package} list` shows all recipes and takes nothing after it; '{rest[0]}' was given.")
        print(_recipes(package, default))
    elif name == "train" and default is not None:
        _train(package, default, rest)
    elif name in commands:
        command = commands[name]
        _check_no_path_is_empty(command.arguments, rest)
        parsed = tyro.cli(command.arguments, args=rest, prog=f"{package} {name}")
        return _load(command.call)(parsed) or 0
    else:
        known = [*commands] if default is None else ["list", "train", *commands]
        raise UserError(f"{package} has no command '{name}'.{nearest(name, known)} Commands: {', '.join(known)}.")
    return 0


def _check_no_path_is_empty(arguments: type, words: list[str]) -> None:
    """Raise `UserError` for a path of no characters, such as that of a variable of the shell that is not set: it would
    be read as the current folder."""
    hints = get_type_hints(arguments)
    paths = [f"--{name.replace('_', '-')}" for name, hint in hints.items() if _is_path(hint)]
    _check_given(paths, words, run="run" in hints)


def _check_given(paths: list[str], words: list[str], *, run: bool = False) -> None:
    given = [before for before, word in pairwise(words) if not word and before in paths]
    given += [path for path in paths if f"{path}=" in words]
    if run and words[:1] == [""]:
        given.append("RUN")
    if given:
        raise UserError(f"{given[0]} is empty: a path was meant. Was a variable of the shell not set?")


def _is_path(hint: Any) -> bool:
    return hint is Path or Path in get_args(hint)


def _load(call: str) -> Callable[[Any], int | None]:
    module, function = call.split(":")
    return getattr(importlib.import_module(module), function)


def _overview(package: str, default: str | None, commands: dict[str, Command]) -> str:
    training = {
        "list": "The recipes, with what each was measured to reach.",
        f"train [RECIPE={default}]": "Train a recipe, or continue a run with --resume RUN.",
    }
    rows = ({} if default is None else training) | {name: command.summary for name, command in commands.items()}
    width = max(map(len, rows)) + 2
    body = "\n".join(f"  {name:<{width}}{text}" for name, text in rows.items())
    usage = f"usage: {package} COMMAND [options]\n\n{body}\n\n"
    if default is None:
        return f"{usage}`{package} COMMAND --help` explains a command; --debug shows tracebacks."
    return (
        f"{usage}recipes: {', '.join(recipes(package))}\n"
        f"`{package} COMMAND --help` explains a command, `{package} train RECIPE --help` a recipe's options; "
        "--debug shows tracebacks."
    )


def _recipes(package: str, default: str) -> str:
    parts = []
    for name, recipe in recipes(package).items():
        mark = " (default)" if name == default else ""
        text = textwrap.dedent("    " + (recipe.__doc__ or "")).strip()
        parts.append(f"{name}{mark}\n{textwrap.indent(text, '    ')}")
    return "\n\n".join(parts)


def _train(package: str, default: str, words: list[str]) -> None:
    name, words = (words[0], words[1:]) if words and not words[0].startswith("-") else (None, words)
    _check_given(["--out", "--resume"], words)
    resume = _resumed(words)
    preset = find_recipe(package, name or default)() if resume is None else _config_of(resume, package, name)
    parsed: Any = tyro.cli(_arguments(preset, package), args=words, prog=f"{package} train {preset.recipe}")
    config: Config = parsed.config
    if resume is not None:
        _check_resume(preset, config, resume)

    if os.environ.get("RANK", "0") == "0":  # importing PyTorch takes seconds
        print(f"{config.recipe} on {config.data}: starting PyTorch", flush=True)
    from torchworks.shared.training.experiment import train

    result = train(config, out=parsed.out, resume=resume)
    _print_result(result)


def _arguments(preset: Config, package: str) -> type:
    """The command line of `train` for this recipe, as a dataclass that tyro can parse."""
    arguments = dataclasses.make_dataclass(
        "Train",
        [
            ("config", Annotated[type(preset), tyro.conf.arg(name="")], field(default=preset)),  # ty: ignore[invalid-type-form]
            (
                "out",
                Annotated[Path | None, tyro.conf.arg(metavar="DIR", help="Run directory to make.")],
                field(default=None),
            ),
            (
                "resume",
                Annotated[Path | None, tyro.conf.arg(metavar="RUN", help="Run directory to continue.")],
                field(default=None),
            ),
        ],
        frozen=True,
    )
    arguments.__doc__ = find_recipe(package, preset.recipe).__doc__
    return arguments


def _resumed(words: list[str]) -> Path | None:
    for place, word in enumerate(words):
        if word.startswith("--resume="):
            return Path(word.partition("=")[2])
        if word == "--resume":
            if place + 1 == len(words):
                raise UserError("--resume needs the directory of the run to continue.")
            return Path(words[place + 1])
    return None


def _config_of(folder: Path, package: str, recipe: str | None) -> Config:
    """The configuration of the run to continue, if it may be continued under this package and recipe."""
    from torchworks.shared.runs.files import load_config

    if not folder.is_dir():
        raise UserError(
            f"There is no run directory {folder}. Pass --resume the path printed on the last line of `train`."
        )
    config = load_config(folder)
    if config.package != package:
        raise UserError(f"{folder} is a run of the package {config.package}; continue it with that.")
    if recipe not in (None, config.recipe):
        raise UserError(
            f"{folder} is a run of the recipe '{config.recipe}', not '{recipe}'. Leave the recipe out to continue it, "
            "or leave --resume out to start a new run."
        )
    return config


def _check_resume(before: Config, after: Config, folder: Path) -> None:
    from torchworks.shared.runs.files import is_finished

    for item in dataclasses.fields(before):
        if item.name != RESUMABLE and getattr(before, item.name) != getattr(after, item.name):
            raise UserError(
                f"The run {folder} was made with another '{item.name}', and a run continues with its own "
                f"configuration; only --{RESUMABLE}.* may change. Start a new run for the change."
            )
    for name in ("batch_size", "ema"):
        made = getattr(before.trainer, name)
        if made != getattr(after.trainer, name):
            option = f"--trainer.{name.replace('_', '-')}"
            raise UserError(f"The run {folder} was made with {option} {made}, and that cannot change.")
    if is_finished(folder, before.trainer.steps) and after.trainer.steps <= before.trainer.steps:
        raise UserError(
            f"The run {folder} is finished, at {before.trainer.steps} steps. To train it longer, add "
            f"`--trainer.steps N` with N above {before.trainer.steps}; to start over, leave --resume out."
        )


def _print_result(result: dict[str, Any]) -> None:
    """A table of the result's numbers; the last text that the task has shown, if it shows texts; the run directory is
    the last line."""
    if "run" in result:
        print("scores on the test part, and how the model was trained:")
    numbers = {name: value for name, value in result.items() if isinstance(value, (int, float))}
    width = max(map(len, numbers), default=0) + 2
    for name, value in numbers.items():
        print(f"{name:<{width}}{_shown(value)}")
    if "run" in result:
        if texts := sorted(result["run"].glob("samples/*.txt")):
            print(f"\n{texts[-1].read_text(encoding='utf-8').rstrip()}\n")
        print(result["run"])


def _shown(value: float) -> str:
    if isinstance(value, int) or (value > 1 and value.is_integer()):  # a number of images is a number, 1.0 a score
        return str(int(value))
    return f"{value:.4f}" if math.isfinite(value) else "–"


def _explain(error: BaseException) -> int:
    """Print what went wrong as one paragraph and return the exit code."""
    if isinstance(error, UserError):
        return _say(str(error), 2)
    if isinstance(error, KeyboardInterrupt):
        return _say("Stopped.", 130)
    if isinstance(error, BrokenPipeError):  # whoever reads our output has read enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (else Python complains at exit)
        return 0
    if isinstance(error, UnicodeDecodeError):
        return _say(
            f"A text file is not in UTF-8: byte {error.start} of it is {error.object[error.start]:#04x}. Save it as "
            "UTF-8; --debug shows where it is read.",
            2,
        )
    if isinstance(error, FileNotFoundError) and error.filename:
        return _say(
            f"There is no file {error.filename} any more, or none yet. Put it back if it is to be read; if it is to be "
            "written, choose another place, for nothing can be written there.",
            2,
        )
    if isinstance(error, OSError):
        return _say(f"{error}. Nothing else was changed; make room or permission there and try again.", 1)
    if "torchworks.shared.training.guard" in sys.modules:
        guard = sys.modules["torchworks.shared.training.guard"]
        if isinstance(error, guard.Interrupted):
            return _say(str(error), 128 + error.signum)
        if isinstance(error, guard.TrainingFailed):
            return _say(str(error), 1)
        if guard.is_out_of_memory(error):
            return _say(
                "The device has not enough memory even for the smallest micro-batch. Use a smaller model or image "
                "size, or a smaller --trainer.batch-size.",
                1,
            )
    return _say(
        f"Something failed that should not: {type(error).__name__}: {error}. Add --debug to see where; "
        "a report with that output is welcome.",
        1,
    )


def _say(text: str, code: int) -> int:
    print(textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False), file=sys.stderr)
    return code
