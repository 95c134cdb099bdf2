"""A user's own sounds with transcripts: `sounds:FOLDER`.

    FOLDER/transcripts.csv                  path,text,speaker,split       (speaker and split may be missing)
    FOLDER/a.wav  FOLDER/a.txt              or else a text file of the same name beside each sound

Sounds are WAV or FLAC files of any rate, in any sub-folder; several channels become their mean. Transcripts are taken
in lower case, with single spaces. Where the table has no split, whole speakers are held back for testing if it names
at least three; otherwise sounds are.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from torchworks.seq_models.sound.config import SoundConfig, as_sounds
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Source
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.listing import some
from torchworks.shared.data.report import Finding, Report, graded
from torchworks.shared.data.sounds import SUFFIXES, Sound, read_sound, resampled
from torchworks.shared.data.split import digests, split

NAME = "sounds"
TABLE = "transcripts.csv"
LICENCE = "not stated (your own data)"
CLIPPED = 0.001
"""Share of samples at the limit from which on a sound counts as clipped."""
SILENT = 0.002
"""Root mean square, of 1, below which a sound counts as silent."""
FASTEST_SPEECH = 30.0
"""Characters a second that nobody says: then the rate in the file, or the transcript, is wrong."""
SLOWEST_SPEECH = 0.5
MOST_NAMED = 5


@dataclass(frozen=True)
class Row:
    """A sound file, its transcript, and who speaks; `part` is train, test or nothing."""

    file: Path
    text: str
    speaker: str = ""
    part: str = ""


def normalized(text: str) -> str:
    """In lower case with single spaces."""
    return " ".join(text.lower().split())


def list_rows(path: str) -> tuple[list[Row], list[str]]:
    """The rows of a folder, and sentences about what has no transcript or no file. Raises `UserError` if there is
    nothing."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder. Give a folder of WAV or FLAC files with their transcripts.")
    table = folder / TABLE
    rows, notes = _of_table(table) if table.is_file() else _of_texts(folder)
    if not rows:
        raise UserError(
            f"{folder} has no sound with a transcript. Write {TABLE} there, with the columns path and text, or a file "
            "a.txt beside each a.wav or a.flac."
        )
    return rows, notes


def _of_table(table: Path) -> tuple[list[Row], list[str]]:
    from torchworks.shared.data.text_tables import read_cells

    rows, missing = [], []
    for line, cells in read_cells(table, ("path", "text")):
        file = table.parent / cells["path"]
        if not file.is_file():
            missing.append(f"line {line}: {cells['path']}")
            continue
        rows.append(Row(file, normalized(cells["text"]), cells.get("speaker") or "", cells.get("split") or ""))
    notes = [f"Files that {TABLE} names but that are not there: {len(missing)} ({some(missing, MOST_NAMED)})."]
    return rows, notes if missing else []


def _of_texts(folder: Path) -> tuple[list[Row], list[str]]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    rows, without = [], []
    for file in files:
        beside = file.with_suffix(".txt")
        if beside.is_file():
            rows.append(Row(file, normalized(beside.read_text(encoding="utf-8", errors="replace"))))
        else:
            without.append(str(file.relative_to(folder)))
    notes = [f"Sounds without a transcript beside them: {len(without)} ({some(without, MOST_NAMED)})."]
    return rows, notes if without else []


