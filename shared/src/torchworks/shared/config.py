"""Configuration: frozen dataclasses, saved as JSON and read back strictly. Imports no torch, so that `--help` is
quick.

A recipe is a function without arguments that returns a `Config`; packages announce theirs as entry points in
the group `torchworks.recipes.<package>` (with _ for -), so a stranger's package can add one too.
"""

import dataclasses
import difflib
import functools
import math
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro


class UserError(Exception):
    """A mistake of the user's: one paragraph that says what is wrong, why, and what to do. Exit code 2."""


@dataclass(frozen=True)
class Limit:
    """The values that a field may have: at least `low` (or above it), at most `high` (or below it), and finite. The
    sentence `text` stands in the error and, through `limited`, in `--help`."""

    low: float
    high: float = math.inf
    above: bool = False
    """`low` itself is not allowed."""
    below: bool = True
    """`high` itself is not allowed."""

    @property
    def text(self) -> str:
        if self.high == math.inf:
            return f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        if not (self.above or self.below):
            return f"from {self.low:g} to {self.high:g}"
        least = f"{'above' if self.above else 'at least'} {self.low:g}"
        return f"{least} and {'below' if self.below else 'at most'} {self.high:g}"

    def allows(self, value: Any) -> bool:
        """Whether `value`, or each of its items, is within; None always is."""
        if value is None:
            return True
        if isinstance(value, (tuple, list)):
            return all(map(self.allows, value))
        least = value > self.low if self.above else value >= self.low
        most = value < self.high if self.below or self.high == math.inf else value <= self.high
        return least and most  # false for NaN


def limited(low: float, high: float = math.inf, **options: bool) -> tuple[Limit, Any]:
    """The metadata of a limited field: `Annotated[float, *limited(0, 1)]`."""
    limit = Limit(low, high, **options)
    return limit, tyro.conf.arg(help_behavior_hint=lambda default: f"({limit.text}; default: {default})")


Share = Annotated[float, *limited(0, 1)]
Amount = Annotated[float, *limited(0)]
Positive = Annotated[float, *limited(0, above=True)]
Count = Annotated[int, *limited(1)]
CountOrZero = Annotated[int, *limited(0)]


class Limited:
    """A configuration that checks the limits of its fields when it is made. `group` is what the command line writes
    before its options, such as loader."""

    group: ClassVar[str] = ""
    renamed: ClassVar[dict[str, str]] = {}
    """Fields that earlier versions wrote under another name: old → new."""
    renamed_values: ClassVar[dict[str, dict[str, str]]] = {}
    """Values that earlier versions wrote under another name: field → old → new."""

    def __post_init__(self) -> None:
        for name, limit in _limits(type(self)).items():
            if not limit.allows(value := getattr(self, name)):
                finite = " and finite" if value in (math.inf, -math.inf) else ""
                raise UserError(f"{self._option(name)} must be {limit.text}{finite}, but it is {value}.")
        for name, limit in _element_limits(type(self)).items():
            values = getattr(self, name)
            if not values or not all(map(limit.allows, values)):
                given = " ".join(map(str, values)) or "nothing"
                raise UserError(
                    f"{self._option(name)} must be one number or several, each {limit.text}, but it is {given}."
                )

    def _option(self, name: str) -> str:
        """A field as the command line calls it."""
        return f"--{f'{self.group}.{name}' if self.group else name}".replace("_", "-")


@functools.cache
def _limits(cls: type) -> dict[str, Limit]:
    """The limited fields of a configuration."""
    return {name: limit for name, hint in _hints(cls).items() for limit in _limits_in(hint)}


@functools.cache
def _element_limits(cls: type) -> dict[str, Limit]:
    """The fields that hold any number of values, each limited: `tuple[Count, ...]`."""
    found = ((name, typing.get_args(hint)) for name, hint in _hints(cls).items() if typing.get_origin(hint) is tuple)
    return {name: limit for name, (element, *rest) in found if rest == [...] for limit in _limits_in(element)}


def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


def _limits_in(hint: Any) -> list[Limit]:
    return [mark for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, Limit)]


def _also(flag: str) -> Any:
    """A field that the command line also knows without its group, as `--flag`."""
    return tyro.conf.arg(aliases=[f"--{flag}"])


@dataclass(frozen=True)
class LoaderConfig(Limited):
    """How the data get to the device."""

    group: ClassVar[str] = "loader"

    kind: Literal["auto", "resident", "stream"] = "auto"
    """Whole set on the device, or workers that decode as training goes; auto decides by size."""
    workers: int = 0
    """Decoding processes of the streaming loader."""
    skip_bad: Annotated[bool, _also("skip-bad")] = False
    """Leave out unreadable files, and images with a label that is refused, instead of stopping at them."""
    test_fraction: float = 0.2
    """Share held back for testing when the data bring no test part."""
    download: Annotated[bool, _also("download")] = False
    """Allow fetching a public data set from the network."""
    root: Path = Path("~/.cache/torchworks/data")
    """Where downloaded sets are kept."""


