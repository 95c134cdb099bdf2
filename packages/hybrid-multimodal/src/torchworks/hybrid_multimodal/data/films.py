"""The data source `films:FOLDER` or `films:TABLE.csv`: a user's own films with a class each (see `films_listing.py`).

A film becomes `--loader.frames` frames, taken evenly over its time, each of `--loader.image-size` pixels: the shorter
side is resized to it, the middle is kept. A sample is {"clip": uint8 (T, C, S, S), "label": int64 ()}.

The split keeps together what belongs together: films of one group, and films with the same contents. A split that the
data bring is refused if a group is in both parts, and training films that are test films too are left out. Films that
are nearly the same in both parts, such as one film in two encodings, are named.

Shape letters: N films, T frames, C channels, S pixels along a frame.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from torchworks.hybrid_multimodal.data.films_config import FilmConfig
from torchworks.hybrid_multimodal.data.films_listing import FilmListing, ListedFilm, frames_in, list_films
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data.film_files import Film, TooLarge, read_film, read_frames
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.listing import look_alikes, some
from torchworks.shared.data.report import CheckedOpener, Report, of_source
from torchworks.shared.data.schema import Field, Schema
from torchworks.shared.data.source import Source
from torchworks.shared.data.split import fingerprint, split
from torchworks.shared.machine.facts import cpu_threads
from torchworks.shared.runs.outputs import progress

if TYPE_CHECKING:
    from torch import Tensor

    from torchworks.shared.data.dataset import TensorDataset

NAME = "films"
HELD_BYTES = 1 << 30
"""Of decoded films that are kept from looking at them; others are decoded again."""
LOOKS, LOOK = 4, 8
"""Frames, and pixels along each, by which films are compared."""
NEAR = 2.0
"""Mean difference of films that are nearly the same, of 255."""


@dataclass(frozen=True)
class FilmScan:
    """What is known of a film. `error` says why it cannot be used, and the rest is then empty."""

    digest: str = ""
    """What stays together in a split has one: its contents, or its group."""
    contents: str = ""
    look: np.ndarray | None = None
    """A few small grey frames, float32 (LOOKS · LOOK²,)."""
    frames: int = 0
    width: int = 0
    height: int = 0
    pixels: np.ndarray | None = None
    """uint8 (T, C, S, S), if it is kept."""
    error: str = ""
    too_long: bool = False


class FilmDataset:
    """Films, decoded when asked for unless they are kept."""

    def __init__(self, films: Sequence[ListedFilm], scans: Sequence[FilmScan], labels: Sequence[int], schema: Schema):
        self.films, self.scans, self.schema = list(films), list(scans), schema
        self._labels = np.array(labels, np.int64)
        self._resident: TensorDataset | None = None

    def __len__(self) -> int:
        return len(self.films)

    def __getitem__(self, i: int) -> "dict[str, Tensor]":
        import torch

        kept = self.scans[i].pixels
        if kept is None:
            frames, channels, size, _ = self.schema["clip"].shape
            try:
                kept = decode(self.films[i].path, frames, channels, size).pixels
            except Unreadable as error:
                raise UserError(
                    f"The film {self.films[i].path} could be read when the data were opened, but cannot be any more: "
                    f"{error}. Put it back and resume."
                ) from error
        return {"clip": torch.from_numpy(kept), "label": torch.tensor(self._labels[i])}

    @property
    def labels(self) -> "Tensor":
        import torch

        return torch.from_numpy(self._labels)

    def resident(self) -> "TensorDataset":
        """All of it, decoded the first time it is asked for."""
        from torchworks.shared.data.dataset import gather

        self._resident = self._resident or gather(self)
        return self._resident


def decode(path: Path, frames: int, channels: int, size: int) -> Film:
    """A film file or a folder of frames. Raises `Unreadable`."""
    if path.is_dir():
        return read_frames(frames_in(path), frames=frames, channels=channels, size=size)
    return read_film(path, frames=frames, channels=channels, size=size)


# ------------------------------------------------------------------------------------------------------- scanning


def scan_films(listing: FilmListing, config: FilmConfig) -> list[FilmScan]:
    """Decode each film once, by as many threads as there are CPUs for this process."""
    channels = config.channels or 3
    each = config.frames * channels * config.image_size**2
    keep = each * len(listing.films) <= HELD_BYTES

    def one(film: ListedFilm) -> FilmScan:
        try:
            found = decode(film.path, config.frames, channels, config.image_size)
            contents = _contents(film.path)
        except (Unreadable, OSError) as error:
            return FilmScan(error=str(error), too_long=isinstance(error, TooLarge))
        if found.frames < 2 <= config.frames:
            folder = "" if film.path.is_dir() else "; frames of one film belong in a folder of their own"
            return FilmScan(error=f"it has one frame only{folder}", frames=found.frames)
        tie = f"group {film.group}" if film.group else contents
        size, kept = (found.frames, found.width, found.height), found.pixels if keep else None
        return FilmScan(tie, contents, _look(found.pixels), *size, kept)

    with ThreadPoolExecutor(cpu_threads()) as pool:
        return list(progress(pool.map(one, listing.films), "looking at films", len(listing.films)))


def _contents(path: Path) -> str:
    """SHA-256 of the bytes of a film, 16 hexadecimal digits."""
    whole = hashlib.sha256()
    for file in frames_in(path) if path.is_dir() else [path]:
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


def _look(pixels: np.ndarray) -> np.ndarray:
    """What films are compared by."""
    rows = np.linspace(0, len(pixels) - 1, LOOKS).round().astype(int)
    grey = pixels[rows].astype(np.float32).mean(1)  # (LOOKS, S, S)
    edges = np.linspace(0, grey.shape[-1], LOOK + 1).astype(int)[:-1]
    if grey.shape[-1] < LOOK:
        return grey.mean((1, 2)).repeat(LOOK * LOOK)
    sums = np.add.reduceat(np.add.reduceat(grey, edges, 1), edges, 2)
    counts = np.diff([*edges, grey.shape[-1]])
    return (sums / (counts[:, None] * counts)).reshape(-1)


def nearly_same(train: Sequence[FilmScan], test: Sequence[FilmScan]) -> list[tuple[int, int]]:
    """Pairs (training film, test film) that differ by `NEAR` at most; one for each test film."""
    looks = [np.stack([scan.look for scan in part if scan.look is not None]) for part in (train, test)]
    pairs = []
    for i, look in enumerate(looks[1]):
        if look.std() < 1:  # a film of one color resembles all others
            continue
        distance = np.abs(looks[0] - look).mean(1)
        if distance.min() <= NEAR:
            pairs.append((int(distance.argmin()), i))
    return pairs


# ------------------------------------------------------------------------------------------------------- source


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    config = FilmConfig.of(config, NAME)
    listing = list_films(rest)
    return _source(listing, scan_films(listing, config), config, seed)


def _source(listing: FilmListing, scans: list[FilmScan], config: FilmConfig, seed: int) -> Source:
    good, notes = _usable(listing, scans, config.skip_bad)
    films = listing.films
    number = {name: i for i, name in enumerate(listing.classes)}
    labels = [number[film.label] for film in films]
    if torn := _torn(listing, scans):
        raise UserError(f"{listing.base} cannot be trained on. {torn}")
    train, test, more = _parts(listing, scans, good, labels, config, seed)
    lost = sorted({films[i].label for i in test} - {films[i].label for i in train})
    if lost:
        raise UserError(
            f"{listing.base}: no training film is left of {len(lost)} classes ({some(lost)}), so they cannot be "
            "learnt. Give more films or more groups of these, or leave them out."
        )
    near = nearly_same([scans[i] for i in train], [scans[i] for i in test])
    if near:
        named = some([f"{films[train[a]].name} = {films[test[b]].name}" for a, b in near], 3)
        notes.append(
            f"Test films that look nearly as a training film does: {len(near)} ({named}). If they are the same, name "
            "them with one group in a table: a net knows them already."
        )
    channels = config.channels or 3
    clip = Field("clip", "clip", (config.frames, channels, config.image_size, config.image_size))
    schema = Schema((clip, Field("label", "label", (), listing.classes)))
    train_part, test_part = (
        FilmDataset([films[i] for i in rows], [scans[i] for i in rows], [labels[i] for i in rows], schema)
        for rows in (train, test)
    )
    mark = fingerprint(*([f"{scans[i].contents} {labels[i]}" for i in rows] for rows in (train, test)))
    everything = (*listing.notes, *look_alikes(listing.classes), *notes, *more)
    return Source(listing.base.stem, "not stated (your own data)", train_part, test_part, schema, mark, everything)


def _torn(listing: FilmListing, scans: Sequence[FilmScan]) -> str:
    """A sentence about films that are there under different labels."""
    torn = [group for group in _repeated(listing, scans) if len({film.label for film in group}) > 1]
    named = some([" = ".join(film.name for film in group[:3]) for group in torn])
    return f"The same film under different labels: {len(torn)} ({named}). Keep one of each." if torn else ""


def _repeated(listing: FilmListing, scans: Sequence[FilmScan]) -> list[list[ListedFilm]]:
    """Films with the same contents."""
    same = defaultdict(list)
    for film, scan in zip(listing.films, scans, strict=True):
        if scan.contents:
            same[scan.contents].append(film)
    return [group for group in same.values() if len(group) > 1]


def _usable(listing: FilmListing, scans: Sequence[FilmScan], skip_bad: bool) -> tuple[list[int], list[str]]:
    """The films that can be used, and a note about the others."""
    bad = [i for i, scan in enumerate(scans) if scan.error]
    if not bad:
        return list(range(len(scans))), []
    named = some([f"{listing.films[i].name} ({scans[i].error})" for i in bad])
    if len(bad) == len(scans):
        raise UserError(f"None of the {len(scans)} films in {listing.base} can be used: {named}.")
    if not skip_bad:
        raise UserError(
            f"{len(bad)} of {len(scans)} films in {listing.base} cannot be used: {named}. Repair or remove them, or "
            "leave them out with --loader.skip-bad."
        )
    return [i for i, scan in enumerate(scans) if not scan.error], [f"Films left out: {len(bad)} ({named})."]


def _parts(
    listing: FilmListing,
    scans: Sequence[FilmScan],
    good: list[int],
    labels: Sequence[int],
    config: FilmConfig,
    seed: int,
) -> tuple[list[int], list[int], list[str]]:
    """The films (train, test), and notes."""
    films, notes = listing.films, []
    if films[0].part:
        train, test = ([i for i in good if films[i].part == part] for part in ("train", "test"))
        shared = {films[i].group for i in train} & {films[i].group for i in test} - {""}
        if shared:
            raise UserError(
                f"{listing.base} has films of {len(shared)} groups ({some(sorted(shared))}) both for training and for "
                "testing. A net would be asked about what it knows: put each group into one part, or leave out the "
                "column split, and the groups are divided for you."
            )
        held = {scans[i].contents for i in test}
        leaks = [i for i in train if scans[i].contents in held]
        train = [i for i in train if scans[i].contents not in held]
        if leaks:
            named = some([films[i].name for i in leaks], 3)
            notes.append(
                f"Training films that are test films too were left out of the training: {len(leaks)} ({named})."
            )
    else:
        ties = _ties(scans)
        places = split([ties[i] for i in good], [labels[i] for i in good], config.test_fraction, seed)
        train, test = ([good[place] for place in part] for part in places)
        if (groups := len({film.group for film in films} - {""})) > 0:
            notes.append(f"The split keeps {groups} groups whole.")
    if not (train and test):
        raise UserError(
            f"No film in {listing.base} is left for {'training' if not train else 'testing'}: at least two films of a "
            "class that are not of one group are needed."
        )
    return train, test, notes


def _ties(scans: Sequence[FilmScan]) -> list[str]:
    """What each film stays together with: its group and, through films with the same contents, others too."""
    of_contents: dict[str, str] = {}
    for scan in scans:
        if scan.contents:
            of_contents.setdefault(scan.contents, scan.digest)
    joined: dict[str, str] = {}

    def root(name: str) -> str:
        while name in joined:
            name = joined[name]
        return name

    for scan in scans:
        if scan.contents and (a := root(scan.digest)) != (b := root(of_contents[scan.contents])):
            joined[a] = b
    return [root(scan.digest) for scan in scans]


# -------------------------------------------------------------------------------------------------------- check


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    from torchworks.hybrid_multimodal.data.films_plots import draw_films

    config = FilmConfig.of(config, NAME)
    listing = list_films(spec.partition(":")[2])
    scans = scan_films(listing, config)
    findings = list(_findings(listing, scans))
    source = None
    try:
        source = _source(listing, scans, replace(config, skip_bad=True), seed)
        left_out = "Films left out"
        findings += [
            Finding("warning" if "nearly" in note or "test films too" in note else "fact", note)
            for note in source.notes
            if not note.startswith(left_out)
        ]
        findings += of_source(source)
    except UserError as error:
        findings.append(Finding("problem", str(error)))
    return Report(spec, graded(findings), source, draw_films)


def _findings(listing: FilmListing, scans: Sequence[FilmScan]) -> Iterator[Finding]:
    films = listing.films
    kinds = {
        "Films that are too long or too large": [i for i, scan in enumerate(scans) if scan.too_long],
        "Films of one frame": [i for i, scan in enumerate(scans) if scan.error and scan.frames],
        "Films that cannot be read": [
            i for i, scan in enumerate(scans) if scan.error and not scan.frames and not scan.too_long
        ],
    }
    for title, rows in kinds.items():
        if rows:
            named = some([f"{films[i].name} ({scans[i].error})" for i in rows])
            yield Finding(
                "problem", f"{title}: {len(rows)} ({named}). Repair or remove them, or use --loader.skip-bad."
            )
    if rest := [group for group in _repeated(listing, scans) if len({film.label for film in group}) == 1]:
        named = some([" = ".join(film.name for film in group[:3]) for group in rest])
        yield Finding("warning", f"Films that are there more than once: {len(rest)} ({named}).")
    counts = sorted(scan.frames for scan in scans if not scan.error)
    if counts:
        sizes = Counter((scan.width, scan.height) for scan in scans if not scan.error).most_common(3)
        listed = ", ".join(f"{width} × {height}" for (width, height), _ in sizes)
        yield Finding("fact", f"{len(counts)} films of {counts[0]} to {counts[-1]} frames; commonest sizes: {listed}.")


open_films = CheckedOpener(_open, _check)
"""For an entry point in the group `torchworks.sources`."""
