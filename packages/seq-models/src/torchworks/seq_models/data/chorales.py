"""The data source `chorales`: Bach's chorales for four voices, from the files of music21, which is not imported.

The files are MusicXML in zip archives. Of each the notes that sound at each quarter note are read; repetitions are
played once. Many chorales are settings of the same hymn: a part has all settings of a hymn or none, as told by their
melodies (`hymns`). The music is Bach's (died 1750); music21's `corpus/license.txt` says that encodings may have terms
of their own, so use them for research and not in a product.
"""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from torchworks.seq_models.data.music_config import MusicConfig
from torchworks.seq_models.data.pieces import FEWEST, piece_source
from torchworks.seq_models.music.frames import as_frames, fingerprint_of
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.packaged import packaged_file
from torchworks.shared.data.split import split

NAME = "chorales"
LICENCE = (
    "Bach's music is in the public domain; the encodings come with music21, whose corpus/license.txt says that some "
    "may not be used commercially"
)
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
GRAM = 6
"""Steps of a melody in a row by which two melodies are compared."""
ALIKE = 0.3
"""Share of these that two settings of one hymn have in common at least."""
_FIRST = "music21/corpus/bach/bwv269.mxl"


def open_chorales(rest: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` if music21 is not installed."""
    if rest:
        raise UserError(f"'{NAME}' takes nothing after its name; '{NAME}:{rest}' was given.")
    MusicConfig.of(config, NAME)
    pieces, copies = without_copies(list(read_chorales(folder_of_files())))
    groups = hymns([piece[:, 0] for piece in pieces])
    train, test = split([str(group) for group in groups], [0] * len(pieces), config.test_fraction, seed)
    notes = (
        f"Chorales: {len(pieces)} ({copies} more are copies) of {len(set(groups))} hymns; all settings of a hymn are "
        "in one part.",
    )
    return piece_source(NAME, LICENCE, [pieces[i] for i in train], [pieces[i] for i in test], notes)


def folder_of_files() -> Path:
    file = packaged_file(
        "music21", _FIRST, said=f"The data '{NAME}' lie", extra="seq-models[music]",
        instead="counterpoint, which is generated, or midi:FOLDER", version="10.5.1",
    )  # fmt: skip
    return file.parent


def read_chorales(folder: Path) -> Iterator[np.ndarray]:
    """The pieces for four voices in a folder of .mxl files, in the order of their names, (L, 4) each."""
    for file in sorted(folder.glob("*.mxl")):
        parts = ElementTree.fromstring(_content(file)).findall("part")
        if len(parts) == 4:
            frames = without_silent_ends(as_frames(_chords([_sung(part) for part in parts]), 4))
            if len(frames) >= FEWEST:
                yield frames


def _content(file: Path) -> bytes:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if not name.startswith("META-INF")]
        return archive.read(next(name for name in names if name.endswith((".xml", ".musicxml"))))


def _sung(part: ElementTree.Element) -> list[tuple[float, float, int]]:
    """Begin and end in quarter notes, and MIDI number, of each note of a voice."""
    notes, time, divisions = [], 0.0, 1
    for item in part.iterfind("measure/*"):
        if item.tag == "attributes":
            divisions = int(item.findtext("divisions") or divisions)
        if item.tag not in ("note", "forward", "backup") or item.find("duration") is None:
            continue
        length = int(item.findtext("duration", "0")) / divisions
        if item.tag == "backup":
            time -= length
            continue
        begin = time - length if item.find("chord") is not None else time
        pitch = item.find("pitch")
        if pitch is not None:
            alter = int(float(pitch.findtext("alter", "0")))
            number = 12 * (int(pitch.findtext("octave", "4")) + 1) + STEPS[pitch.findtext("step", "C")] + alter
            notes.append((begin, begin + length, number))
        time = begin + length
    return notes


def _chords(voices: Sequence[list[tuple[float, float, int]]]) -> list[set[int]]:
    count = int(max((end for voice in voices for _, end, _ in voice), default=0))
    chords: list[set[int]] = [set() for _ in range(count)]
    for begin, end, pitch in (note for voice in voices for note in voice):
        for place in range(int(np.ceil(begin - 1e-6)), min(count, int(np.ceil(end - 1e-6)))):
            chords[place].add(pitch)
    return chords


def without_silent_ends(frames: np.ndarray) -> np.ndarray:
    sounds = np.flatnonzero(frames.any(1))
    return frames[sounds[0] : sounds[-1] + 1] if len(sounds) else frames[:0]


def without_copies(pieces: Sequence[np.ndarray]) -> tuple[list[np.ndarray], int]:
    """Pieces that differ in more than their key, and how many others there were."""
    kept = {fingerprint_of(piece): piece for piece in reversed(pieces)}
    return [*reversed(kept.values())], len(pieces) - len(kept)


def hymns(melodies: Sequence[np.ndarray]) -> list[int]:
    """A number for each melody (L,), the same for settings of one hymn: of the rows of `GRAM` steps in the one with
    fewer, at least `ALIKE` are in the other too, in whatever key and rhythm."""
    grams = [_grams(melody) for melody in melodies]
    groups = list(range(len(melodies)))
    for i, ours in enumerate(grams):
        for j in range(i):
            least = min(len(ours), len(grams[j]))
            if groups[i] != groups[j] and least and len(ours & grams[j]) >= ALIKE * least:
                old, new = groups[i], groups[j]
                groups = [new if group == old else group for group in groups]
    return groups


def _grams(melody: np.ndarray) -> set[tuple[int, ...]]:
    sung = melody[melody > 0]
    steps = [step for step in np.diff(sung).tolist() if step]
    return {tuple(steps[i : i + GRAM]) for i in range(len(steps) - GRAM + 1)}
