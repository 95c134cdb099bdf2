"""The phonemes of English (ARPAbet) as the speaker makes them: formants, noise, durations, and loci of consonants.

Formants of vowels after Peterson and Barney, "Control Methods Used in a Study of the Vowels" (1952), partly moved;
loci of consonants after Delattre, Liberman and Cooper (1955).
"""

from dataclasses import dataclass

Formants = tuple[float, float, float]

VOWELS: dict[str, Formants] = {
    "AA": (730, 1090, 2440), "AE": (660, 1720, 2410), "AH": (620, 1220, 2550), "AO": (570, 840, 2410),
    "EH": (530, 1840, 2480), "ER": (490, 1350, 1690), "IH": (390, 1990, 2550), "IY": (270, 2290, 3010),
    "UH": (440, 1020, 2240), "UW": (320, 1250, 2300),
}  # fmt: skip
"""The first three formants (Hz) of a man's vowels."""
DIPHTHONGS: dict[str, tuple[Formants, Formants]] = {
    "AW": ((730, 1250, 2450), (420, 950, 2300)), "AY": ((730, 1150, 2450), (350, 2100, 2650)),
    "EY": ((500, 1850, 2500), (320, 2200, 2750)), "OW": ((540, 950, 2400), (360, 850, 2300)),
    "OY": ((550, 850, 2400), (370, 2050, 2600)),
}  # fmt: skip
GLIDES: dict[str, Formants] = {
    "W": (300, 640, 2150), "Y": (260, 2150, 3020), "R": (330, 1150, 1480), "L": (350, 1050, 2800),
}  # fmt: skip
NASALS: dict[str, tuple[Formants, float]] = {
    "M": ((280, 1000, 2200), 900.0), "N": ((280, 1650, 2600), 1500.0), "NG": ((280, 2250, 2750), 2400.0),
}  # fmt: skip
"""Formants, and the frequency of the zero (Hz) that the closed mouth makes."""


@dataclass(frozen=True)
class Noise:
    """A constriction's noise: centre and bandwidth (Hz) of its resonance, level."""

    centre: float
    width: float
    level: float


FRICATIVES: dict[str, tuple[Noise, Formants, bool]] = {
    "S": (Noise(6200, 1800, 0.70), (320, 1650, 2600), False), "Z": (Noise(6200, 1800, 0.40), (280, 1650, 2600), True),
    "SH": (Noise(3000, 1100, 0.70), (320, 1850, 2550), False), "ZH": (Noise(3000, 1100, 0.3), (280, 1850, 2550), True),
    "F": (Noise(5500, 7000, 0.11), (320, 1000, 2300), False), "V": (Noise(5500, 7000, 0.06), (280, 1000, 2300), True),
    "TH": (Noise(6000, 5000, 0.10), (320, 1350, 2600), False), "DH": (Noise(6000, 5000, 0.05), (280, 1350, 2600), True),
}  # fmt: skip
"""Noise, locus of the formants, and whether there is voice."""
STOPS: dict[str, tuple[Noise, Formants, bool]] = {
    "P": (Noise(900, 1200, 0.28), (250, 850, 2100), False), "B": (Noise(900, 1200, 0.22), (220, 850, 2100), True),
    "T": (Noise(4300, 2200, 0.45), (280, 1750, 2700), False), "D": (Noise(4000, 2200, 0.32), (220, 1750, 2700), True),
    "K": (Noise(1900, 900, 0.45), (280, 2000, 2300), False), "G": (Noise(1900, 900, 0.32), (220, 2000, 2300), True),
}  # fmt: skip
AFFRICATES: dict[str, tuple[Noise, Formants, bool]] = {
    "CH": (Noise(3200, 1300, 0.60), (300, 1850, 2550), False), "JH": (Noise(3200, 1300, 0.35), (260, 1850, 2550), True),
}  # fmt: skip
SILENCE = "SIL"

FOLLOWS: dict[str, float] = {
    "P": 0.75, "B": 0.75, "F": 0.75, "V": 0.75, "M": 0.6, "K": 0.85, "G": 0.85, "NG": 0.5, "T": 0.4, "D": 0.4,
    "S": 0.35, "Z": 0.35, "TH": 0.5, "DH": 0.5, "N": 0.3, "SH": 0.2, "ZH": 0.2, "CH": 0.2, "JH": 0.2, "L": 0.25,
    "R": 0.1, "W": 0.1, "Y": 0.05,
}  # fmt: skip
"""Share of the way from the consonant's own second formant to that of the vowel beside it."""

DURATIONS: dict[str, float] = {
    **dict.fromkeys(VOWELS, 0.130), "IH": 0.105, "AH": 0.110, "UH": 0.105, **dict.fromkeys(DIPHTHONGS, 0.190),
    **dict.fromkeys(GLIDES, 0.080), **dict.fromkeys(NASALS, 0.085), **dict.fromkeys(FRICATIVES, 0.105), "DH": 0.06,
    "V": 0.07, "Z": 0.09, "HH": 0.07, **dict.fromkeys(STOPS, 0.090), **dict.fromkeys(AFFRICATES, 0.125),
}  # fmt: skip
"""Seconds at normal speed."""

SYLLABIC = frozenset(VOWELS) | frozenset(DIPHTHONGS)
PHONEMES = (SILENCE, *sorted(DURATIONS))
"""The 39 phonemes, and silence."""


def without_stress(phoneme: str) -> str:
    return phoneme.rstrip("012")


def stress_of(phoneme: str) -> int | None:
    """0, 1 or 2; None where no digit says it."""
    return int(phoneme[-1]) if phoneme[-1] in "012" else None
