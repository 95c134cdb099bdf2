"""Chests made of ellipsoids and tubes, and how much each ray through them is weakened.

A ray that crosses materials with the attenuation μ (1/cm) over the lengths t (cm) keeps exp(−Σ μ t) of its photons: the
law of Beer and Lambert. All here are drawn; no patient was ever X-rayed for it.

Coordinates in cm: x to the right of the image, y down, both from the image's center. Shape letters: S pixels a side.
"""

from dataclasses import dataclass, replace
from math import cos, sin

import numpy as np
from scipy.ndimage import gaussian_filter

FIELD = 40.0
"""Side of the square image, cm."""
TISSUE, LUNG, BONE, FLUID = 0.18, 0.05, 0.48, 0.19
"""Attenuation at the energies of a chest image, 1/cm."""
FINDINGS = ("effusion", "enlarged-heart", "nodule")
"""Fluid below a lung, a heart more than half as wide as the chest, a round shadow in a lung."""


@dataclass(frozen=True)
class Nodule:
    """A sphere in a lung: its center and radius, cm."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Patient:
    """What stays the same between a patient's images. Lengths in cm."""

    half_width: float
    depth: float
    lung_width: float
    lung_height: float
    heart_ratio: float
    rib_gap: float
    rib_shift: float
    bone: float
    markings: int
    effusion: float
    """Height of the fluid, 0 for none; positive on the image's left, negative on its right."""
    nodules: tuple[Nodule, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of what can be found in the images."""
        there = (self.effusion != 0, self.heart_ratio > 0.5, bool(self.nodules))
        return tuple(name for name, is_there in zip(FINDINGS, there, strict=True) if is_there)


def draw_patient(random: np.random.Generator, frequency: float = 0.3) -> Patient:
    """A patient who has each finding with the probability `frequency`, independently."""
    effusion, heart, nodule = random.random(3) < frequency
    width, height = random.uniform(4.6, 5.8), random.uniform(10.5, 12.5)
    nodules = tuple(_nodule(random, width, height) for _ in range(nodule * random.integers(1, 4)))
    return Patient(
        half_width=random.uniform(14.5, 18),
        depth=random.uniform(18, 25),
        lung_width=width,
        lung_height=height,
        heart_ratio=random.uniform(0.505, 0.6) if heart else random.uniform(0.36, 0.495),
        rib_gap=random.uniform(2.1, 2.6),
        rib_shift=random.uniform(-1, 1),
        bone=random.uniform(0.7, 1.3),
        markings=int(random.integers(2**31)),
        effusion=random.uniform(0.8, 4.5) * int(random.choice([-1, 1])) if effusion else 0.0,
        nodules=nodules,
    )


def _nodule(random: np.random.Generator, width: float, height: float) -> Nodule:
    """In the outer two thirds of a lung."""
    side, angle, reach = int(random.choice([-1, 1])), random.uniform(0, 2 * np.pi), random.uniform(0, 0.5) ** 0.5
    x, y = side * (7.2 + 0.6 * width * reach * cos(angle)), -2.5 + 0.75 * height * reach * sin(angle)
    return Nodule(x, y, random.uniform(0.9, 1.8))


@dataclass(frozen=True)
class Pose:
    """How a patient stands in one image: shift of the center (cm), zoom, turn (radians), and by how much (cm) the
    diaphragm is lower than in half a breath."""

    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0
    turn: float = 0.0
    breath: float = 0.0


def draw_pose(random: np.random.Generator) -> Pose:
    """Another one for each image."""
    x, y, breath = random.normal(0, (0.8, 0.8, 1.1)).tolist()
    return Pose(x, y, random.uniform(0.94, 1.06), random.normal(0, 0.03), breath)


# ---- what the rays cross ---------------------------------------------------------------------------------


def attenuation(patient: Patient, pose: Pose, size: int) -> np.ndarray:
    """Σ μ t of each ray, float32 (S, S); 0 outside the body."""
    x, y = _grid(pose, size)
    body = _body(patient, x, y)
    air, heart = _lungs(patient, pose, x, y), _heart(patient, x, y)
    total = TISSUE * body + (LUNG - TISSUE) * air + (TISSUE - LUNG) * np.minimum(heart, 0.75 * air)
    total += _bones(patient, x, y) * (body > 0)
    total += (TISSUE - LUNG) * _vessels(patient, x, y) * np.clip(air / 8, 0, 1)
    total -= 0.6 * (TISSUE - LUNG) * _tube(x, y + 12, 0.0, 0.9) * (y < -5) * (body > 0)  # windpipe
    total += (FLUID - LUNG) * _fluid(patient, pose, x, y, air)
    for nodule in patient.nodules:
        chord = _chord(((x - nodule.x) ** 2 + (y - nodule.y) ** 2) / nodule.radius**2) * nodule.radius
        total += 1.6 * (TISSUE - LUNG) * chord * np.clip(air / 3, 0, 1)
    return np.maximum(total, 0)


def without(patient: Patient, finding: str) -> Patient:
    """The same patient without one finding."""
    healthy = {"effusion": {"effusion": 0.0}, "enlarged-heart": {"heart_ratio": 0.43}, "nodule": {"nodules": ()}}
    return replace(patient, **healthy[finding])


def _grid(pose: Pose, size: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y in the patient's own coordinates, (S, S) each."""
    line = (np.arange(size) + 0.5) / size * FIELD - FIELD / 2
    x, y = np.meshgrid(line.astype(np.float32), line.astype(np.float32))  # half the time of float64
    x, y = (x - pose.x) / pose.zoom, (y - pose.y) / pose.zoom
    cosine, sine = cos(pose.turn), sin(pose.turn)
    return cosine * x + sine * y, cosine * y - sine * x


def _chord(squared: np.ndarray) -> np.ndarray:
    """Length of the ray through a unit sphere at the squared distance from its center."""
    return 2 * np.sqrt(np.maximum(0, 1 - squared))


def _step(values: np.ndarray, width: float) -> np.ndarray:
    """From 0 to 1 where `values` become positive, over about `width`."""
    return 1 / (1 + np.exp(-np.clip(values / width, -40, 40)))


def _body(patient: Patient, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Trunk with shoulders, and a neck."""
    shoulder = _step(y + 13.5, 1.1)
    half = 5.5 + (patient.half_width + 2.0 * _step(-y - 6, 2.0) - 5.5) * shoulder
    return patient.depth / 2 * (0.55 + 0.45 * shoulder) * _chord((x / half) ** 2)


def _lungs(patient: Patient, pose: Pose, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Length of the ray in both lungs, which end at the domes of the diaphragm."""
    total = np.zeros_like(x)
    for side in (-1, 1):
        u, v = (x - side * 7.2) / patient.lung_width, (y + 2.5) / patient.lung_height
        narrow = 1 + 0.35 * np.clip(-v, 0, 1)  # towards the top
        shape = 0.36 * patient.depth * _chord(np.abs(u * narrow) ** 2.4 + np.abs(v) ** 2.4)
        total += shape * _step(_diaphragm(pose, x, side) - y, 0.35)
    return total


def _diaphragm(pose: Pose, x: np.ndarray, side: int) -> np.ndarray:
    """Height of the dome below the lung on one side; the one over the liver is higher."""
    top = 5.6 - 0.9 * (side < 0) + pose.breath
    return top + 2.2 * ((x - side * 6.4) / 5.6) ** 2


def _heart(patient: Patient, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """An ellipsoid that leans to the image's right, as wide as its ratio of the chest says, and the great vessels."""
    chest = 7.2 + patient.lung_width
    half = patient.heart_ratio * chest
    center = 0.32 * half
    u, v = x - center, y - 2.6
    leaning = ((u + 0.35 * v) / half) ** 2 + ((v - 0.2 * u) / (0.62 * half + 1.6)) ** 2
    return 10 * _chord(leaning) / 2 + 6 * _chord((x / 2.9) ** 2 + ((y + 4) / 10) ** 4) / 2


def _bones(patient: Patient, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spine, ribs and collar bones: μ t beyond that of the tissue they displace."""
    spine = 3.0 * _chord((x / 1.9) ** 2) / 2 * (0.8 + 0.2 * np.cos(2 * np.pi * y / 2.8))
    bones = 0.8 * spine
    reach = np.clip((np.abs(x) - 1.5) / 12.5, 0, 1)
    for rib in range(10):
        top = -14 + patient.rib_shift + patient.rib_gap * rib
        behind = top - 1.2 * np.sin(np.pi * np.minimum(1.3 * reach, 1)) + 5.5 * reach**2
        before = top + 9.5 - 4.8 * reach
        inside = _step(np.abs(x) - 1.7, 0.3) * _step(patient.half_width - 1.4 - np.abs(x), 0.4)
        bones += _hollow(y - behind, 0.62) * inside
        bones += 0.45 * _hollow(y - before, 0.7) * inside * (np.abs(x) > 4.5)
    collar = -12.4 - 0.18 * np.abs(x) + 0.5 * np.sin(np.abs(x) / 2.2)
    bones += 1.3 * _hollow(y - collar, 0.6) * (np.abs(x) > 1.6) * (np.abs(x) < 14)
    return (BONE - TISSUE) * patient.bone * bones


def _tube(x: np.ndarray, y: np.ndarray, at: float, radius: float) -> np.ndarray:
    """Length of the ray in a tube along y."""
    return radius * _chord(((x - at) / radius) ** 2)


def _hollow(distance: np.ndarray, radius: float) -> np.ndarray:
    """Length of the ray in the walls of a bone of which the center line is at a `distance`."""
    return radius * _chord((distance / radius) ** 2) - 0.75 * 0.7 * radius * _chord((distance / (0.7 * radius)) ** 2)


def _vessels(patient: Patient, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Branches from the root of each lung, thinner outwards, and a fine mottle, which nodules hide in."""
    random = np.random.default_rng(patient.markings)
    total = np.zeros_like(x)
    for side in (-1, 1):
        for _ in range(11):
            angle, bend = random.uniform(-1.4, 1.4), random.normal(0, 0.05)
            u, v = side * (x - side * 3.2), y + 1.5
            along, across = u * cos(angle) + v * sin(angle), v * cos(angle) - u * sin(angle)
            radius = np.clip(0.55 - 0.055 * along, 0.08, 0.55)
            total += radius * _chord(((across - bend * along**2) / radius) ** 2) * (along > 0) * (along < 9)
    mottle = gaussian_filter(random.standard_normal(x.shape, np.float32), 0.45 / FIELD * len(x))
    return total + 0.32 / float(mottle.std()) * mottle


def _fluid(patient: Patient, pose: Pose, x: np.ndarray, y: np.ndarray, air: np.ndarray) -> np.ndarray:
    """Length of the ray in the fluid, which displaces air and climbs the outer wall."""
    if not patient.effusion:
        return np.zeros_like(x)
    side = -1 if patient.effusion > 0 else 1
    u = np.clip((side * x - 5) / 6, -1, 1.5)
    level = 8.0 + pose.breath - abs(patient.effusion) - 1.8 * np.maximum(u, 0) ** 2
    return 0.85 * air * _step(y - level, 0.35) * (side * x > 0)
