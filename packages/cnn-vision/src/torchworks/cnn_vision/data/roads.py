"""The bundled source `roads`: generated street scenes with exact boxes, a mask of the road, and depth.

What it is: a camera above a flat ground looks along a road. Each pixel's place on the ground follows from the camera
(pinhole, focal length f, height h, horizon at row v0): a row v below the horizon is at the depth Z = f·h / (v − v0),
and a column u at X = (u − u0)·Z / f. Road, markings, pavements and grass are textures on that ground, walls of houses
stand beside it, and cars, pedestrians and signs are drawn upright at their depth, the farthest first. So boxes, masks
and depths are exact. Asphalt, grass and walls are pieces of photographs (other sides of them for testing).

What it is not: a substitute for recorded drives. Nothing bends but the road, there are no shadows of houses, no
weather but haze, and a car is seen from behind or in front only.

    roads | roads:train=500,objects=2-5       any field of `RoadOptions`

Boxes are the tightest around what is seen; an object that is hidden by more than three quarters, or
too small, is `IGNORED`. `mask` has the classes PIXELS; `depth` is in metres, 0 for the sky and beyond 100 m.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from torchworks.cnn_vision.data import bundled
from torchworks.cnn_vision.data.generated import Generated
from torchworks.shared.config import ImageConfig, LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.boxes.check import drawn_source
from torchworks.shared.data.boxes.sample import IGNORED, boxes_around, padded, scene_schema
from torchworks.shared.data.source_options import parse
from torchworks.shared.data.split import fingerprint

THINGS = ("car", "pedestrian", "sign")
PIXELS = ("background", "road", "lane", "pavement", *THINGS)
ROAD, LANE, PAVEMENT = 1, 2, 3
FAR = 100.0
"""Metres beyond which no depth is given."""
LANE_WIDTH = 3.2
_FINE = 2
"""Factor by which images are drawn larger, against jagged edges."""
_POLE = 128
"""Added to an object's number on the map where it has a part that hides others, but is not the object."""
_LEAST_PIXELS = 10
"""Of an object, or it is ignored."""


@dataclass(frozen=True)
class RoadOptions:
    """How many scenes, and how full."""

    objects: tuple[int, int] = (1, 8)
    """Fewest and most objects of a scene."""
    noise: float = 0.02
    """Standard deviation of the noise, of the whole range."""
    train: int = 1500
    """Training scenes."""
    test: int = 300
    """Test scenes."""


