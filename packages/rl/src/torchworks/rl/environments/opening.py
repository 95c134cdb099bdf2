"""Environments by their id, and what of them an agent of this package can handle."""

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field, replace

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.wrappers import FrameStackObservation

from torchworks.rl.environments import games as games  # registers them
from torchworks.rl.environments import hidden  # noqa: F401 (registers its environments)
from torchworks.rl.environments.atari import is_atari, make_atari
from torchworks.rl.environments.calling import close, failed, place
from torchworks.rl.environments.frames import Frames
from torchworks.rl.environments.state import layers
from torchworks.rl.models.nature_cnn import LEAST
from torchworks.shared.config import UserError, nearest
from torchworks.shared.data import Source
from torchworks.shared.data.dataset import TensorDataset
from torchworks.shared.data.schema import Field, Schema
from torchworks.shared.numbers.seeds import mix

TRAINING, SELECTION, TEST = 1_000_000, 20, 100
"""Seeds of episodes: any of the first for training; numbers of episodes by which states are chosen and judged."""
PIXEL_SELECTION, PIXEL_TEST = 4, 20
"""The same numbers where observations are images, which take long to play."""
MOST_SYMBOLS = 10_000
"""Symbols, or numbered actions, that nets have inputs and outputs for."""

ATARI_LICENSE = "Arcade Learning Environment: GPL-2.0-only; its games belong to their owners"


