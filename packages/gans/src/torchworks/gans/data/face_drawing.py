"""Cartoon faces drawn from numbers: who it is (`Person`), and how the head is held, moves and is lit (`Pose`).

The two are independent, so that the truth of a face swap is known: another person in the same pose. Features lie on an
ellipsoid that is turned by yaw and pitch, so that they move with depth as those of a head do; outlines are polygons,
drawn at four times the size and averaged. No photograph and no person has any part in it. Imports no torch.

Coordinates: x to the right, y down, z towards the viewer; the image is from -1 to 1 in x and y. Angles are in radians.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from torchworks.gans.data.face_numbers import Color, Person, Pose, from_hue, mixed

OVER = 4
"""How many times larger than the image it is drawn, before pixels are averaged."""
CLOSE, MIDDLE = 1.35, 0.12
"""How many times larger than a whole head a face is, and how far below the head's middle it is cut: what face swaps are
made of shows little hair and little background."""
Points = NDArray[np.float64]
_WHITE, _DARK = (250, 248, 244), (44, 30, 34)


def draw_face(who: Person, pose: Pose, size: int) -> NDArray[np.uint8]:
    """Color image (3, size, size)."""
    return _Face(who, pose, size * OVER).image(size)


def places(who: Person, pose: Pose, x: Points, y: Points) -> Points:
    """Where points of the face's surface, x and y in a head's coordinates, (M,), are in the image, (M, 2)."""
    return _Face(who, pose, 2)._on(x, y) - 1


class _Face:
    """The canvas of one face, `side` pixels wide."""

    def __init__(self, who: Person, pose: Pose, side: int):
        self.who, self.pose, self.side = who, pose, side
        self.canvas = Image.new("RGB", (side, side), from_hue(pose.background, 0.1, 0.74))
        self.draw = ImageDraw.Draw(self.canvas)
        self.head = Image.new("L", (side, side))  # where the light falls on a round surface
        self.depth = 0.5

    def image(self, size: int) -> NDArray[np.uint8]:
        self._body()
        self._hair_behind()
        self._head()
        self._nose()
        self._mouth()
        self._eyes()
        self._hair_in_front()
        small = np.asarray(self.canvas.resize((size, size), Image.Resampling.BOX), np.float64)
        mask = np.asarray(self.head.resize((size, size), Image.Resampling.BOX), np.float64)[..., None] / 255
        return np.rint(self._lit(small, mask)).clip(0, 255).astype(np.uint8).transpose(2, 0, 1)

    def _lit(self, small: Points, mask: Points) -> Points:
        """Shaded as a round head and a flat background, then brightened and tinted."""
        pose, who = self.pose, self.who
        y, x = np.mgrid[0 : len(small), 0 : len(small)] * 2 / len(small) - 1 + 1 / len(small)
        wide, high = (1.15 * CLOSE * side for side in (who.width, who.height))
        u, v = (x - pose.x) / wide, (y - pose.y + CLOSE * MIDDLE) / high
        toward = np.sqrt(np.clip(1 - u**2 - v**2, 0, 1))
        round_ = 0.86 + 0.18 * toward + pose.light_x * u + pose.light_y * v
        flat = 1 + 0.35 * (pose.light_x * x + pose.light_y * y)
        light = pose.brightness * (mask[..., 0] * round_ + (1 - mask[..., 0]) * flat)
        tint = np.array([1 + pose.warmth, 1.0, 1 - pose.warmth])
        return small * np.clip(light, 0.35, 1.3)[..., None] * tint

    # ---- from a head's coordinates to pixels -----------------------------------------------------------------

    def _turned(self, x: Points, y: Points, z: Points) -> Points:
        """Points of the head, turned and moved, as pixels (M, 2)."""
        pose = self.pose
        sin, cos = np.sin(pose.yaw), np.cos(pose.yaw)
        x, z = cos * x + sin * z, -sin * x + cos * z
        sin, cos = np.sin(pose.pitch), np.cos(pose.pitch)
        y = cos * y + sin * z
        return self._flat(x, y)

    def _flat(self, x: Points, y: Points) -> Points:
        """Points of the image plane, rolled, sized and shifted, as pixels (M, 2)."""
        pose = self.pose
        sin, cos = np.sin(pose.roll), np.cos(pose.roll)
        y = y - MIDDLE
        return self._image(np.stack([cos * x - sin * y, sin * x + cos * y], -1))

    def _image(self, at: Points) -> Points:
        """Points (M, 2) beside the face's middle as pixels."""
        return (CLOSE * self.pose.size * at + [self.pose.x, self.pose.y] + 1) / 2 * self.side

    def _on(self, x: Points, y: Points, lift: float = 0.0) -> Points:
        """Points of the face's surface, as pixels."""
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        inside = np.clip(1 - (x / self.who.width) ** 2 - (y / self.who.height) ** 2, 0, 1)
        return self._turned(x, y, self.depth * np.sqrt(inside) + lift)

    def _fill(self, points: Points, color: Color, head: bool = False) -> None:
        corners = [tuple(point) for point in points]
        self.draw.polygon(corners, fill=color)
        if head:
            ImageDraw.Draw(self.head).polygon(corners, fill=255)

    def _line(self, points: Points, color: Color, width: float) -> None:
        """With round ends; `width` in units of half the image."""
        thick = max(1, round(width * CLOSE * self.pose.size * self.side / 2))
        self.draw.line([tuple(point) for point in points], fill=color, width=thick, joint="curve")
        for x, y in (points[0], points[-1]):
            r = thick / 2
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=color)

    # ---- parts ----------------------------------------------------------------------------------------------

    def _outline(self, wider: float = 1.0, lower: float = 1.0) -> tuple[Points, Points]:
        """The head from the front: an ellipse whose lower half is narrower for a smaller `jaw`."""
        t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        x, y = np.cos(t), np.sin(t)
        below = np.clip(y, 0, 1)
        x = np.sign(x) * np.abs(x) ** (1 - 0.25 * self.who.jaw * below) * (1 - 0.12 * (1 - self.who.jaw) * below)
        drop = 0.1 * self.pose.open * below  # the jaw goes down with the mouth
        return wider * self.who.width * x, lower * self.who.height * y + drop

    def _head_points(self, x: Points, y: Points, z: float = 0.0) -> Points:
        """Of an outline: a head stays as wide when it turns, and shifts a little."""
        pose = self.pose
        return self._flat(x + (0.1 + z) * np.sin(pose.yaw), y + (0.06 + z) * np.sin(pose.pitch))

    def _body(self) -> None:
        who, pose = self.who, self.pose
        dark = mixed(who.skin, _DARK, 0.25)
        neck = np.array([[-0.2, 0.3], [0.2, 0.3], [0.24, 1.2], [-0.24, 1.2]])
        lean = np.array([0.04 * pose.yaw, -MIDDLE])
        shoulders = np.array([[-0.95, 1.3], [-0.7, 0.86], [-0.22, 0.72], [0.22, 0.72], [0.7, 0.86], [0.95, 1.3]])
        self._fill(self._image(neck + lean), dark)
        self._fill(self._image(shoulders + lean), who.shirt)

    def _hair_behind(self) -> None:
        who = self.who
        dark = mixed(who.hair, (0, 0, 0), 0.22)
        x, y = self._outline(1.12)
        if who.style in ("bob", "long"):
            length = 0.62 if who.style == "bob" else 1.05
            low = y > 0
            x, y = np.where(low, 1.1 * np.sign(x) * np.maximum(np.abs(x), 0.8 * who.width), x), np.where(low, 0, y)
            y = np.where(low, length * np.abs(np.sin(np.linspace(0, 2 * np.pi, 72, endpoint=False))) ** 0.35, y)
            self._fill(self._head_points(x, y - 0.05, -0.22), dark)
        elif who.style == "bun":
            t = np.linspace(0, 2 * np.pi, 40)
            self._fill(self._head_points(0.22 * np.cos(t), 0.2 * np.sin(t) - who.height - 0.06, -0.25), dark)
        elif who.style == "curls":
            for t in np.linspace(np.pi * 0.86, np.pi * 2.14, 11):
                around = np.linspace(0, 2 * np.pi, 24)
                x0, y0 = who.width * 1.06 * np.cos(t), who.height * np.sin(t) - 0.02
                self._fill(self._head_points(x0 + 0.17 * np.cos(around), y0 + 0.17 * np.sin(around), -0.12), dark)

    def _head(self) -> None:
        who = self.who
        t = np.linspace(0, 2 * np.pi, 28)
        for side in (-1, 1):
            ear = self._head_points(side * who.width * 1.0 + 0.08 * np.cos(t), 0.03 + 0.13 * np.sin(t), -0.2)
            self._fill(ear, mixed(who.skin, (150, 60, 50), 0.18), head=True)
        self._fill(self._head_points(*self._outline()), who.skin, head=True)
        if who.beard:
            x, y = self._outline(0.99)
            low = y > 0.02
            upper = np.linspace(x[low].min(), x[low].max(), 20)
            edge = 0.12 + 0.2 * (1 - (upper / who.width) ** 2)
            ring = np.stack([np.concatenate([x[low], upper]), np.concatenate([y[low], edge])])
            self._fill(self._head_points(*ring), mixed(who.hair, who.skin, 0.25), head=True)
        if who.freckles:
            for x, y in ((-0.26, 0.12), (-0.2, 0.17), (-0.3, 0.19), (0.26, 0.12), (0.2, 0.17), (0.3, 0.19)):
                self._fill(self._on(x + 0.014 * np.cos(t), y + 0.014 * np.sin(t)), mixed(who.skin, (120, 50, 20), 0.5))

    def _nose(self) -> None:
        who = self.who
        shade = mixed(who.skin, _DARK, 0.3)
        tip = who.nose_length - 0.06
        ridge = np.linspace(-0.1, tip, 10)
        side = -1.0 if self.pose.yaw < 0 else 1.0
        self._line(self._on(side * 0.35 * who.nose_width * np.ones(10), ridge, 0.06), shade, 0.022)
        t = np.linspace(0.1, np.pi - 0.1, 16)
        self._line(self._on(who.nose_width * np.cos(t), tip + 0.045 * np.sin(t), 0.08), shade, 0.03)

    def _mouth(self) -> None:
        who, pose = self.who, self.pose
        middle = who.nose_length + 0.18
        wide = who.mouth_width * (1 + 0.18 * pose.smile - 0.1 * pose.open)
        x = np.linspace(-wide, wide, 25)
        arch = 1 - (x / wide) ** 2
        line = middle - 0.09 * pose.smile * (1 - arch) + 0.03 * pose.smile
        gap = 0.16 * pose.open
        upper, lower = line - 0.15 * gap * arch, line + gap * arch
        lip = who.mouth_fullness * (0.35 + 0.65 * arch)
        edge = np.concatenate([self._on(x, upper - lip, 0.02), self._on(x, lower + 1.2 * lip, 0.02)[::-1]])
        self._fill(edge, who.lips)
        if pose.open > 0.05:
            self._fill(np.concatenate([self._on(x, upper, 0.02), self._on(x, lower, 0.02)[::-1]]), (92, 26, 34))
            teeth = np.minimum(upper + 0.35 * gap * arch, lower)
            keep = np.abs(x) < 0.8 * wide
            ring = [self._on(x[keep], upper[keep], 0.02), self._on(x[keep], teeth[keep], 0.02)[::-1]]
            self._fill(np.concatenate(ring), _WHITE)
        else:
            self._line(self._on(x, line, 0.02), mixed(who.lips, _DARK, 0.6), 0.022)

    def _eyes(self) -> None:
        who, pose = self.who, self.pose
        height = -0.1
        for side in (-1, 1):
            x0 = side * who.eye_distance
            self._eye(x0, height)
            across = np.linspace(-1, 1, 9)
            rise = 0.2 * who.eye_size * (1 - across**2) + 0.035 * pose.brows
            y = height - 1.55 * who.eye_size - rise - side * across * who.brow_tilt
            self._line(self._on(x0 + 1.25 * who.eye_size * across, y, 0.02), mixed(who.hair, _DARK, 0.4), who.brow)
            if who.glasses:
                t = np.linspace(0, 2 * np.pi, 33)
                rim = self._on(x0 + 1.6 * who.eye_size * np.cos(t), height + 1.45 * who.eye_size * np.sin(t), 0.06)
                self._line(rim, (40, 40, 48), 0.026)
        if who.glasses:
            inner = who.eye_distance - 1.6 * who.eye_size
            self._line(self._on(np.linspace(-inner, inner, 5), np.full(5, height - 0.02), 0.1), (40, 40, 48), 0.026)

    def _eye(self, x0: float, y0: float) -> None:
        who, pose = self.who, self.pose
        a, b = 1.15 * who.eye_size, 0.85 * who.eye_size * pose.lids
        x = np.linspace(-1, 1, 21)
        arch = np.sqrt(1 - x**2)
        if pose.lids < 0.1:
            self._line(self._on(x0 + a * x, y0 + 0.35 * who.eye_size * arch), _DARK, 0.028)
            return
        upper, lower = y0 - b * arch, y0 + 0.8 * b * arch
        self._fill(np.concatenate([self._on(x0 + a * x, upper), self._on(x0 + a * x, lower)[::-1]]), _WHITE)
        t = np.linspace(0, 2 * np.pi, 25)
        for radius, color in ((0.62 * who.eye_size, who.eye), (0.3 * who.eye_size, (16, 14, 18))):
            u = 0.4 * a * pose.gaze_x + radius * np.cos(t)
            v = 0.35 * who.eye_size * pose.gaze_y + radius * np.sin(t)
            roof = np.sqrt(np.clip(1 - (u / a) ** 2, 0, 1))  # the lids cover what is beyond them
            self._fill(self._on(x0 + u, y0 + np.clip(v, -b * roof, 0.8 * b * roof)), color)
        self._line(self._on(x0 + a * x, upper), _DARK, 0.026)

    def _hair_in_front(self) -> None:
        who = self.who
        t = np.linspace(np.pi, 2 * np.pi, 40)
        top = self._head_points(1.07 * who.width * np.cos(t), (who.height + 0.06) * np.sin(t), -0.04)
        x = np.linspace(0.98, -0.98, 40) * who.width
        across = x / who.width
        part = {"short": 0.25, "bob": 0.0, "long": -0.35, "bun": 0.0, "curls": 0.1}[who.style]
        y = -who.fringe * (1 - 0.55 * np.abs(across - part) ** 1.6) + (0.06 if who.style == "bob" else 0.0)
        y = np.maximum(y, -0.95 * who.height * np.sqrt(np.clip(1 - across**2, 0, 1)))
        self._fill(np.concatenate([top, self._on(x, y)]), who.hair, head=True)
        gloss = np.linspace(np.pi * 1.25, np.pi * 1.6, 12)
        shine = self._head_points(0.8 * who.width * np.cos(gloss), 0.9 * who.height * np.sin(gloss), -0.02)
        self._line(shine, mixed(who.hair, (255, 255, 255), 0.25), 0.03)