@dataclass(frozen=True)
class ImageConfig(LoaderConfig):
    """How the data get to the device."""

    # for a `Config` whose recipes read images: `loader: ImageConfig = field(default_factory=ImageConfig)`

    image_size: int = 32
    """Height and width in pixels that images are resized to."""
    channels: int | None = None
    """1 for grey, 3 for color; taken from the data when not given."""
    multi_label: Annotated[bool, _also("multi-label")] = False
    """Labels of a CSV table are sets of names separated by |, and may be empty."""

    @classmethod
    def of(cls, config: LoaderConfig, source: str) -> "ImageConfig":
        """`config`, for the source of images `source`. Raises `UserError` if it does not say how large images are to
        be, because the recipe reads none."""
        if isinstance(config, ImageConfig):
            return config
        raise UserError(
            f"'{source}' has images, but this recipe does not read images. Name data that it can learn from with "
            "--data, or choose a recipe that reads images."
        )


@dataclass(frozen=True)
class TextConfig(LoaderConfig):
    """How the data get to the device."""

    # for a `Config` whose recipes read texts: `csv:PATH` is then a table of texts, not of images


@dataclass(frozen=True)
class OptimConfig(Limited):
    """Step size over time. The factor multiplies the learning rates the recipe set."""

    group: ClassVar[str] = "optim"

    lr: Positive = 2e-4
    """Peak learning rate."""
    schedule: Literal["constant", "cosine", "linear", "step", "one-cycle", "plateau"] = "constant"
    """Shape after warm-up."""
    warmup: CountOrZero = 0
    """Steps of linear warm-up."""
    final: Annotated[float, *limited(0, 1, below=False)] = 0.0
    """Factor at the last step of cosine and linear, and the lower bound of plateau."""
    milestones: Annotated[tuple[float, ...], *limited(0, 1, below=False)] = (0.5, 0.75)
    """Where the step schedule drops, as shares of the whole run."""
    gamma: Annotated[float, *limited(0, 1, above=True, below=False)] = 0.1
    """Factor of each drop (step, plateau)."""
    plateau_patience: Count = 3
    """Evaluations without a better watched score before the plateau schedule drops."""


@dataclass(frozen=True)
class TrainerConfig(Limited):
    """The training loop."""

    group: ClassVar[str] = "trainer"

    steps: Annotated[CountOrZero, _also("steps")] = 1000
    """Training steps, of a batch each (of each phase, if there are several)."""
    batch_size: Count = 64
    """Samples per step and process."""
    accumulate: Count = 1
    """Micro-batches that a batch is split into, to save memory; the gradient stays that of the whole batch."""
    device: Annotated[str, _also("device")] = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    precision: Annotated[Literal["auto", "fp32", "bf16", "fp16"], _also("precision")] = "auto"
    """Arithmetic of the nets; auto takes bf16 where the hardware has it."""
    channels_last: Literal["auto", "on", "off"] = "auto"
    """Memory format of convolutional nets."""
    compile: Annotated[bool, _also("compile")] = False
    """Compile the nets; the first steps are then slow."""
    strategy: Annotated[Literal["ddp", "fsdp"], _also("strategy")] = "ddp"
    """How several processes share the work when started by torchrun."""
    clip: Annotated[float | None, *limited(0, above=True)] = None
    """Global gradient norm limit of phases that set none themselves."""
    ema: Share = 0.0
    """Decay of the moving average of the exported nets (0: off); it ramps up from the start."""
    log_every: Count = 20
    """Steps between two log lines."""
    eval_every: CountOrZero = 0
    """Steps between evaluations (0: only at the end)."""
    checkpoint_every: CountOrZero = 0
    """Steps between checkpoints (0: at evaluations and at the end)."""
    patience: CountOrZero = 0
    """Evaluations without a better watched score before training stops (0: never)."""
    max_minutes: Annotated[Amount, _also("max-minutes")] = 0.0
    """Stop cleanly after this many minutes of training (0: no limit)."""
    max_bad_steps: Count = 10
    """Steps in a row with gradients that are not finite before training stops."""
    profile: Annotated[bool, _also("profile")] = False
    """Record steps 10 to 20 as a Chrome trace and print a table by phase."""
    overfit_one_batch: Annotated[bool, _also("overfit-one-batch")] = False
    """Train on the first batch alone, to see whether the loss can fall at all."""
    dry_run: Annotated[bool, _also("dry-run")] = False
    """Check everything, make two steps, evaluate one batch, write nothing."""
    find_lr: Annotated[bool, _also("find-lr")] = False
    """Sweep the learning rate instead of training and suggest one."""
    tensorboard: bool = False
    """Also write TensorBoard events (needs the extra shared[tensorboard])."""