@dataclass(frozen=True)
class Kind:
    """What observations and actions are. An observation is a vector of `observations` numbers, one of `symbols`
    symbols, or a `grid` (C, H, W) of numbers. An action is one of `actions` numbered from `first`, or a vector of as
    many numbers in [low, high]."""

    id: str
    observations: int
    symbols: int
    actions: int
    continuous: bool
    first: int
    low: tuple[float, ...]
    high: tuple[float, ...]
    limit: int | None
    """Steps after which an episode is cut off; None: never."""
    grid: tuple[int, ...] = field(default=(), repr=False)
    """Planes, rows and columns, if observations are grids; `observations` is then their product."""
    most: int = field(default=0, repr=False)
    """The largest number in grids of whole numbers from 0 to at most 255; 0 if other numbers may occur."""
    double: bool = field(default=False, repr=False)
    """Whether numbers of actions are float64, as their limits then are too."""

    stack: bool = field(default=False, repr=False)
    """Whether a grid is a stack of frames, most of which were in the observation before."""

    @property
    def is_pixels(self) -> bool:
        """Whether observations are large enough to be images."""
        return bool(self.grid) and min(self.grid[1:]) >= LEAST

    @property
    def width(self) -> int:
        """Numbers of an observation as nets see it."""
        return self.symbols or self.observations

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an observation as nets see it: (D,) or (C, H, W)."""
        return self.grid or (self.width,)

    @property
    def names(self) -> tuple[str, ...]:
        """What the actions are called, if they are numbered."""
        return () if self.continuous else tuple(str(self.first + i) for i in range(self.actions))


def make(name: str) -> gymnasium.Env:
    """The environment of the id `name`; the MODULE of MODULE:ID may lie in the present folder. Raises `UserError` if
    there is none, or if it cannot be made."""
    if ":" in name and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return make_atari(name) if is_atari(name) else gymnasium.make(name, disable_env_checker=True)
    except (gymnasium.error.NameNotFound, gymnasium.error.NamespaceNotFound) as error:
        known = [spec for spec in gymnasium.registry if not spec.startswith(("phys2d", "tabular", "GymV"))]
        raise UserError(
            f"There is no environment '{name}'.{nearest(name, known)} Name one of Gymnasium, such as CartPole-v1, or "
            "MODULE:ID for one that importing MODULE registers."
        ) from error
    except gymnasium.error.VersionNotFound as error:
        raise UserError(f"'{name}' is no version that there is. Gymnasium says: {error}") from error
    except gymnasium.error.DeprecatedEnv as error:
        raise UserError(f"'{name}' is an old version. Gymnasium says: {error}") from error
    except ModuleNotFoundError as error:
        module = name.partition(":")[0].partition(".")[0]
        if ":" not in name or f"No module named '{module}'" not in str(error):
            raise UserError(f"'{name}' cannot be made: {error}") from error
        raise UserError(
            f"There is no module '{module}' to import for '{name}'. Start the command in the folder that {module}.py "
            "lies in, or install it."
        ) from error
    except (gymnasium.error.Error, ImportError) as error:
        raise UserError(f"'{name}' cannot be made: {error}") from error
    except SyntaxError as error:
        raise UserError(f"'{name}' cannot be made: {type(error).__name__}: {error}") from error
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # whatever a module or a constructor does
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"'{name}' cannot be made{place(error)}: {text}. --debug shows where it comes from.") from error


def kind_of(name: str) -> Kind:
    """Raises `UserError` for spaces that no agent here can handle."""
    environment = make(name)
    limit = environment.spec.max_episode_steps if environment.spec is not None else None
    try:
        seen, done = environment.observation_space, environment.action_space
    except AttributeError as error:
        raise failed(name, "__init__", error) from error
    stack = any(isinstance(layer, Frames | FrameStackObservation) for layer in layers(environment))
    close(environment, name)
    kind = _kind(name, seen, done, limit)
    return replace(kind, stack=stack and bool(kind.grid))


def _kind(name: str, seen: spaces.Space, done: spaces.Space, limit: int | None) -> Kind:
    grid, most = (), 0
    if isinstance(seen, spaces.Box) and len(seen.shape) == 1:
        observations, symbols = int(seen.shape[0]), 0
    elif isinstance(seen, spaces.Box) and len(seen.shape) == 3:
        observations, symbols, grid, most = int(np.prod(seen.shape)), 0, tuple(map(int, seen.shape)), _most(seen)
        if grid[2] <= 4 < grid[0]:
            raise UserError(
                f"Observations of {name} have the shape {grid}, which looks like an image with its channels last. "
                "Grids are (channels, rows, columns) here; wrap the environment by "
                "gymnasium.wrappers.TransformObservation, and register it under an id of its own."
            )
    elif isinstance(seen, spaces.Discrete) and seen.start == 0:
        observations, symbols = 1, int(seen.n)
    else:
        raise UserError(
            f"Observations of {name} are {seen}. Agents here see vectors of numbers, grids (channels, rows, columns) "
            "or one symbol of several; wrap the environment, for example by gymnasium.wrappers.FlattenObservation, and "
            "register it under an id of its own."
        )
    if max(symbols, int(done.n) if isinstance(done, spaces.Discrete) else 0) > MOST_SYMBOLS:
        raise UserError(
            f"{name} has {seen} as observations and {done} as actions, and nets have an input or output for each "
            f"symbol: at most {MOST_SYMBOLS:,}. Show numbers instead, by an environment of your own around it."
        )
    if not symbols and not observations:
        raise UserError(f"Observations of {name} are {seen}: there is nothing to see. Give it at least one number.")
    if isinstance(done, spaces.Discrete):
        return Kind(name, observations, symbols, int(done.n), False, int(done.start), (), (), limit, grid, most)
    if isinstance(done, spaces.Box) and len(done.shape) == 1 and done.is_bounded():
        _check_range(name, done)
        low, high, double = tuple(map(float, done.low)), tuple(map(float, done.high)), done.dtype == np.float64
        return Kind(name, observations, symbols, len(low), True, 0, low, high, limit, grid, most, double)
    raise UserError(
        f"Actions of {name} are {done}. Agents here choose one of several actions or a vector of bounded numbers."
    )


def _check_range(name: str, done: spaces.Box) -> None:
    """Raise `UserError` unless each number of an action has a range of fractions to choose from."""
    with np.errstate(over="ignore"):
        span = done.high.astype(np.float32) - done.low.astype(np.float32)
    if done.dtype is None or done.dtype.kind != "f":
        problem = "whole numbers, and agents here choose fractions. Number them as a Discrete space"
    elif not len(span) or not (span > 0).all():
        problem = "without a range to choose from in each number. Leave out those whose limits are the same"
    elif not np.isfinite(span).all():
        problem = "hardly bounded, and agents explore the whole range. Give it the limits that it needs"
    else:
        return
    raise UserError(f"Actions of {name} are {done}: {problem}, by a wrapper registered under an id of its own.")


def _most(seen: spaces.Box) -> int:
    """The largest number of a grid whose numbers are whole and fit into a byte; 0 for others."""
    whole = seen.dtype is not None and seen.dtype.kind in "bui"
    low, high = int(seen.low.min()) if whole else -1, int(seen.high.max()) if whole else 0
    return max(1, high) if low >= 0 and high <= 255 else 0


def seeds_to_judge_by(kind: Kind | None = None) -> list[int]:
    """With which the episodes begin that judge an agent at the end, in an environment of `kind`."""
    return list(range(2 * TRAINING, 2 * TRAINING + (PIXEL_TEST if kind is not None and kind.is_pixels else TEST)))


def source_of(kind: Kind, notes: tuple[str, ...] = ()) -> Source:
    """The episodes of an environment as data: the seeds that they begin with. Test episodes have seeds that neither
    training nor the choice of the best state has."""
    train = torch.arange(PIXEL_SELECTION if kind.is_pixels else SELECTION, dtype=torch.int64) + TRAINING
    test = torch.tensor(seeds_to_judge_by(kind))
    schema = Schema((Field("seed", "id", (), size=3 * TRAINING),))
    about = {"kind": repr(kind), "gymnasium": gymnasium.__version__}
    if kind.grid:
        about["grid"] = repr((kind.grid, kind.most))
    told = json.dumps(about, sort_keys=True)
    endless = (
        f"{kind.id} has no limit of steps: evaluations may take long, if an agent does not reach an end. Register it "
        "with max_episode_steps."
    )
    return Source(
        name=kind.id,
        licence=ATARI_LICENSE if is_atari(kind.id) else "Gymnasium's environments: MIT",
        train=TensorDataset({"seed": train}, schema),
        test=TensorDataset({"seed": test}, schema),
        schema=schema,
        fingerprint=hashlib.sha256(told.encode()).hexdigest(),
        notes=(*((endless,) if kind.limit is None and kind.id not in games.GAMES else ()), *notes),
    )


def training_seed(seed: int, number: int) -> int:
    """With which environment `number` of a training with `seed` begins; none of the others' seeds."""
    return mix(seed, "environment", number) % TRAINING


