"""The data source `actions`: a handwritten digit moves over a drifting ground in one of twelve ways.

    actions                          6,000 training films and 1,000 test films
    actions:train=600,test=100

The digit, one of scikit-learn's 1,797, is a dark or bright stencil. The ground is a photograph of brick, grass or
gravel (CC0, in scikit-image) that drifts in a direction of its own. Training has the left halves of the photographs,
testing the right ones, and no digit is in both parts. Film i follows from the seed and i alone.

| action | what the digit does |
|---|---|
| left, right, up, down | moves on |
| clockwise, anticlockwise | turns |
| grow, shrink | changes its size |
| left and back, right and back, up and back, down and back | moves, and returns to where it was |

What is no action is drawn alike for all of them: the digit, its shade, its place, size and angle in the middle of what
it does, the ground, its contrast and its drift. The last four actions end where they began, so the last frame beside
the first tells nothing of them, and are the same when the film runs backwards.

A sample is {"clip": uint8 (T, C, S, S), "label": int64 ()}. Shape letters: N films, T frames, C channels, S pixels
along a frame, D digits, G pixels along a digit's picture.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.data.drawn import DrawnRows
from torchworks.hybrid_multimodal.data.films_config import FilmConfig
from torchworks.hybrid_multimodal.data.films_plots import draw_films
from torchworks.hybrid_multimodal.data.scenes import digit_parts
from torchworks.shared.config import Count, Limited, LoaderConfig, UserError, nearest
from torchworks.shared.data import CheckedOpener, Dataset, Field, Report, Schema, Source, resident
from torchworks.shared.data.findings import graded
from torchworks.shared.data.report import of_source
from torchworks.shared.data.split import fingerprint
from torchworks.shared.numbers.seeds import mix
from torchworks.shared.numbers.stream import SampleRandom

NAME = "actions"
GROUNDS = ("brick", "grass", "gravel")
STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
"""Directions on the screen, x to the right and y down."""
ACTIONS = (*STEPS, "clockwise", "anticlockwise", "grow", "shrink", *(f"{name} and back" for name in STEPS))
PALINDROMES = tuple(name for name in ACTIONS if name.endswith("back"))
"""Actions that are the same backwards."""
FEWEST_FRAMES, SMALLEST = 3, 16
SIDE = 32
"""All lengths below are pixels of a frame this large, and scale with it."""
PLACE, SIZES = 5.0, (11.0, 15.0)
"""How far from the middle the digit is at most along x and y, and how large."""
MOVES, TURNS, GROWS = (6.0, 10.0), (60.0, 110.0), (1.45, 2.0)
"""From the first frame to the last: pixels, degrees, a factor."""
DRIFT = 2.0
"""Pixels from frame to frame by which the ground moves at most, in any direction."""
GLYPH = 20


@dataclass(frozen=True)
class ActionOptions(Limited):
    """What may stand after the colon."""

    group: ClassVar[str] = NAME

    train: Count = 6000
    """Training films."""
    test: Count = 1000
    """Test films."""


@dataclass(frozen=True)
class Circumstances:
    """What N films show besides the action; all of it is drawn alike for each action."""

    digit: Tensor
    """int64 (N,), the number of a handwritten digit."""
    ground: Tensor
    """int64 (N,), the number of a photograph."""
    middle: Tensor
    """float32 (N, 4): x and y from the middle of the frame, the angle in degrees, and the size, when the action is half
    done."""
    extent: Tensor
    """float32 (N,) in [0, 1): how large the movement is in its range."""
    shade: Tensor
    """float32 (N, 3): of the digit in [0, 1], and brightness and contrast of the ground."""
    drift: Tensor
    """float32 (N, 2), pixels from frame to frame."""
    start: Tensor
    """float32 (N, 2) in [0, 1): where on the photograph the film begins."""

    def table(self) -> Tensor:
        """All of it as numbers, (N, 14)."""
        columns = (self.digit, self.ground, self.middle, self.extent, self.shade, self.drift, self.start)
        return torch.cat([each.float().view(len(self.digit), -1) for each in columns], 1)


class Actions(DrawnRows):
    """`count` films of `digits` over one side of the photographs, drawn when asked for. Film i shows the action
    i mod 12."""

    chunk = 250

    def __init__(self, digits: Dataset, part: str, schema: Schema, *, count: int, seed: int):
        super().__init__(schema, count=count, seed=seed)
        self.part = part
        small = resident(digits).tensors["image"].float() / 255
        large = F.interpolate(small, (GLYPH, GLYPH), mode="bicubic", align_corners=False)
        self._ink = ((large - 0.25) / 0.35).clamp(0, 1)  # (D, 1, G, G)

    @property
    def labels(self) -> Tensor:
        """int64 (N,)."""
        return torch.arange(self._count) % len(ACTIONS)

    def circumstances(self, rows: Sequence[int]) -> Circumstances:
        """What these films show besides their action."""
        numbers = SampleRandom(self._seed, 0, torch.tensor(rows))
        middle = torch.cat(
            [
                (numbers.uniform(2) * 2 - 1) * PLACE,
                numbers.uniform(1) * 360,
                SIZES[0] * (SIZES[1] / SIZES[0]) ** numbers.uniform(1),
            ],
            1,
        )
        bright, shade = numbers.uniform(1) < 0.5, numbers.uniform(1) * 0.12
        heading, speed = numbers.uniform(1) * (2 * torch.pi), numbers.uniform(1) * DRIFT
        return Circumstances(
            digit=(numbers.uniform(1)[:, 0] * len(self._ink)).long(),
            ground=(numbers.uniform(1)[:, 0] * len(GROUNDS)).long(),
            middle=middle,
            extent=numbers.uniform(1)[:, 0],
            shade=torch.cat([torch.where(bright, 1 - shade, shade), 0.35 + 0.3 * numbers.uniform(1),
                             0.06 + 0.08 * numbers.uniform(1)], 1),
            drift=torch.cat([heading.cos(), heading.sin()], 1) * speed,
            start=numbers.uniform(2),
        )  # fmt: skip

    def _drawn(self, rows: Sequence[int]) -> dict[str, Tensor]:
        frames, channels, side, _ = self.schema["clip"].shape
        films, label = self.circumstances(rows), torch.tensor(rows) % len(ACTIONS)
        ground = grounds(films, self.part, frames, side)  # (N, T, S, S)
        cover = stencils(self._ink[films.digit], states(films, label, frames), side)
        clip = ground + cover * (films.shade[:, 0, None, None, None] - ground)
        pixels = (clip * 255).round().clamp(0, 255).to(torch.uint8)[:, :, None]
        return {"clip": pixels.expand(-1, -1, channels, -1, -1).contiguous(), "label": label}


# ------------------------------------------------------------------------------------------------------ drawing


def states(films: Circumstances, label: Tensor, frames: int) -> Tensor:
    """x, y, angle and size of the digit in each frame, (N, T, 4)."""
    time = torch.linspace(-0.5, 0.5, frames)
    there_and_back = 0.5 - 2 * time.abs()  # from −1/2 to 1/2 and back
    names = [ACTIONS[i] for i in label.tolist()]
    along = torch.stack([there_and_back if name in PALINDROMES else time for name in names])  # (N, T)
    signs = torch.tensor([_direction(name) for name in names])  # (N, 4)
    move, turn, grow = (low + films.extent * (high - low) for low, high in (MOVES, TURNS, GROWS))
    amount = torch.stack([move, move, turn, grow.log()], 1) * signs
    change = along[..., None] * amount[:, None]
    place_and_angle = films.middle[:, None, :3] + change[..., :3]
    return torch.cat([place_and_angle, films.middle[:, None, 3:] * change[..., 3:].exp()], 2)


def _direction(name: str) -> tuple[float, float, float, float]:
    """By how much an action changes x, y, the angle and the size."""
    x, y = STEPS.get(name.removesuffix(" and back"), (0, 0))
    turn = {"clockwise": 1.0, "anticlockwise": -1.0}.get(name, 0.0)
    return float(x), float(y), turn, {"grow": 1.0, "shrink": -1.0}.get(name, 0.0)


def stencils(ink: Tensor, state: Tensor, side: int) -> Tensor:
    """How much of each pixel digits (N, 1, G, G) cover, (N, T, S, S) in [0, 1]."""
    count, frames = state.shape[:2]
    x, y, angle, size = state.flatten(0, 1).unbind(1)
    cos, sin, scale = angle.deg2rad().cos(), angle.deg2rad().sin(), SIDE / size
    half = SIDE / 2
    matrix = torch.stack(
        [
            torch.stack([cos * scale, sin * scale, -(cos * x + sin * y) / half * scale], 1),
            torch.stack([-sin * scale, cos * scale, -(cos * y - sin * x) / half * scale], 1),
        ],
        1,
    )
    grid = F.affine_grid(matrix, [count * frames, 1, side, side], align_corners=False)
    cover = F.grid_sample(ink.repeat_interleave(frames, 0), grid, padding_mode="zeros", align_corners=False)
    return cover.view(count, frames, side, side)


def grounds(films: Circumstances, part: str, frames: int, side: int) -> Tensor:
    """The drifting grounds of films, (N, T, S, S) around 1/2."""
    pixel = SIDE / side
    along = (torch.arange(side) + 0.5) * pixel
    time = torch.arange(frames) * (7 / max(1, frames - 1))  # the whole drift is that of eight frames
    moved = films.drift[:, None] * time[:, None]  # (N, T, 2)
    found = torch.empty(len(films.digit), frames, side, side)
    for number, name in enumerate(GROUNDS):
        these = (films.ground == number).nonzero()[:, 0]
        photo = photograph(name, part)
        room = torch.tensor([photo.shape[1], photo.shape[0]]) - SIDE - 2 * 7 * DRIFT
        corner = 7 * DRIFT + films.start[these, None] * room + moved[these]  # (n, T, 2)
        x = (corner[..., 0, None] + along) / photo.shape[1] * 2 - 1
        y = (corner[..., 1, None] + along) / photo.shape[0] * 2 - 1
        size = (len(these), frames, side, side)
        grid = torch.stack([x[:, :, None].expand(size), y[..., None].expand(size)], -1)
        piece = F.grid_sample(photo.expand(1, 1, -1, -1), grid.view(1, -1, side, 2), align_corners=False)
        shade = films.shade[these, 1:, None, None, None]
        found[these] = shade[:, 0] + shade[:, 1] * piece.view(size)
    return found


@cache
def photograph(name: str, part: str) -> Tensor:
    """The side of a photograph that belongs to `train` (left) or `test` (right), halved in size, with mean 0 and
    deviation 1, float32 (H, W)."""
    package = importlib.util.find_spec("skimage")  # its file alone: importing the package takes longer than this
    assert package is not None
    assert package.origin is not None
    with Image.open(Path(package.origin).parent / "data" / f"{name}.png") as file:
        grey = file.convert("L")
        half = grey.width // 2
        side = grey.crop((0, 0, half, grey.height) if part == "train" else (half, 0, grey.width, grey.height))
        values = np.asarray(side.resize((side.width // 2, side.height // 2), Image.Resampling.BOX), np.float32)
    return torch.from_numpy((values - values.mean()) / values.std())


# ------------------------------------------------------------------------------------------------------- source


def film_schema(frames: int, channels: int, image_size: int, classes: Sequence[str]) -> Schema:
    """Films of one length with a class each."""
    clip = Field("clip", "clip", (frames, channels, image_size, image_size))
    return Schema((clip, Field("label", "label", (), tuple(classes))))


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    config, options = FilmConfig.of(config, NAME), parse_options(rest)
    if config.frames < FEWEST_FRAMES or config.image_size < SMALLEST:
        raise UserError(
            f"'{NAME}' needs at least {FEWEST_FRAMES} frames of {SMALLEST} pixels, or its actions cannot be told from "
            f"each other, but --loader.frames is {config.frames} and --loader.image-size {config.image_size}."
        )
    schema = film_schema(config.frames, config.channels or 1, config.image_size, ACTIONS)
    digits = digit_parts(config.test_fraction, seed)
    train, test = (
        Actions(own, part, schema, count=getattr(options, part), seed=mix(seed, NAME, part))
        for own, part in zip(digits, ("train", "test"), strict=True)
    )
    mark = fingerprint([seed, config.test_fraction, config.frames, *astuple(options)])
    licence = (
        "CC BY 4.0 (digits: Alpaydin and Kaynak 1998, UCI; through scikit-learn) over CC0 photographs of brick, grass "
        "and gravel (through scikit-image)"
    )
    return Source(NAME, licence, train, test, schema, mark)


def parse_options(rest: str) -> ActionOptions:
    """NAME=NUMBER, separated by commas. Raises `UserError`."""
    values: dict[str, int] = {}
    for word in filter(None, map(str.strip, rest.split(","))):
        name, _, value = word.partition("=")
        if name not in ("train", "test"):
            raise UserError(f"'{NAME}' has no option '{name}'.{nearest(name, ['train', 'test'])} Known: train, test.")
        if not value.isdecimal():
            raise UserError(
                f"The option '{word}' of '{NAME}' should be {name}=NUMBER, such as {NAME}:train=600,test=100."
            )
        values[name] = int(value)
    return ActionOptions(**values)


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    source = _open(spec.partition(":")[2], config, seed)
    return Report(spec, graded(list(of_source(source))), source, draw_films)


open_actions = CheckedOpener(_open, _check)
"""For an entry point in the group `torchworks.sources`."""