def _open_roads(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, with color images; `seed` draws all scenes anew. Raises `UserError` for unknown options and values
    out of range."""
    config = ImageConfig.of(config, "roads")
    options = parse("roads", rest, {"default": RoadOptions()})
    if config.channels == 1:
        raise UserError("The data source 'roads' is in color; leave --loader.channels out.")
    if not 0 <= options.objects[0] <= options.objects[1] <= 64 or options.objects[1] < 1:
        raise UserError("roads: `objects` must have an upper bound from 1 to 64.")
    if min(options.train, options.test) < 1 or not 0 <= options.noise <= 1:
        raise UserError("roads: train and test must be 1 or more, and noise in [0, 1].")
    schema = scene_schema(
        config.image_size, most=options.objects[1], things=THINGS, instance=True, pixels=PIXELS, depth=True
    )
    draw = partial(draw_road, options, config.image_size)
    train, test = (
        Generated(draw, schema, part=part, count=getattr(options, part), seed=seed) for part in ("train", "test")
    )
    mark = fingerprint([seed, *dataclasses.astuple(options)])
    return Source(
        "roads",
        "generated, with photographs of brick, grass and gravel (CC0, through scikit-image)",
        train,
        test,
        schema,
        mark,
    )


open_roads = drawn_source("roads", _open_roads)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera `height` metres above the ground that looks along it; all else in pixels of a square image."""

    size: int
    focal: float
    height: float
    u0: float
    v0: float

    def ground(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each pixel's ray meets the ground, metres to the right and ahead, (S, S); inf above the horizon."""
        v, u = np.mgrid[: self.size, : self.size].astype(np.float32) + 0.5
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead = np.where(v > self.v0, self.focal * self.height / (v - self.v0), np.inf)
            return (u - self.u0) * np.where(np.isfinite(ahead), ahead, 0) / self.focal, ahead

    def pixel(self, right: float, up: float, ahead: float) -> tuple[float, float]:
        """Column and row of a point, `up` metres above the ground."""
        return self.u0 + self.focal * right / ahead, self.v0 + self.focal * (self.height - up) / ahead


@dataclass(frozen=True)
class _Street:
    """A road of `lanes` lanes, whose middle is at `shift + bend`·Z² metres, Z metres ahead."""

    lanes: int
    shift: float
    bend: float

    @property
    def half(self) -> float:
        return self.lanes * LANE_WIDTH / 2

    def middle(self, ahead: np.ndarray | float) -> np.ndarray | float:
        return self.shift + self.bend * np.minimum(ahead, FAR) ** 2


def draw_road(options: RoadOptions, size: int, part: str, rng: np.random.Generator) -> dict[str, Tensor]:
    """One sample of `size` pixels."""
    fine = size * _FINE
    camera = Camera(
        fine, fine * rng.uniform(0.8, 1.1), rng.uniform(1.3, 1.9), fine * rng.uniform(0.4, 0.6),
        fine * rng.uniform(0.36, 0.48),
    )  # fmt: skip
    lanes = int(rng.integers(2, 5))
    street = _Street(lanes, rng.uniform(-0.5, 0.5) * (lanes - 1) * LANE_WIDTH, rng.uniform(-1, 1) * 8e-4)
    image, mask, depth = _surroundings(camera, street, part, rng)
    sheet, ids = Image.fromarray(image.clip(0, 255).astype(np.uint8)), Image.new("L", (fine, fine))
    objects = _objects(camera, street, options, rng)
    for i, item in enumerate(objects):
        item.draw(_Pen(camera, item, sheet, ids, i + 1), rng)
    return _sample(options, np.asarray(sheet), np.asarray(ids), mask, depth, objects, rng)


def _sample(
    options: RoadOptions,
    image: np.ndarray,
    ids: np.ndarray,
    mask: np.ndarray,
    depth: np.ndarray,
    objects: list["_Object"],
    rng: np.random.Generator,
) -> dict[str, Tensor]:
    """The fields of a sample from what was drawn `_FINE` times too large; `ids` has the numbers of the
    objects, and `_POLE` more on poles."""
    size = len(image) // _FINE
    pixels = image.reshape(size, _FINE, size, _FINE, 3).mean((1, 3))
    pixels += rng.standard_normal(pixels.shape) * (255 * options.noise)
    nearest = slice(_FINE // 2, None, _FINE)
    ids, mask, depth = (values[nearest, nearest].copy() for values in (ids, mask, depth))
    depth[ids > 0] = np.array([0, *(item.ahead for item in objects)], np.float32)[ids[ids > 0] % _POLE]
    mask[ids >= _POLE] = 0
    instance = np.where(ids < _POLE, ids, 0)
    labels = [THINGS.index(item.kind) for item in objects]
    for i, item in enumerate(objects):
        seen = instance == i + 1
        mask[seen] = len(PIXELS) - len(THINGS) + labels[i]
        if seen.sum() < max(_LEAST_PIXELS, item.visible * 0.25):
            labels[i] = IGNORED
    boxes = boxes_around(instance, len(objects))
    there = [i for i in range(len(objects)) if boxes[i].any()]  # the others are hidden altogether
    renumbered = np.zeros(len(objects) + 1, np.uint8)
    renumbered[[i + 1 for i in there]] = np.arange(len(there)) + 1
    return {
        "image": torch.from_numpy(pixels.round().clip(0, 255).astype(np.uint8)).permute(2, 0, 1).contiguous(),
        **padded(boxes[there], [labels[i] for i in there], options.objects[1]),
        "instance": torch.from_numpy(renumbered[instance]),
        "mask": torch.from_numpy(mask),
        "depth": torch.from_numpy(depth),
    }


# ------------------------------------------------------------------------------------------------- surroundings


@cache
def _material(name: str, part: str) -> np.ndarray:
    """A grey photograph as factors around 1, float32 (H, W)."""
    grey = bundled.side(bundled.photo(f"{name}.png"), part)[..., 0].astype(np.float32)
    return grey / grey.mean()


def _laid(name: str, part: str, right: np.ndarray, ahead: np.ndarray, per_metre: float) -> np.ndarray:
    """The material at each place (n,), repeated; what is far away blurs to its mean."""
    tile = _material(name, part)
    rows, columns = ((values * per_metre).astype(int) for values in (ahead, right))
    return 1 + (tile[rows % tile.shape[0], columns % tile.shape[1]] - 1) * np.clip(18 / ahead, 0, 1)


def _surroundings(
    camera: Camera, street: _Street, part: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sky, ground and houses: image float32 (S, S, 3), mask uint8 (S, S), depth float32 (S, S)."""
    right, ahead = camera.ground()
    image, mask = _sky(camera, rng), np.zeros(ahead.shape, np.uint8)
    depth = np.where(np.isfinite(ahead), ahead, 0).astype(np.float32)
    below = np.isfinite(ahead)
    image[below], mask[below] = _ground(street, part, right[below], ahead[below], rng)
    for left in (True, False):
        _houses(camera, street, left, part, image, mask, depth, rng)
    haze = 1 - np.exp(-depth / rng.uniform(80, 400))[..., None]
    image += haze * (image[0].mean(0) - image)
    image *= rng.uniform(0.65, 1.15)
    depth[depth > FAR] = 0
    return image, mask, depth


def _sky(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """From a color above to a paler one at the horizon."""
    top = np.array([rng.uniform(70, 190), rng.uniform(120, 200), rng.uniform(170, 240)])
    share = np.linspace(0, 1, camera.size)[:, None, None] ** 0.7
    return np.broadcast_to(top + share * (225 - top), (camera.size, camera.size, 3)).astype(np.float32)


def _ground(
    street: _Street, part: str, right: np.ndarray, ahead: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Colors (n, 3) and classes (n,) of places on the ground."""
    across = right - street.middle(ahead)  # metres from the middle of the road
    off = np.abs(across)
    verge = street.half + rng.uniform(1.5, 3.5)
    grass = _laid("grass", part, right, ahead, 60)[:, None] * np.array(
        [rng.uniform(60, 120), rng.uniform(100, 140), 60]
    )
    stone = _laid("brick", part, right, ahead, 90)[:, None] * rng.uniform(120, 180)
    gravel = 1 + 0.35 * (_laid("gravel", part, right, ahead, 200)[:, None] - 1)
    asphalt = gravel * rng.uniform(60, 110)
    classes = np.select([off < street.half, off < verge], [ROAD, PAVEMENT], 0).astype(np.uint8)
    colors = np.select([classes[:, None] == ROAD, classes[:, None] == PAVEMENT], [asphalt, stone], grass)
    painted = _painted(street, across, ahead, rng.uniform(0, 12))
    colors[painted] = rng.uniform(190, 245) + 0.3 * (asphalt[painted] - 85)
    classes[painted] = LANE
    return colors, classes


def _painted(street: _Street, across: np.ndarray, ahead: np.ndarray, start: float) -> np.ndarray:
    """Where the markings are, bool (n,): whole lines at both edges, dashes of 3 m every 9 m between lanes."""
    line = np.abs(across) - (street.half - 0.3)
    painted = np.abs(line) < 0.08
    for number in range(1, street.lanes):
        between = across - (number * LANE_WIDTH - street.half)
        painted |= (np.abs(between) < 0.07) & ((ahead + start) % 9 < 3)
    return painted


def _houses(
    camera: Camera, street: _Street, left: bool, part: str,
    image: np.ndarray, mask: np.ndarray, depth: np.ndarray, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Walls along one side, one house after the other with gaps, painted over what is there."""
    wall = (street.half + rng.uniform(5, 12)) * (-1 if left else 1)
    v, u = np.mgrid[: camera.size, : camera.size].astype(np.float32) + 0.5
    with np.errstate(divide="ignore"):
        ahead = camera.focal * wall / (u - camera.u0)
    ahead = np.where((ahead > 0) & (ahead < FAR), ahead, FAR)
    up = camera.height - (v - camera.v0) * ahead / camera.focal
    house = (ahead / 12).astype(int)
    heights = rng.uniform(3, 11, 10) * (rng.random(10) < 0.7)
    tints = rng.uniform(100, 200, (10, 1)) + rng.uniform(-30, 30, (10, 3))
    seen = (up > 0) & (up < heights[house]) & (ahead < FAR - 1) & (ahead % 12 < 11)
    bricks = _laid("brick", part, ahead[seen], up[seen] + 1, 60)
    colors = bricks[:, None] * tints[house[seen]]
    window = (up[seen] % 3 > 1.2) & (up[seen] % 3 < 2.4) & (ahead[seen] % 3 > 1) & (ahead[seen] % 3 < 2.2)
    colors[window] *= 0.35
    image[seen], mask[seen], depth[seen] = colors, 0, ahead[seen]


# ------------------------------------------------------------------------------------------------------ objects


@dataclass
class _Object:
    """Something upright, `right` and `ahead` metres away. `visible` is its number of pixels if nothing hides it."""

    kind: str
    right: float
    ahead: float
    draw: Callable[["_Pen", np.random.Generator], None]
    visible: float = 0.0


@dataclass(frozen=True)
class _Pen:
    """Draws in metres from the foot of an object, on the image and on the map of objects."""

    camera: Camera
    item: _Object
    sheet: Image.Image
    ids: Image.Image
    number: int

    def draw(self, shape: str, points: list[tuple[float, float]], color: np.ndarray, *, counts: bool = True) -> None:
        """A "polygon" or "ellipse" (by two corners); it belongs to the object unless `counts` is off."""
        item = self.item
        places = [self.camera.pixel(item.right + x, y, item.ahead) for x, y in points]
        if shape == "ellipse":
            (x1, y1), (x2, y2) = places
            places = [(min(x1, x2), min(y1, y2)), (max(x1, x2), max(y1, y2))]
        fill = tuple(int(value) for value in np.clip(self._hazed(color), 0, 255))
        getattr(ImageDraw.Draw(self.sheet), shape)(places, fill)
        getattr(ImageDraw.Draw(self.ids), shape)(places, self.number if counts else self.number + _POLE)

    def block(self, left: float, low: float, width: float, height: float, color: np.ndarray, **options) -> None:
        right, top = left + width, low + height
        self.draw("polygon", [(left, low), (right, low), (right, top), (left, top)], color, **options)

    def _hazed(self, color: np.ndarray) -> np.ndarray:
        return color + (1 - np.exp(-self.item.ahead / 250)) * (190 - color)


def _objects(camera: Camera, street: _Street, options: RoadOptions, rng: np.random.Generator) -> list[_Object]:
    """The objects of a scene, the farthest first."""
    count = rng.integers(options.objects[0], options.objects[1] + 1)
    draws = {"car": _car, "pedestrian": _pedestrian, "sign": _sign}
    areas = {"car": 1.8 * 1.4, "pedestrian": 0.5 * 1.5, "sign": 0.6}
    objects = []
    for kind in rng.choice(THINGS, count, p=(0.45, 0.3, 0.25)):
        ahead = 1 / rng.uniform(1 / 45, 1 / 6)  # uniform in size on the image
        middle = float(street.middle(ahead))
        if kind == "car":
            across = (rng.integers(street.lanes) + 0.5) * LANE_WIDTH - street.half + rng.uniform(-0.4, 0.4)
        else:
            across = rng.choice((-1, 1)) * (street.half + rng.uniform(0.4, 1.6))
            across = across if kind == "sign" or rng.random() < 0.75 else rng.uniform(-1, 1) * street.half
        visible = areas[kind] * (camera.focal / _FINE / ahead) ** 2
        objects.append(_Object(kind, middle + across, ahead, draws[kind], visible))
    return sorted(objects, key=lambda item: -item.ahead)


def _car(pen: _Pen, rng: np.random.Generator) -> None:
    width, height = rng.uniform(1.65, 2.0), rng.uniform(1.35, 1.8)
    body, dark = rng.uniform(20, 235, 3), np.full(3, 25.0)
    half, belt = width / 2, 0.55 * height
    for side in (-half + 0.08, half - 0.33):
        pen.block(side, 0, 0.25, 0.4, dark)
    pen.block(-half, 0.2, width, belt - 0.2, body)
    slope = rng.uniform(0.15, 0.3)
    pen.draw("polygon", [(-half, belt), (half, belt), (half - slope, height), (slope - half, height)], body)
    glass = [
        (-half + 0.2, belt),
        (half - 0.2, belt),
        (half - slope - 0.1, height - 0.12),
        (slope - half + 0.1, height - 0.12),
    ]
    pen.draw("polygon", glass, np.array([60.0, 75, 90]))
    lamp = np.array([215.0, 30, 30] if rng.random() < 0.6 else [250.0, 250, 215])  # from behind, or in front
    for side in (-half + 0.06, half - 0.36):
        pen.block(side, belt - 0.3, 0.3, 0.17, lamp)
    pen.block(-0.26, 0.35, 0.52, 0.13, np.full(3, 230.0))
    pen.block(-half, 0.2, width, 0.08, body * 0.6)


def _pedestrian(pen: _Pen, rng: np.random.Generator) -> None:
    height, step = rng.uniform(1.5, 1.95), rng.uniform(0.0, 0.25)
    coat, trousers, skin = (
        rng.uniform(20, 235, 3),
        rng.uniform(20, 120, 3),
        rng.uniform(0.45, 1.1) * np.array([225.0, 180, 150]),
    )
    hip, neck = 0.48 * height, 0.84 * height
    for side in (-1, 1):
        foot = side * (0.07 + step)
        pen.draw(
            "polygon",
            [(foot - 0.09, 0), (foot + 0.09, 0), (side * 0.09 + 0.09, hip), (side * 0.09 - 0.09, hip)],
            trousers,
        )
        hand = side * (0.26 + step / 2)
        pen.draw(
            "polygon",
            [(hand - 0.06, hip), (hand + 0.06, hip), (side * 0.2 + 0.06, neck), (side * 0.2 - 0.06, neck)],
            coat * 0.85,
        )
    pen.draw("polygon", [(-0.2, hip - 0.05), (0.2, hip - 0.05), (0.23, neck), (-0.23, neck)], coat)
    pen.draw("ellipse", [(-0.12, neck - 0.02), (0.12, height)], skin)
    pen.draw("ellipse", [(-0.12, neck + 0.14), (0.12, height + 0.02)], rng.uniform(10, 110) * np.ones(3))


def _sign(pen: _Pen, rng: np.random.Generator) -> None:
    """The plate is the object; its pole is not."""
    low, radius = rng.uniform(1.9, 2.3), rng.uniform(0.38, 0.5)
    middle, red, white = low + radius, np.array([205.0, 25, 35]), np.full(3, 240.0)
    pen.block(-0.05, 0, 0.1, low + 0.1, np.full(3, 110.0), counts=False)
    kind = rng.integers(3)
    if kind == 0:
        pen.draw("ellipse", [(-radius, low), (radius, low + 2 * radius)], red)
        inner = 0.68 * radius
        pen.draw("ellipse", [(-inner, middle - inner), (inner, middle + inner)], white)
    elif kind == 1:
        for size, color in ((1.0, red), (0.6, white)):
            r = size * radius
            pen.draw("polygon", [(-r, middle - 0.87 * r), (r, middle - 0.87 * r), (0, middle + 0.87 * r)], color)
    else:
        pen.block(-radius, low, 2 * radius, 2 * radius, np.array([20.0, 70, 175]))
        pen.draw("polygon", [(-0.5 * radius, middle), (0.5 * radius, middle), (0, middle + 0.6 * radius)], white)