def as_taken(kind: Kind, actions: np.ndarray) -> list[int] | list[np.ndarray]:
    """Actions int64 (N,) or float (N, A) as environments take them: their numbers, or numbers within the limits."""
    if kind.continuous:
        return list(np.clip(actions, kind.low, kind.high).astype(np.float64 if kind.double else np.float32))
    return (actions + kind.first).tolist()


def as_numbers(kind: Kind, observations: list) -> np.ndarray:
    """What nets see, float32 (N, D) or (N, C, H, W): vectors and grids, or symbols as one-hot rows. Raises `UserError`
    for observations that are not what their space says."""
    try:
        given = np.asarray(observations) if kind.symbols or kind.most else np.asarray(observations, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise _odd(kind, f"are no numbers, or not equally many: {error}") from error
    if kind.symbols:
        return _one_hot(kind, given)
    if (given.shape[1:] != kind.shape and kind.shape != (1,)) or given.size != len(observations) * kind.observations:
        raise _odd(kind, f"have the shape {given.shape[1:]} instead of {kind.shape}")
    if not kind.most:
        if not np.isfinite(given).all():
            raise _odd(kind, "hold numbers that are not finite (NaN or infinite)")
    elif given.dtype != np.uint8 and not _within(given, 256):
        raise _odd(kind, "hold other numbers than whole ones from 0 to 255")
    return given.astype(np.float32, copy=False).reshape(len(observations), *kind.shape)


def _one_hot(kind: Kind, given: np.ndarray) -> np.ndarray:
    if given.size != len(given) or not _within(given, kind.symbols):
        raise _odd(kind, f"are other than whole numbers from 0 to {kind.symbols - 1}: {given.flat[0]!r}")
    found = np.zeros((len(given), kind.symbols), np.float32)
    found[np.arange(len(given)), given.reshape(-1).astype(np.int64)] = 1
    return found


def _within(given: np.ndarray, end: int) -> bool:
    """Whether all are whole numbers from 0 to below `end`."""
    if given.dtype.kind not in "biuf":
        return False
    inside = (given >= 0) & (given < end)
    return bool((inside & (given == np.floor(given)) if given.dtype.kind == "f" else inside).all())


def _odd(kind: Kind, problem: str) -> UserError:
    return UserError(f"Observations of {kind.id} {problem}. `rl check {kind.id}` compares them with its space.")
