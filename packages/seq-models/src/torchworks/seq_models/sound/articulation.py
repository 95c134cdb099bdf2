"""From phonemes to the states of a vocal tract, in their order and with their lengths."""

from collections.abc import Sequence

import numpy as np

from torchworks.seq_models.sound.movement import NEUTRAL, STEP, Phoneme, State, Track, Values, moved
from torchworks.seq_models.sound.phonemes import (
    AFFRICATES,
    DIPHTHONGS,
    DURATIONS,
    FOLLOWS,
    FRICATIVES,
    GLIDES,
    NASALS,
    SILENCE,
    STOPS,
    SYLLABIC,
    VOWELS,
    Formants,
    Noise,
    stress_of,
    without_stress,
)
from torchworks.seq_models.sound.voice import Voice

TIP = frozenset({"T", "D", "S", "Z", "N", "TH", "DH", "SH", "ZH", "CH", "JH", "Y"})
"""Consonants of the tongue's tip, behind which back vowels begin further forward."""
FRONT = 1850.0
"""Hz: where the second formant begins then."""


def articulate(
    words: Sequence[Sequence[str]], voice: Voice, random: np.random.Generator, *, around: tuple[float, float],
    gaps: Sequence[float],
) -> Track:  # fmt: skip
    """The movements for these words."""
    phonemes = _listed(words, around, gaps)
    _time(phonemes, voice, random)
    ends = np.maximum(np.round(np.cumsum([max(item.seconds, STEP) for item in phonemes]) / STEP).astype(int), 0)
    ends = np.maximum.accumulate(np.maximum(ends, np.arange(1, len(ends) + 1)))
    starts = np.concatenate(([0], ends[:-1]))
    own = _own_vowels(voice)
    states, lengths = [], []
    for index in range(len(phonemes)):
        pieces = _states(phonemes, index, voice, own, random)
        total = int(ends[index] - starts[index])
        cuts = np.round(np.cumsum([0.0, *(piece.share for piece in pieces)]) / sum(p.share for p in pieces) * total)
        for piece, length in zip(pieces, np.diff(cuts).astype(int), strict=True):
            if length:
                states.append(piece)
                lengths.append(length)
    _hold(states)
    spans: list[tuple[int, int]] = []
    for word in range(len(words)):
        inside = [i for i, item in enumerate(phonemes) if item.word == word]
        spans.append((int(starts[inside[0]]), int(ends[inside[-1]])))
    segments = [(item.name, int(a), int(b)) for item, a, b in zip(phonemes, starts, ends, strict=True) if b > a]
    return moved(states, np.array(lengths), phonemes, starts, ends, segments, spans, voice, random)


def _hold(states: list[State]) -> None:
    """In silence the tract is already where the next phoneme begins, or still where the last one ended."""
    for index, state in enumerate(states):
        if state.start is NEUTRAL:
            beside = states[index + 1].start if index + 1 < len(states) else states[index - 1].end
            state.start = state.end = beside


def _listed(words: Sequence[Sequence[str]], around: tuple[float, float], gaps: Sequence[float]) -> list[Phoneme]:
    listed = [Phoneme(SILENCE, False, -1, max(around[0], 0.0))]
    for index, word in enumerate(words):
        if index and gaps[index - 1] > 0.02:
            listed.append(Phoneme(SILENCE, False, -1, gaps[index - 1]))
        marked = any(stress_of(phoneme) for phoneme in word)
        waiting = not marked
        for phoneme in word:
            name = without_stress(phoneme)
            stressed = bool(stress_of(phoneme)) if marked else waiting and name in SYLLABIC
            waiting = waiting and name not in SYLLABIC
            listed.append(Phoneme(name, stressed, index, 0.08 if name == SILENCE else 0.0))
    listed.append(Phoneme(SILENCE, False, -1, max(around[1], 0.0)))
    return [item for item in listed if item.seconds > 0 or item.name != SILENCE]


def _time(phonemes: list[Phoneme], voice: Voice, random: np.random.Generator) -> None:
    """Choose the durations: stress and the end of a phrase lengthen."""
    for index, item in enumerate(phonemes):
        if item.name == SILENCE:
            continue
        factor = (1.15 if item.stressed else 0.82) if item.name in SYLLABIC else 1.0
        rest = [other.name for other in phonemes[index + 1 : index + 4]]
        if SILENCE in rest or len(rest) < 3:
            factor *= 1.3 if item.name in SYLLABIC | set(NASALS) else 1.15
        if item.name in SYLLABIC and rest and rest[0] in ("P", "T", "K", "F", "S", "TH", "SH", "CH"):
            factor *= 0.85  # vowels are shorter before a voiceless consonant
        item.seconds = DURATIONS[item.name] * factor / voice.speed * float(np.exp(random.normal(0, voice.variability)))


def _own_vowels(voice: Voice) -> dict[str, Values]:
    """Factors of the formants of each sonorant by this speaker's accent."""
    random = np.random.default_rng(voice.accent)
    spread = voice.accent_strength * np.array([1.0, 1.0, 0.5])
    return {name: np.exp(random.normal(0, 1, 3) * spread) for name in (*VOWELS, *DIPHTHONGS, *GLIDES)}


def _vowel_beside(phonemes: list[Phoneme], index: int) -> tuple[Formants, Formants]:
    """Formants of what is before and behind the consonant: of the vowels beside it, or neutral."""

    def formants(name: str, end: bool) -> Formants:
        if name in DIPHTHONGS:
            return DIPHTHONGS[name][1 if end else 0]
        return VOWELS.get(name) or GLIDES.get(name) or (500.0, 1500.0, 2500.0)

    before = phonemes[index - 1].name if index else SILENCE
    near = (item.name for item in phonemes[index + 1 : index + 3])
    after = next((name for name in near if name in SYLLABIC or name in GLIDES), SILENCE)
    behind = formants(after, end=False)
    return (formants(before, end=True) if before in SYLLABIC | set(GLIDES) else behind), (
        behind if after != SILENCE else formants(before, end=True)
    )