@dataclass(frozen=True)
class Config(Limited):
    """What every recipe has. Packages subclass it, add their own groups of fields, and name their builder."""

    package: ClassVar[str] = "shared"
    build: ClassVar[str] = ""
    """The function "module:name" from (configuration, `Device`) to an `Experiment`; imported when it is called."""
    known_data: ClassVar[str] = "digits, folder:PATH or csv:PATH"
    """Data that the package's recipes learn from, as the help of `check` names them."""
    convolutional: ClassVar[bool] = True
    """Whether its nets convolve: only those gain by bf16 on a CPU and by channels_last."""
    channels_last_on_cpu: ClassVar[bool] = True
    """Whether its convolutional nets gain by channels_last in bf16 on a CPU too, and not on CUDA alone."""

    recipe: tyro.conf.Suppress[str] = ""
    """Name of the recipe (set by the recipe itself)."""
    data: str = "digits"
    """Where the data come from, such as digits, folder:PATH, csv:PATH or torchvision:MNIST."""
    seed: int = 0
    """Everything random follows from it."""
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -(2**63) <= self.seed < 2**63:
            raise UserError(f"--seed must be a whole number of 64 bits, but it is {self.seed}. Any small one will do.")


def recipes(package: str) -> dict[str, Callable[[], Config]]:
    """The recipes of `package` by name, in the order of their names, loaded."""
    return {name: point.load() for name, point in _recipe_points(package).items()}


def _recipe_points(package: str) -> dict[str, EntryPoint]:
    group = f"torchworks.recipes.{package.replace('-', '_')}"  # names of groups may not have hyphens
    return {point.name: point for point in sorted(entry_points(group=group), key=lambda point: point.name)}


def nearest(word: str, known: Iterable[str]) -> str:
    """' Did you mean X?' for a word close to a known one, else ''."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""


def find_recipe(package: str, name: str) -> Callable[[], Config]:
    """The recipe function `name` of `package`; raises `UserError` with the nearest known name."""
    known = _recipe_points(package)
    if name not in known:
        raise UserError(
            f"There is no recipe '{name}' in {package}.{nearest(name, known)} Known recipes: {', '.join(known)}."
        )
    return known[name].load()


def to_dict(config: Any) -> dict[str, Any]:
    """A dataclass as plain data for JSON."""
    return {item.name: _plain(getattr(config, item.name)) for item in dataclasses.fields(config)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def from_dict(cls: Any, values: dict[str, Any], where: str = "configuration") -> Any:
    """The dataclass `cls` from plain data; raises `UserError` for unknown keys and values of the wrong type."""
    if not isinstance(values, dict):
        raise UserError(f"The {where} must be a table of fields, but it is {type(values).__name__}.")
    hints = typing.get_type_hints(cls)
    names = {item.name for item in dataclasses.fields(cls)}
    values = _renewed(cls, values)
    for key in values:
        if key not in names:
            raise UserError(f"The {where} has an unknown field '{key}'.{nearest(key, names)}")
    for item in dataclasses.fields(cls):
        if item.name not in values and item.default is item.default_factory is dataclasses.MISSING:
            raise UserError(f"The {where} lacks the field '{item.name}'.")
    return cls(**{key: _typed(hints[key], value, f"{where}.{key}") for key, value in values.items()})


def _renewed(cls: Any, values: dict[str, Any]) -> dict[str, Any]:
    """`values` under the names that fields and values have now."""
    names, words = getattr(cls, "renamed", {}), getattr(cls, "renamed_values", {})
    renewed = {names.get(key, key): value for key, value in values.items()}
    for key in words.keys() & renewed.keys():
        value, new = renewed[key], words[key]
        renewed[key] = [new.get(x, x) for x in value] if isinstance(value, (list, tuple)) else new.get(value, value)
    return renewed


def _typed(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, where)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _any_of(args, value, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        return _tuple_of(args, value, where)
    if origin is Literal and value in args:
        return value
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    expected = " or ".join(map(repr, args)) if origin is Literal else getattr(hint, "__name__", str(hint))
    raise UserError(f"The field {where} should be {expected}, but it is {value!r}.")


def _any_of(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    """`value` as the first of `hints` that fits it; the error is the first one's."""
    if value is None and type(None) in hints:
        return None
    errors = []
    for hint in hints:
        try:
            return _typed(hint, value, where)
        except UserError as error:
            errors.append(error)
    raise errors[0]


def _tuple_of(hints: tuple[Any, ...], values: list[Any] | tuple[Any, ...], where: str) -> tuple[Any, ...]:
    items = [hints[0]] * len(values) if hints[-1] is Ellipsis else hints
    if len(items) != len(values):
        raise UserError(f"The field {where} should have {len(items)} items, but it has {len(values)}.")
    return tuple(
        _typed(item, value, f"{where}[{i}]") for i, (item, value) in enumerate(zip(items, values, strict=True))
    )
