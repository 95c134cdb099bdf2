"""The data source `captioned:FOLDER`: a user's own images with a caption each.

    photos/captions.csv        file,caption               a table, also .tsv or .jsonl; the column split may be missing
                               cats/1.png,a black cat

    photos/cats/1.png          or a text file of the same name beside each image
    photos/cats/1.txt          a black cat

    photos/train/…, photos/test/…      either of them below, if the data bring their own split

Columns may also be called file_name and text, and the table metadata, as other tools have it. A file with several
lines in a table has several captions, each a sample. Images of any size are cropped at their middle and resized. Line
ends and runs of spaces in a caption count as one space.

The command `check captioned:FOLDER` names what is wrong; `--skip-bad` leaves out what would stop a training.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, nearest
from torchworks.shared.data import CheckedOpener, FileDataset, Report, Schema, Source
from torchworks.shared.data.captions import caption_schema, draw_captioned
from torchworks.shared.data.files import Finder, choose_parts, ending, entries, folders_in, part_named, read_text, walk
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.images import Scan, is_image_file
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import Listing, contradictions, scan_listing, some, split_listing, usable
from torchworks.shared.data.report import copies, counted, modes, of_source, sizes, stored, unreadable
from torchworks.shared.data.split import fingerprint
from torchworks.shared.data.text_tables import read_cells
from torchworks.shared.text import Words

NAME = "captioned"
TABLES = ("captions.csv", "captions.tsv", "captions.jsonl", "metadata.csv", "metadata.jsonl")
"""What a table of captions may be called."""
FILE, CAPTION = ("file", "file_name"), ("caption", "text")
"""What its columns may be called."""
LONGEST = 32
"""Words and punctuation marks of a caption that a model reads, unless it is told otherwise."""
FAULTS = {
    "missing": ("problem", "Captions whose image is not there"),
    "empty": ("problem", "Images whose caption is empty"),
    "encoding": ("problem", "Files of captions that are no text in UTF-8"),
    "part": ("problem", "Lines whose split is neither train nor test"),
    "uncaptioned": ("warning", "Images without a caption, left out"),
    "texts": ("warning", "Text files without an image of their name, left out"),
}
"""What can be wrong: how grave it is, and what is said of it."""
LISTED = 10
"""How many of a kind a report names."""


@dataclass(frozen=True)
class Row:
    """An image, its name in messages, its caption, and its part: train, test, or nothing."""

    file: Path
    name: str
    caption: str
    part: str = ""


@dataclass
class Folder:
    """What is in a folder of captioned images."""

    base: Path
    rows: list[Row] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    warnings: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()

    @property
    def listing(self) -> Listing:
        parts = [row.part for row in self.rows] if any(row.part for row in self.rows) else []
        return Listing(
            base=self.base,
            files=[row.file for row in self.rows],
            names=[row.name for row in self.rows],
            labels=[0] * len(self.rows),
            classes=(),
            parts=parts,
            notes=self.warnings,
            facts=self.facts,
        )


class CaptionedImages(FileDataset):
    """Images decoded when asked for, each with its caption."""

    def __init__(self, files: Sequence[Path], captions: Sequence[str], schema: Schema, scans: Sequence[Scan] = ()):
        super().__init__(files, None, schema, scans)
        self.captions = list(captions)

    def preview(self, i: int) -> dict[str, np.ndarray]:
        caption = np.array(bytearray(self.captions[i].encode()), np.uint8)
        return super().preview(i) | {"caption": caption}


# --------------------------------------------------------------------------------------------------------- read


def read_folder(path: str) -> Folder:
    """Raises `UserError` if there is no such folder, or no caption in it."""
    base = Path(path).expanduser()
    if not path or not base.is_dir():
        what = f"{base} is a file, not a folder" if base.is_file() else f"There is no folder {base}"
        raise UserError(
            f"{what if path else f'The data source {NAME!r} needs a folder'}. Give a folder of images as {NAME}:PATH, "
            f"with {TABLES[0]}, which has the columns file and caption, or a text file called as the image beside each."
        )
    folder, inventory = Folder(base), Inventory(base)
    for part, inside in _parts(base, inventory).items():
        _read_part(folder, part, inside, inventory)
    folder.warnings, folder.facts = inventory.lines()
    if not folder.rows:
        said = " ".join(_sentences(folder))
        raise UserError(
            f"No image in {base} has a caption. Write {base / TABLES[0]} with the columns file and caption, or a text "
            f"file of the same name beside each image. {said}".strip()
        )
    return folder


def _parts(base: Path, inventory: Inventory) -> dict[str, Path]:
    """The folders of a split that the data bring, else the folder itself for ''."""
    if any((base / name).is_file() for name in TABLES):
        return {"": base}
    chosen, others = choose_parts([folder.name for folder in folders_in(base)])
    for name in others if chosen else ():
        inventory.leave("A further part of the split", base / name)
    return {part: base / name for part, name in chosen.items()} or {"": base}


def _read_part(folder: Folder, part: str, inside: Path, inventory: Inventory) -> None:
    images = [file for file in walk(inside) if is_image_file(file)]
    table = next((entry for name in TABLES for entry in entries(inside) if entry.name.lower() == name), None)
    rows = _from_table(folder, part, table) if table else _from_texts(folder, part, inside, images, inventory)
    named = {row.file for row in rows}
    bare = [file for file in inventory.unused(images) if file not in named]
    folder.faults["uncaptioned"] += [_name(folder, file) for file in bare]
    inventory.use(*images, table)
    folder.rows += [row for row in rows if row.caption]
    folder.faults["empty"] += [row.name for row in rows if not row.caption]


def _from_table(folder: Folder, part: str, table: Path) -> list[Row]:
    """The lines of a table whose image is there."""
    finder, rows = Finder(), []
    cells = read_cells(table, ())
    file_column, caption_column = (_column(table, [*cells[0][1]], names) for names in (FILE, CAPTION))
    _, further = choose_parts(list(dict.fromkeys(row.get("split", "") for _, row in cells)))
    for line, row in cells:
        written, said = row.get(file_column, ""), row.get("split", "")
        name = f"line {line} of {_name(folder, table)}: {written or 'no file'}"
        file = finder.located([table.parent], written) if written else None
        if said and said not in further and not part_named(said):
            folder.faults["part"].append(f"{name}, '{said}'")
        elif file is None:
            folder.faults["missing"].append(name)
        elif said not in further or not said:
            rows.append(Row(file, name, " ".join(row.get(caption_column, "").split()), part or part_named(said)))
    if (parts := {row.part for row in rows}) and "" in parts and len(parts) > 1:
        folder.faults["part"] += [row.name for row in rows if not row.part]
        rows = [row for row in rows if row.part]
    return rows


def _column(table: Path, columns: Sequence[str], names: Sequence[str]) -> str:
    found = next((name for name in names if name in columns), "")
    if not found:
        raise UserError(
            f"{table} lacks the column {names[0]}.{nearest(names[0], columns)} Its first line must name the columns "
            f"file and caption, and may name split; it names {', '.join(columns) or 'none'}."
        )
    return found


def _from_texts(folder: Folder, part: str, inside: Path, images: Sequence[Path], inventory: Inventory) -> list[Row]:
    """The images with a text file of their name beside them."""
    finder, rows, used = Finder(), [], set[Path]()
    for image in images:
        for text in finder.partners(image.parent, image.stem, ("",), (".txt",))[:1]:
            used.add(text)
            inventory.use(text)
            try:
                rows.append(Row(image, _name(folder, image), " ".join(read_text(text).split()), part))
            except UserError:
                folder.faults["encoding"].append(_name(folder, text))
                inventory.use(image)
    lonely = [file for file in walk(inside) if ending(file) == ".txt" and file not in used]
    folder.faults["texts"] += [_name(folder, file) for file in lonely]
    inventory.use(*lonely)
    return rows


def _name(folder: Folder, file: Path) -> str:
    return file.relative_to(folder.base).as_posix() if file.is_relative_to(folder.base) else str(file)


def _sentences(folder: Folder, level: str = "") -> list[str]:
    """What is said of the faults, or of those of a level."""
    kinds = ((FAULTS[kind], names) for kind, names in folder.faults.items() if names)
    return [f"{text}: {counted(names, LISTED)}." for (grade, text), names in kinds if level in ("", grade)]


# --------------------------------------------------------------------------------------------------------- open


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    config, folder = ImageConfig.of(config, NAME), read_folder(rest)
    return _source(folder, scan_listing(folder.listing, config), config, seed)


def _source(folder: Folder, scans: Sequence[Scan], config: ImageConfig, seed: int) -> Source:
    """Raises `UserError` for faults that spoil a training, unless `skip_bad` leaves out what is faulty."""
    if (wrong := _sentences(folder, "problem")) and not config.skip_bad:
        raise UserError(
            f"{folder.base} cannot be trained on. {' '.join(wrong)} Put them right, or leave them out with "
            "--loader.skip-bad."
        )
    listing, captions = folder.listing, [row.caption for row in folder.rows]
    good, notes = usable(listing, scans, config.skip_bad)
    if strange := contradictions(listing, scans, good):
        raise UserError(f"{folder.base} cannot be trained on. {' '.join(strange)}")
    train, test, more = split_listing(listing, scans, good, config.test_fraction, seed)
    channels = config.channels or (1 if all(scans[i].grey for i in good) else 3)
    schema = caption_schema(channels, config.image_size, max(len(captions[i].encode()) for i in good))
    parts = (
        CaptionedImages([listing.files[i] for i in rows], [captions[i] for i in rows], schema, [scans[i] for i in rows])
        for rows in (train, test)
    )
    mark = fingerprint(*([f"{scans[i].digest} {captions[i]}" for i in rows] for rows in (train, test)))
    notes = (*_sentences(folder), *folder.warnings, *folder.facts, *notes, *more)
    return Source(folder.base.stem, "not stated (your own data)", *parts, schema, mark, notes)


# -------------------------------------------------------------------------------------------------------- check


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    config = ImageConfig.of(config, NAME)
    folder = read_folder(spec.partition(":")[2])
    scans = scan_listing(folder.listing, config)
    findings = [*_of_folder(folder, config), *_of_images(folder.listing, scans, config)]
    source = None
    try:
        source = _source(folder, scans, replace(config, skip_bad=True), seed)
        findings += [*of_source(source), *_of_captions(source)]
    except UserError as error:
        findings.append(Finding("problem", str(error)))
    return Report(spec, graded(findings), source, draw_captioned)


def _of_folder(folder: Folder, config: ImageConfig) -> Iterator[Finding]:
    for level in ("problem", "warning"):
        grade = "warning" if config.skip_bad else level
        yield from (Finding(grade, text) for text in _sentences(folder, level))
    yield from (Finding("warning", text) for text in folder.warnings)
    yield from (Finding("fact", text) for text in folder.facts)
    several = Counter(row.file for row in folder.rows)
    if twice := [_name(folder, file) for file, count in several.items() if count > 1]:
        yield Finding("fact", f"Images with several captions, each of them a sample: {counted(twice)}.")


def _of_images(listing: Listing, scans: Sequence[Scan], config: ImageConfig) -> Iterator[Finding]:
    good = [i for i, found in enumerate(scans) if not found.error]
    yield from unreadable(listing, scans, config)
    first = {listing.files[i]: i for i in reversed(good)}  # a file with several captions is no copy of itself
    yield from copies(listing, scans, sorted(first.values()))
    yield from sizes(listing, scans, good, config, 1)
    yield from modes([scans[i] for i in good])
    yield from stored(listing, scans, good)


def _of_captions(source: Source) -> Iterator[Finding]:
    """What a model of words makes of the captions."""
    train, test = (part.captions for part in (source.train, source.test) if isinstance(part, CaptionedImages))
    words = Words.train(train, size=1 << 30)
    lengths = sorted(len(words.encode(text)) for text in (*train, *test))
    counts = Counter(each for text in train for each in words.encode(text))
    text = f"Words and marks in a caption: {lengths[len(lengths) // 2]} in the middle, at most {lengths[-1]}"
    yield Finding("fact", f"{text}. Different ones in training: {len(counts)}.")
    if long := [some([caption], 1)[:60] for caption in (*train, *test) if len(words.encode(caption)) > LONGEST]:
        what = f"Captions of more than {LONGEST} words, whose rest a model does not read unless --longest says more"
        yield Finding("warning", f"{what}: {counted(long, 3)}.")
    if rare := [words.decode([each]) for each, count in counts.items() if count == 1]:
        yield Finding("warning", f"Words seen once in training, too rarely to be learned: {counted(rare, LISTED)}.")
    unseen = {word for caption in test for word in Words.train([caption]).tokens} - {*words.tokens}
    if unseen:
        what = "Words of the test part that training never has"
        yield Finding("warning", f"{what}: {counted(sorted(unseen), LISTED)}.")
    if len({*train}) == 1:
        yield Finding("problem", f"All training captions are the same, '{train[0][:60]}', so they say nothing.")
    shared = {*test} & {*train}
    if shared:
        count = sum(text in shared for text in test)
        yield Finding("fact", f"Test images whose very caption is in the training part too: {count} of {len(test)}.")


open_captioned = CheckedOpener(_open, _check)
"""For an entry point in the group `torchworks.sources`."""