def _towards(name: str, locus: Formants, vowel: Formants) -> Values:
    follow = FOLLOWS[name]
    return np.array(
        [locus[0], locus[1] + follow * (vowel[1] - locus[1]), locus[2] + 0.5 * follow * (vowel[2] - locus[2])]
    )


def _states(
    phonemes: list[Phoneme], index: int, voice: Voice, own: dict[str, Values], random: np.random.Generator
) -> list[State]:
    item, name = phonemes[index], phonemes[index].name
    wobble = np.exp(random.normal(0, 0.02 + 0.3 * voice.accent_strength, 3))
    if name == SILENCE:
        return [State(1.0, NEUTRAL, NEUTRAL)]
    if name in SYLLABIC:
        previous = phonemes[index - 1].name if index else SILENCE
        return _vowel(item, voice, own[name] * wobble, previous in TIP)
    before, after = _vowel_beside(phonemes, index)
    if name in GLIDES:
        place = _towards(name, GLIDES[name], after) * own[name] * wobble
        return [State(1.0, place, place, voicing=0.75 if name in "LR" else 0.65, damping=0.2, lift=0.5 * voice.lift)]
    if name == "HH":
        return [State(1.0, np.array(after), np.array(after), aspiration=0.16 + 0.1 * voice.breath, damping=1.2)]
    if name in NASALS:
        formants, zero = NASALS[name]
        first, second = _towards(name, formants, before), _towards(name, formants, after)
        return [State(1.0, first, second, voicing=0.7, nasal=1.0, zero=zero, damping=0.3, lift=voice.lift)]
    if name in FRICATIVES:
        noise, locus, voiced = FRICATIVES[name]
        first, second = _towards(name, locus, before), _towards(name, locus, after)
        noise = _varied(noise, voice, random)
        return [State(1.0, first, second, voicing=0.4 if voiced else 0.0, noise=noise, damping=0.8)]
    return _stop(phonemes, index, voice, before, after, random)


def _vowel(item: Phoneme, voice: Voice, factor: Values, behind_tip: bool) -> list[State]:
    care = voice.carefulness * (1.0 if item.stressed or item.name in DIPHTHONGS else 0.9)
    loud = 1.0 if item.stressed else 0.75

    def place(formants: Formants) -> Values:
        return (NEUTRAL + care * (np.array(formants) - NEUTRAL)) * factor

    def state(share: float, start: Values, end: Values) -> State:
        return State(share, start, end, voicing=loud, aspiration=voice.breath * loud, nasal=voice.nasality, zero=450.0)

    if item.name in VOWELS:
        only = place(VOWELS[item.name])
        return [state(0.5, _fronted(only, voice, behind_tip), only), state(0.5, only, only)]
    first, last = (place(formants) for formants in DIPHTHONGS[item.name])
    begin = _fronted(first, voice, behind_tip and item.name == "OW")
    return [state(0.35, begin, first), state(0.45, first, last), state(0.2, last, last)]


def _fronted(place: Values, voice: Voice, behind_tip: bool) -> Values:
    """Where a back vowel begins: further forward behind a consonant of the tongue's tip."""
    if not behind_tip or place[1] >= FRONT:
        return place
    return np.array([place[0], place[1] + voice.fronting * (FRONT - place[1]), place[2]])


def _varied(noise: Noise, voice: Voice, random: np.random.Generator) -> Noise:
    """The same noise, a little stronger or weaker, higher or lower, wider or narrower."""
    strength, height, width = random.normal(0, voice.variability, 3)
    return Noise(
        noise.centre * float(np.exp(0.6 * height)), noise.width * float(np.exp(width)),
        noise.level * float(np.exp(2.0 * strength)),
    )  # fmt: skip


def _stop(
    phonemes: list[Phoneme], index: int, voice: Voice, before: Formants, after: Formants, random: np.random.Generator
) -> list[State]:
    """Closure, burst and aspiration of a stop; the friction of an affricate."""
    name = phonemes[index].name
    noise, locus, voiced = {**STOPS, **AFFRICATES}[name]
    first, second = _towards(name, locus, before), _towards(name, locus, after)
    if name in ("K", "G"):  # the burst is where the second formant is
        noise = Noise(second[1] * 1.02, noise.width, noise.level)
    bar = 0.16 if voiced else 0.0
    noise = _varied(noise, voice, random)
    follows = phonemes[index + 1].name if index + 1 < len(phonemes) else SILENCE
    if follows == SILENCE and name not in AFFRICATES and random.random() > voice.release:
        return [State(1.0, first, first, voicing=0.5 * bar, damping=1.0)]
    if name in AFFRICATES:
        return [
            State(0.4, first, second, voicing=bar, damping=1.0),
            State(0.6, second, second, voicing=bar, noise=noise, damping=0.8),
        ]
    if voiced:
        return [
            State(0.75, first, second, voicing=bar, damping=1.5),
            State(0.25, second, second, voicing=0.3, noise=noise, damping=0.5),
        ]
    behind_s = index > 0 and phonemes[index - 1].name == "S"
    breath = 0.04 if behind_s else 0.18
    if follows in FRICATIVES or follows in STOPS or follows == SILENCE:
        breath = 0.06
    return [
        State(0.5, first, second, damping=1.0),
        State(0.17, second, second, noise=noise, aspiration=0.06, damping=1.0),
        State(0.33, second, (second + np.array(after)) / 2, aspiration=breath, damping=1.2),
    ]
