"""What a cartoon face is drawn from: who it is (`Person`), and how the head is held, moves and is lit (`Pose`).

The two are independent. Lengths are in units of half the image, angles in radians. Imports no torch.
"""

import colorsys
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]

SKINS = ((247, 214, 188), (236, 188, 152), (214, 160, 120), (178, 122, 84), (132, 86, 58), (98, 64, 46))
HAIRS = ((38, 30, 30), (92, 58, 34), (150, 84, 40), (214, 172, 92), (168, 60, 32), (176, 176, 180))
EYES = ((64, 104, 160), (70, 120, 70), (96, 60, 34), (44, 36, 32), (112, 124, 132))
STYLES = ("short", "bob", "long", "bun", "curls")


@dataclass(frozen=True)
class Person:
    """What stays the same in all images of a face. Lengths are in units of half the image."""

    skin: Color
    hair: Color
    eye: Color
    lips: Color
    shirt: Color
    style: str
    width: float
    height: float
    jaw: float
    fringe: float
    eye_distance: float
    eye_size: float
    brow: float
    brow_tilt: float
    nose_width: float
    nose_length: float
    mouth_width: float
    mouth_fullness: float
    glasses: bool
    beard: bool
    freckles: bool


@dataclass(frozen=True)
class Pose:
    """How a face is held, moves and is lit. `open` and `smile` are of the mouth, `lids` of the eyes (0: closed)."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    open: float = 0.0
    smile: float = 0.0
    lids: float = 1.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    brows: float = 0.0
    size: float = 1.0
    x: float = 0.0
    y: float = 0.0
    light_x: float = 0.0
    light_y: float = 0.0
    brightness: float = 1.0
    warmth: float = 0.0
    background: float = 0.0
    """Hue, from 0 to 1."""


POSE = tuple(item.name for item in fields(Pose))
HELD, EXPRESSION = POSE[:3], POSE[3:9]
"""How the head is held, and what its face does; the others are of the camera and the light."""


def person(number: int) -> Person:
    """Always the same one for a `number`; others are another."""
    draw = np.random.default_rng([number, 0xFACE])
    skin = SKINS[draw.integers(len(SKINS))]
    hair = HAIRS[draw.integers(len(HAIRS))]
    bare = {
        "width": draw.uniform(0.47, 0.6),
        "height": draw.uniform(0.6, 0.72),
        "jaw": draw.uniform(0.3, 1.0),
        "fringe": draw.uniform(0.3, 0.62),
        "eye_distance": draw.uniform(0.19, 0.26),
        "eye_size": draw.uniform(0.085, 0.125),
        "brow": draw.uniform(0.025, 0.06),
        "brow_tilt": draw.uniform(-0.05, 0.05),
        "nose_width": draw.uniform(0.06, 0.12),
        "nose_length": draw.uniform(0.18, 0.28),
        "mouth_width": draw.uniform(0.15, 0.23),
        "mouth_fullness": draw.uniform(0.03, 0.06),
    }
    lips = mixed(skin, (196, 54, 70), draw.uniform(0.35, 0.75))
    shirt = from_hue(draw.uniform(), 0.55, 0.75)
    style = STYLES[draw.integers(len(STYLES))]
    glasses, beard = bool(draw.uniform() < 0.3), bool(draw.uniform() < 0.25 and style == "short")
    eye, freckles = EYES[draw.integers(len(EYES))], bool(draw.uniform() < 0.3)
    return Person(skin, hair, eye, lips, shirt, style, **bare, glasses=glasses, beard=beard, freckles=freckles)


def random_pose(draw: np.random.Generator) -> Pose:
    """One of the poses that all persons have."""
    blink = draw.uniform() < 0.12
    return Pose(
        yaw=draw.uniform(-0.5, 0.5),
        pitch=draw.uniform(-0.3, 0.3),
        roll=draw.uniform(-0.22, 0.22),
        open=max(0.0, draw.uniform(-0.5, 1.0)),
        smile=draw.uniform(-0.8, 1.0),
        lids=0.0 if blink else draw.uniform(0.45, 1.0),
        gaze_x=draw.uniform(-1, 1),
        gaze_y=draw.uniform(-0.6, 0.6),
        brows=draw.uniform(-1, 1),
        size=draw.uniform(0.93, 1.07),
        x=draw.uniform(-0.05, 0.05),
        y=draw.uniform(-0.05, 0.05),
        light_x=draw.uniform(-0.3, 0.3),
        light_y=draw.uniform(-0.2, 0.1),
        brightness=draw.uniform(0.8, 1.05),
        warmth=draw.uniform(-0.06, 0.06),
        background=draw.uniform(0.0, 1.0),
    )


def vector(pose: Pose) -> NDArray[np.float32]:
    """The numbers of a pose in the order of `POSE`, (17,)."""
    return np.array(astuple(pose), np.float32)


def pose_of(values: NDArray[np.floating]) -> Pose:
    """The pose of numbers in the order of `POSE`."""
    return Pose(*map(float, values))


def mixed(a: Color, b: Color, share: float) -> Color:
    """`a` with a `share` of `b`."""
    red, green, blue = (round((1 - share) * x + share * y) for x, y in zip(a, b, strict=True))
    return red, green, blue


def from_hue(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = (round(255 * x) for x in colorsys.hsv_to_rgb(hue, saturation, value))
    return red, green, blue
