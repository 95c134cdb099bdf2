"""The data sources `midi:FOLDER`, a user's own MIDI files, and `jsb:FILE`, chorales as lists of numbers in JSON.

    midi:songs                  all .mid and .midi files in it and below; in folders train and test, or divided
    jsb:jsb-chorales.json       {"train": [[[60, 64, 67, 72], …], …], "test": …}, maybe packed by xz or gzip

The JSON form is that of collections of the JSB chorales (Boulanger-Lewandowski et al. 2012, arXiv:1206.6392), with
their published division. Its part `valid` is not used: a part of the training pieces is held out instead.
"""

import gzip
import json
import lzma
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from torchworks.seq_models.data.chorales import without_silent_ends
from torchworks.seq_models.data.music_config import MusicConfig
from torchworks.seq_models.data.pieces import FEWEST, piece_source
from torchworks.seq_models.music.frames import HIGHEST, LOWEST, as_frames, fingerprint_of
from torchworks.seq_models.music.midi import read_midi
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.files import part_named
from torchworks.shared.data.listing import number_of, some
from torchworks.shared.data.split import split

LICENCE = "not stated (your own data)"
SUFFIXES = (".mid", ".midi")
PACKED = {".xz": lzma.open, ".gz": gzip.open}
MOST_BYTES = 1 << 24
"""Of a file."""
MOST_UNPACKED = 1 << 28


def open_midi(rest: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` that names the files that cannot be used, unless --skip-bad leaves them out."""
    config = MusicConfig.of(config, "midi")
    folder, read, notes = _usable(rest, config)
    train, test, copies = _divided(folder, read, config, seed)
    notes += [f"Training files left out, because testing has the same piece: {copies}."] * bool(copies)
    return piece_source(folder.name or "midi", LICENCE, train, test, notes)


def whole_midi(rest: str, config: MusicConfig) -> list[np.ndarray]:
    """All pieces of a folder, however few there are. Raises `UserError` as `open_midi` does."""
    return [*_usable(rest, config)[1].values()]


def _usable(rest: str, config: MusicConfig) -> tuple[Path, dict[Path, np.ndarray], list[str]]:
    """The folder, its pieces by their files, and notes on what was left out."""
    folder = Path(rest).expanduser()
    if not rest or not folder.is_dir():
        raise UserError(f"'midi:{rest}' should name a folder of MIDI files, as in midi:FOLDER.")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    read, wrong, cut = _read_all(files, config)
    if wrong and not config.skip_bad:
        raise UserError(
            f"{folder} has {number_of(len(wrong), 'file')} that cannot be used: {some(wrong, 10)}. Remove them, or "
            "pass --skip-bad to leave them out."
        )
    if not read:
        raise UserError(f"{folder} has no MIDI file ({' or '.join(SUFFIXES)}) that can be used.")
    notes = [f"Files left out, because they cannot be used: {some(wrong, 10)}."] * bool(wrong)
    notes += [f"Frames of more than {config.voices} notes, of which the middle ones are left out: {cut}."] * bool(cut)
    return folder, read, notes


def _read_all(files: Sequence[Path], config: MusicConfig) -> tuple[dict[Path, np.ndarray], list[str], int]:
    """Pieces by their files, what is wrong with others, and how many frames had too many notes."""
    read: dict[Path, np.ndarray] = {}
    wrong, cut = [], 0
    for file in files:
        try:
            chords = chords_of(file, config.per_quarter)
        except ValueError as error:
            wrong.append(f"{file.name} {error}")
            continue
        frames = without_silent_ends(as_frames(chords, config.voices))
        if len(frames) < FEWEST:
            wrong.append(f"{file.name} has {number_of(len(frames), 'frame')}, and {FEWEST} are the fewest")
            continue
        cut += sum(len(chord) > config.voices for chord in chords)
        read[file] = frames
    return read, wrong, cut


def chords_of(file: Path, per_quarter: int) -> list[set[int]]:
    """Raises `ValueError` with a part of a sentence for a file that cannot be read."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"has more than {MOST_BYTES >> 20} MiB")
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    return read_midi(content).chords(per_quarter)


def _divided(
    folder: Path, read: dict[Path, np.ndarray], config: MusicConfig, seed: int
) -> tuple[list[np.ndarray], list[np.ndarray], int]:
    """Pieces for training and for testing, and how many of training are in both, in whatever key."""
    parts = {file: part_named(file.relative_to(folder).parts[0]) for file in read}
    marks = {file: fingerprint_of(piece).hex() for file, piece in read.items()}
    if set(parts.values()) >= {"train", "test"}:
        test = [file for file in read if parts[file] == "test"]
        tested = {marks[file] for file in test}
        train = [file for file in read if parts[file] == "train" and marks[file] not in tested]
        copies = sum(part == "train" for part in parts.values()) - len(train)
        return [read[file] for file in train], [read[file] for file in test], copies
    pieces = [*read.values()]
    train, test = split([*marks.values()], [0] * len(pieces), config.test_fraction, seed)
    return [pieces[i] for i in train], [pieces[i] for i in test], 0


# ---- JSON ----------------------------------------------------------------------------------------------------


def open_jsb(rest: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` for a file of another form."""
    config = MusicConfig.of(config, "jsb")
    file = Path(rest).expanduser()
    try:
        with PACKED.get(file.suffix, open)(file, "rb") as opened:
            content = opened.read(MOST_UNPACKED + 1)
        if len(content) > MOST_UNPACKED:
            raise ValueError(f"it has more than {MOST_UNPACKED >> 20} MiB")
        values = json.loads(content)
        parts = [[_piece(piece, config.voices) for piece in values[part]] for part in ("train", "test")]
    except OSError as error:
        raise UserError(
            f"{rest or 'jsb:'} cannot be read: {error.strerror or error}. Give a file, as jsb:FILE."
        ) from error
    except (ValueError, KeyError, TypeError, EOFError, RecursionError, lzma.LZMAError, zlib.error) as error:
        raise UserError(
            f'{file} is not of the form {{"train": [[[60, 64], …], …], "test": …}}, pieces of frames of MIDI numbers '
            f"from {LOWEST} to {HIGHEST}: {error!r}."
        ) from error
    train, test = ([piece for piece in part if len(piece)] for part in parts)
    return piece_source(file.name.partition(".")[0], LICENCE, train, test)


def _piece(frames: list[list[int]], voices: int) -> np.ndarray:
    notes = [note for frame in frames for note in frame]
    if wrong := [note for note in notes if type(note) is not int or not LOWEST <= note <= HIGHEST]:
        raise ValueError(f"{wrong[0]!r} is no such number")
    return as_frames(frames, voices)
