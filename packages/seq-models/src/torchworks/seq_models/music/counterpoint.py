"""The data source `counterpoint`: chorales for four voices, written at random by the rules of the textbooks.

    counterpoint                                    400 pieces for training and 100 for testing
    counterpoint:train=60,test=20                   fewer

A piece has four to six phrases of six to ten quarter notes in one of 24 keys. Chords follow each other as functional
harmony has them; each phrase ends with a cadence, the piece with a full one. Each chord is voiced at random among the
ways that break no rule after the one before it, small steps being more probable:

- no parallel fifths or octaves, and no fifth or octave to which soprano and bass leap in the same direction;
- no voice leaps by more than an octave (upper voices: a sixth), or goes beyond where its neighbor was;
- the leading tone rises to the tonic, a seventh falls by a step;
- what `harmony.voicings` says of a single chord.

Then passing notes fill some of the thirds. Its true likelihood is not known; that no rule of `rules.py` is broken is
(the checker's test counts them), but for passing notes, which are strange to their chord.

Shape letters: W voicings.
"""

from dataclasses import dataclass

import numpy as np

from torchworks.seq_models.data.options import parse_options
from torchworks.seq_models.data.pieces import piece_source
from torchworks.seq_models.music.frames import as_frames, fingerprint_of
from torchworks.seq_models.music.harmony import (
    CADENCES,
    FOLLOWS,
    II,
    LEADING,
    SCALES,
    TONIC,
    Chord,
    doubling_cost,
    voicings,
)
from torchworks.seq_models.music.rules import broken
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source

NAME = "counterpoint"
LICENCE = "generated (no rights reserved)"
MOST = 20_000
_SMOOTH = np.array([0.34, 0.42, 0.42, 0.16])
"""Cost of a semitone in each voice."""
_HELD = 1.2
"""Cost of a soprano that stays."""
_ARCH = 0.12
"""Cost of a semitone off the line that a phrase's soprano follows."""
_PASSING = 0.45
"""How often a third is filled."""
_TRIES = 60


@dataclass(frozen=True)
class Options:
    train: int = 400
    test: int = 100

    def __post_init__(self) -> None:
        for name in ("train", "test"):
            if not 1 <= getattr(self, name) <= MOST:
                raise UserError(f"{NAME}: {name} must be from 1 to {MOST:,}, but it is {getattr(self, name)}.")