def open_sounds(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. Raises `UserError` naming what is wrong with
    sounds that cannot be used; with --skip-bad they are left out."""
    return _opened(rest, as_sounds(config), seed, whole=False)


def whole_sounds(rest: str, config: LoaderConfig) -> Source:
    """The same with all sounds for training and for testing: for scoring a trained model."""
    return _opened(rest, as_sounds(config), 0, whole=True)


def _opened(rest: str, config: SoundConfig, seed: int, *, whole: bool) -> Source:
    from torchworks.seq_models.data.utterances import Utterance, utterance_source

    rows, notes = list_rows(rest)
    good, items, bad = [], [], []
    for row in rows:
        try:
            sound = read_sound(row.file, config.longest)
            if not row.text:
                raise Unreadable("its transcript is empty")
        except (Unreadable, OSError) as error:
            bad.append(f"{row.file.name}: {error}")
            continue
        good.append(row)
        items.append(Utterance.of(resampled(sound.samples, sound.rate, config.rate), row.text, str(row.file)))
    if bad and not config.skip_bad:
        raise UserError(
            f"Sounds of {rest} that cannot be used: {len(bad)} ({some(bad, MOST_NAMED)}). Put them right or take them "
            "out, or pass --skip-bad."
        )
    notes = [*notes, f"Sounds left out: {len(bad)} ({some(bad, MOST_NAMED)})."] if bad else notes
    if not items:
        raise UserError(f"{rest} has no sound that can be used.")
    every = range(len(items))
    parts = (every, every) if whole else _parts(good, items, config, seed)
    train, test = ([items[i] for i in part] for part in parts)
    if not train or not test:
        raise UserError(
            f"{rest} gives {len(train)} sounds for training and {len(test)} for testing; both need one. Add sounds, or "
            "change the column split."
        )
    return utterance_source(Path(rest).name or NAME, LICENCE, train, test, config.rate, notes)


def _parts(rows: Sequence[Row], items: Sequence, config: SoundConfig, seed: int) -> tuple[list[int], list[int]]:
    if any(row.part for row in rows):
        return tuple([i for i, row in enumerate(rows) if row.part == part] for part in ("train", "test"))  # ty: ignore
    speakers = sorted({row.speaker for row in rows})
    if len(speakers) >= 3:
        marks = [row.speaker for row in rows]
        return split(marks, [0] * len(rows), config.test_fraction, seed)
    return split([_mark(item.samples) for item in items], [0] * len(rows), config.test_fraction, seed)


def _mark(samples: np.ndarray) -> str:
    return digests(samples[None])[0]


# ---- check -------------------------------------------------------------------------------------------------


def check_sounds(spec: str, config: LoaderConfig, seed: int) -> Report:
    """Look at every sound: unreadable, over-long, clipped, silent, mis-rated ones, and odd transcripts."""
    settings = as_sounds(config)
    rows, notes = list_rows(spec.partition(":")[2])
    found = [Finding("warning", note) for note in notes]
    found += [*_of_sounds(rows, settings), *_of_transcripts(rows)]
    source = None
    try:
        skipping = SoundConfig(rate=settings.rate, longest=settings.longest, skip_bad=True)
        source = open_sounds(spec.partition(":")[2], skipping, seed)
        counts = f"{len(source.train)} sounds for training and {len(source.test)} for testing"
        found.append(Finding("fact", f"{counts}. Licence: {source.licence}."))
    except UserError as error:
        found.append(Finding("problem", str(error)))
    return Report(spec, graded(found), source)


def _of_sounds(rows: Sequence[Row], config: SoundConfig) -> Iterator[Finding]:
    wrong: dict[str, list[str]] = defaultdict(list)
    rates: dict[int, list[str]] = defaultdict(list)
    seconds = 0.0
    for row in rows:
        try:
            sound = read_sound(row.file)
        except (Unreadable, OSError) as error:
            wrong["unreadable"].append(f"{row.file.name}: {error}")
            continue
        seconds += sound.seconds
        rates[sound.rate].append(row.file.name)
        for kind in _wrong_with(sound, row, config):
            wrong[kind].append(row.file.name)
    yield Finding("fact", f"{len(rows)} sounds, {seconds:.0f} s, rates (Hz): {', '.join(map(str, sorted(rates)))}.")
    texts = {
        "unreadable": ("problem", "Sounds that cannot be read"),
        "long": ("problem", f"Sounds longer than {config.longest:g} s, which --loader.longest allows"),
        "silent": ("problem", "Sounds that are silent"),
        "clipped": ("warning", f"Clipped sounds, with more than {CLIPPED:.1%} of the samples at the limit"),
        "fast": ("warning", f"Sounds with more than {FASTEST_SPEECH:g} characters a second: is their rate right?"),
        "slow": ("warning", f"Sounds with less than {SLOWEST_SPEECH:g} characters a second: is their rate right?"),
        "low": ("warning", f"Sounds of a lower rate than {config.rate:,} Hz, whose high frequencies are missing"),
    }
    for kind, (level, text) in texts.items():
        if names := wrong[kind]:
            yield Finding(level, f"{text}: {len(names)} ({some(names, MOST_NAMED)}).")  # ty: ignore


def _wrong_with(sound: Sound, row: Row, config: SoundConfig) -> Iterator[str]:
    if sound.seconds > config.longest:
        yield "long"
    if float(np.sqrt(np.mean(np.square(sound.samples, dtype=np.float64)))) < SILENT:
        yield "silent"
    if sound.clipped > CLIPPED:
        yield "clipped"
    if len(row.text) > FASTEST_SPEECH * sound.seconds:
        yield "fast"
    if row.text and len(row.text) < SLOWEST_SPEECH * sound.seconds:
        yield "slow"
    if sound.rate < config.rate:
        yield "low"


def _of_transcripts(rows: Sequence[Row]) -> Iterator[Finding]:
    if empty := [row.file.name for row in rows if not row.text]:
        yield Finding("problem", f"Sounds with an empty transcript: {len(empty)} ({some(empty, MOST_NAMED)}).")
    used: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for sign in set(row.text):
            used[sign].append(row.file.name)
    yield Finding("fact", f"Characters of the transcripts: {''.join(sorted(used))!r}.")
    odd = {sign: names for sign, names in used.items() if not (sign.isalpha() or sign in " '-")}
    for sign, names in sorted(odd.items()):
        text = f"Transcripts with {sign!r}, which is no letter, space, apostrophe or hyphen: write words as they sound"
        yield Finding("warning", f"{text}: {len(names)} ({some(names, MOST_NAMED)}).")


open_sound_folder = CheckedOpener(open_sounds, check_sounds)
"""The source with its check, for the entry point."""
