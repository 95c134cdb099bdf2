"""X-ray machines: from the attenuation of rays to the values that a DICOM file stores.

Photons are counted (Poisson), some reach the detector on detours (scatter), the image is blurred, the beam is limited
to a rectangle, and a letter of lead says which side is which.

Shape letters: S pixels a side.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from torchworks.lessons.capstone.anatomy import FIELD


@dataclass(frozen=True)
class Scanner:
    """A machine and its settings."""

    name: str
    photometric: str
    """MONOCHROME2: large values are shown bright. MONOCHROME1: they are shown dark, as the detector counts."""
    photons: float
    """Photons that reach a pixel through nothing."""
    blur: float
    """Standard deviation of the blur, cm."""
    scatter: float
    """Scattered photons, as a share of those that came straight."""
    window: tuple[float, float]
    """Shares of the pixels below which all is black and above which all is white."""
    marker: str = "L"


ARCHIVE = Scanner("Northlight DR 200", "MONOCHROME2", 60_000, 0.10, 0.25, (0.02, 0.985))
"""Of the hospital whose images we start from."""
OURS = Scanner("Halden XR-5", "MONOCHROME1", 40_000, 0.13, 0.35, (0.01, 0.97))
"""Of our hospital."""
NEW = Scanner("Meridian Portable 1", "MONOCHROME2", 8_000, 0.24, 0.7, (-0.22, 0.84), marker="R")
"""Delivered later: a portable machine with less dose, more scatter, more blur and a wider window."""
SCANNERS = {"archive": ARCHIVE, "ours": OURS, "new": NEW}

STEPS = 1000
"""Stored values to one unit of attenuation."""
DEEPEST = 4095
"""The largest stored value: 12 bits."""


@dataclass(frozen=True)
class Exposure:
    """An image as a file holds it: `stored` uint16 (S, S); attenuation = stored · slope + intercept, and the window in
    these units."""

    stored: np.ndarray
    slope: float
    intercept: float
    center: float
    width: float


def expose(scanner: Scanner, weakened: np.ndarray, random: np.random.Generator) -> Exposure:
    """An image of rays that are `weakened` by exp of these values, float32 (S, S)."""
    size, scale = len(weakened), len(weakened) / FIELD
    straight = np.exp(-weakened)
    dose = scanner.photons * random.uniform(0.8, 1.25)
    counted = random.poisson(dose * (straight + scanner.scatter * gaussian_filter(straight, 3.0 * scale)))
    shown = gaussian_filter(-np.log(np.maximum(counted, 0.5).astype(np.float32) / dose), scanner.blur * scale)
    beam = _beam(size, random)
    inside = shown[beam]
    # the shutter shows what the beam did not reach as black, which is little attenuation
    shown = np.where(beam, shown, inside.min())
    shown = np.where(_letter(scanner.marker, size, random) & beam, inside.max(), shown)
    return _stored(scanner, shown, inside)


def _stored(scanner: Scanner, shown: np.ndarray, inside: np.ndarray) -> Exposure:
    low, high = scanner.window
    black, white = np.quantile(inside, np.clip([low, high], 0, 1))
    span = white - black
    black += min(low, 0) * span
    white += max(high - 1, 0) * span
    slope, intercept = 2.0, -500.0
    units = shown * STEPS
    if scanner.photometric == "MONOCHROME1":  # the more photons, the larger the value
        units = 6000 - units
        black, white = 6 - white, 6 - black
    stored = np.clip(np.rint((units - intercept) / slope), 0, DEEPEST).astype(np.uint16)
    return Exposure(stored, slope, intercept, STEPS * (black + white) / 2, STEPS * (white - black))


def _beam(size: int, random: np.random.Generator) -> np.ndarray:
    """Where photons arrive: a rectangle within the image, bool (S, S)."""
    left, top, right, bottom = np.rint(random.uniform(0, 0.055, 4) * size).astype(int)
    beam = np.zeros((size, size), bool)
    beam[top : size - bottom, left : size - right] = True
    return beam


def _letter(letter: str, size: int, random: np.random.Generator) -> np.ndarray:
    """Where the marker lies, bool (S, S): near an upper corner, on its own side."""
    page = Image.new("L", (size, size))
    place = (0.87 if letter == "L" else 0.07) + random.uniform(-0.01, 0.01), random.uniform(0.07, 0.12)
    font = ImageFont.load_default(size * 0.075)
    ImageDraw.Draw(page).text((place[0] * size, place[1] * size), letter, 255, font)
    return np.asarray(page) > 127