def open_counterpoint(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The pieces of a seed; no piece of the test part is one of training, in another key either."""
    options = parse_options(NAME, rest, Options())
    test = pieces(options.test, (seed, 1), set())
    train = pieces(options.train, (seed, 0), {fingerprint_of(piece) for piece in test})
    return piece_source(NAME, LICENCE, train, test)


def pieces(count: int, seed: tuple[int, ...], besides: set[bytes]) -> list[np.ndarray]:
    """`count` pieces of frames (L, 4), all different from each other and from those whose marks are `besides`."""
    random = np.random.default_rng(seed)
    made, seen = [], set(besides)
    while len(made) < count:
        piece = compose(random)
        if piece is not None and (mark := fingerprint_of(piece)) not in seen:
            seen.add(mark)
            made.append(piece)
    return made


def compose(random: np.random.Generator) -> np.ndarray | None:
    """One piece, int64 (L, 4), or None if a phrase came to a dead end again and again."""
    key, mode = int(random.integers(12)), ("major", "minor")[int(random.integers(2))]
    phrases, ends = int(random.integers(4, 7)), ("half", "full", "deceptive", "half")
    voices = np.zeros((0, 4), np.int64)
    last = None
    for number in range(phrases):
        end = "full" if number == phrases - 1 else ends[int(random.integers(len(ends)))]
        chords = progression(random, mode, last, end)
        for _ in range(_TRIES):
            phrase = _voiced(random, key, mode, chords, voices[-1:], last)
            if phrase is not None:
                break
        else:
            return None
        voices, last = np.concatenate([voices, phrase]), chords[-1]
    voices = with_passing_notes(random, voices, key, mode)
    return as_frames([set(row.tolist()) for row in voices], 4)


def progression(random: np.random.Generator, mode: str, last: Chord | None, end: str) -> list[Chord]:
    """The chords of a phrase, a quarter note each, after the chord `last`."""
    length = int(random.integers(6, 11))
    cadences = CADENCES[end]
    while True:
        tail = cadences[int(random.integers(len(cadences)))]
        chords = [TONIC] if last is None or last.degree == 4 else [_next(random, mode, last)]
        while len(chords) < length - len(tail):
            chords.append(_next(random, mode, chords[-1]))
        if tail[0] in FOLLOWS[chords[-1]]:
            return [*chords, *tail]


def _next(random: np.random.Generator, mode: str, chord: Chord) -> Chord:
    follows = {each: weight for each, weight in FOLLOWS[chord].items() if not (mode == "minor" and each == II)}
    weights = np.array([*follows.values()], float)
    return [*follows][int(random.choice(len(follows), p=weights / weights.sum()))]


def _voiced(
    random: np.random.Generator, key: int, mode: str, chords: list[Chord], before: np.ndarray, last: Chord | None
) -> np.ndarray | None:
    """The chords as voices (L, 4) after the voices `before` (0 or 1, 4) of the chord `last`; None for a dead end."""
    rows = [*before]
    start = 67.0 if not rows else float(rows[-1][0])
    top, end = start + random.uniform(1, 7), random.uniform(63, 72)
    for place, chord in enumerate(chords):
        choices = voicings(key, mode, chord)
        share = place / (len(chords) - 1)
        line = start + (top - start) * 2 * share if share < 0.5 else top + (end - top) * (2 * share - 1)
        cost = doubling_cost(key, mode, chord) + _ARCH * np.abs(choices[:, 0] - np.clip(line, 62, 78))
        if rows:
            allowed = may_follow(rows[-1], choices)
            allowed &= _resolved(rows[-1], choices, key, mode, last, chord)
            choices, cost = choices[allowed], cost[allowed]
            moves = np.abs(choices - rows[-1])
            cost = cost + moves @ _SMOOTH + _HELD * (moves[:, 0] == 0)
        if not len(choices):
            return None
        weights = np.exp(cost.min() - cost)
        rows.append(choices[int(random.choice(len(choices), p=weights / weights.sum()))])
        last = chord
    return np.array(rows[len(before) :])


def may_follow(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Which voicings (W, 4) may follow the voices `here` (4,), bool (W,)."""
    moves = there - here
    allowed = (np.abs(moves[:, :3]) <= 9).all(1) & (np.abs(moves[:, 3]) <= 12)
    allowed &= (there[:, 1:] <= here[:-1]).all(1) & (there[:, :-1] >= here[1:]).all(1)
    for i in range(4):
        for j in range(i + 1, 4):
            before, after = (here[i] - here[j]) % 12, (there[:, i] - there[:, j]) % 12
            allowed &= ~((moves[:, i] != 0) & (moves[:, j] != 0) & (after == before) & ((after == 7) | (after == 0)))
    outer = (there[:, 0] - there[:, 3]) % 12
    same_way = moves[:, 0] * moves[:, 3] > 0
    return allowed & ~(same_way & (np.abs(moves[:, 0]) > 2) & ((outer == 7) | (outer == 0)))


def _resolved(here: np.ndarray, there: np.ndarray, key: int, mode: str, last: Chord | None, chord: Chord) -> np.ndarray:
    """Whether leading tone and seventh of a dominant go on as they should, bool (W,)."""
    fine = np.ones(len(there), bool)
    if last is None or last.degree not in (4, 6) or chord.degree not in (0, 5):
        return fine
    moves = there - here
    for voice in range(4):
        if (here[voice] - key) % 12 == LEADING:
            fine &= moves[:, voice] == 1
        if last.seventh and (here[voice] - key) % 12 == SCALES[mode][3]:
            fine &= (moves[:, voice] < 0) & (moves[:, voice] >= -2)
    return fine


def with_passing_notes(random: np.random.Generator, voices: np.ndarray, key: int, mode: str) -> np.ndarray:
    """The voices (L, 4) with quarter notes put in between where a voice moves by a third over a chord that would last
    two; none that would break a rule of four voices."""
    rows = [voices[0]]
    for after in voices[1:]:
        here = rows[-1]
        thirds = [voice for voice in range(4) if 3 <= abs(int(after[voice] - here[voice])) <= 4]
        if thirds and random.random() < _PASSING:
            between = here.copy()
            for voice in thirds:
                between[voice] = _step(int(here[voice]), int(after[voice]), key, mode)
            three = np.stack([here, between, after])
            counts = broken(three)
            if not sum(count for name, count in counts.items() if name != "strange_chord") and _in_order(between):
                rows.append(between)
        rows.append(after)
    return np.array(rows)


def _in_order(row: np.ndarray) -> bool:
    return bool((row[:-1] > row[1:]).all())


def _step(begin: int, end: int, key: int, mode: str) -> int:
    """The note of the scale between two a third apart."""
    way = 1 if end > begin else -1
    scale = {(key + each) % 12 for each in SCALES[mode]}
    return next((note for note in range(begin + way, end, way) if note % 12 in scale), begin + way)
