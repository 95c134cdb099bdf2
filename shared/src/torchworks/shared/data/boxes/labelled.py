"""A source from labels of files: faults are refused, parts are split without leaks, samples have one shape.

Images are letterboxed to a square: scaled to fit, padded at the right and the bottom, never squeezed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Schema, Source
from torchworks.shared.data.boxes.depth import NotDepth, read_depth
from torchworks.shared.data.boxes.labels import KINDS, Examined, Labelled, Labels, by_kind, examine
from torchworks.shared.data.boxes.mask_files import MIDDLE, Meaning, NotIds, read_mask
from torchworks.shared.data.boxes.sample import IGNORED, VOID, Letterbox, padded, scene_schema
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import Scan, picture
from torchworks.shared.data.listing import contradictions, some, split_listing
from torchworks.shared.data.split import fingerprint

Read = TypeVar("Read")


def open_labels(spec: str, labels: Labels, config: ImageConfig, seed: int) -> Source:
    """Raises `UserError` for faults that spoil a training, unless `skip_bad` leaves out what is faulty."""
    return source_of(spec, examine(labels, config), config, seed)


def source_of(spec: str, examined: Examined, config: ImageConfig, seed: int) -> Source:
    """The same of labels that were examined already."""
    labels, listing, scans = examined.labels, examined.listing, examined.scans
    if not config.skip_bad:
        _refuse(spec, examined)
    good = examined.good
    if not good:
        raise UserError(f"None of the images in {labels.base} can be used; `check {spec}` says why.")
    if wrong := contradictions(listing, scans, good):
        raise UserError(f"{labels.base} cannot be trained on. {' '.join(wrong)}")
    train, test, notes = split_listing(listing, scans, good, config.test_fraction, seed)
    _check_learnable(examined, train)
    schema = _schema(labels, [labels.images[i] for i in good], config, grey=all(scans[i].grey for i in good))

    def part(rows: list[int]) -> LabelledImages:
        return LabelledImages([labels.images[i] for i in rows], [scans[i] for i in rows], schema, examined.meaning)

    mark = fingerprint(*([_mark(labels.images[i], scans[i]) for i in rows] for rows in (train, test)))
    everything = (*labels.notes, *labels.facts, *notes, *_left_out(examined))
    licence = "not stated (your own data)"
    return Source(labels.base.stem, licence, part(train), part(test), schema, mark, everything)


def _check_learnable(examined: Examined, train: list[int]) -> None:
    """Raise `UserError` if the training images show no object, or their masks have one class of pixels alone."""
    base, images = examined.labels.base, [examined.labels.images[i] for i in train]
    if any(image.mask for image in images):
        seen = {name for i in train for name in examined.listing.classes_of(i)}
        if not examined.labels.classes and len(seen) < 2:
            raise UserError(
                f"The masks of all {len(train)} training images in {base} have one class of pixels alone "
                f"({', '.join(seen) or 'to be ignored'}), so there is nothing to learn. Mark 0 for the background and "
                "1 and more for the others."
            )
    elif examined.labels.classes and not any(thing.label != IGNORED for image in images for thing in image.things):
        ignored = sum(len(image.things) for image in images)
        only = f" but {ignored} regions to ignore (crowds)" if ignored else ""
        raise UserError(
            f"None of the {len(train)} training images in {base} shows an object{only}, so there is nothing to learn. "
            "Label objects in them; a tool that writes masks as crowds (iscrowd 1) must write them as objects."
        )


def _refuse(spec: str, examined: Examined) -> None:
    """Raise `UserError` with the first few of all faults."""
    bad = [f"{image.name} ({scan.error})" for image, scan in _pairs(examined) if scan.error]
    said = [f"Images that cannot be read: {len(bad)} ({some(bad, 3)})."] if bad else []
    for kind, faults in by_kind(examined.faults).items():
        if KINDS[kind][0] == "problem":
            said.append(f"{KINDS[kind][1]}: {len(faults)} ({some([str(fault) for fault in faults], 3)}).")
    if said:
        raise UserError(
            f"{examined.labels.base} cannot be trained on. {' '.join(said)} `check {spec}` lists more of them. Repair "
            "them, or leave out what is faulty with --loader.skip-bad."
        )


def _pairs(examined: Examined) -> zip:
    return zip(examined.labels.images, examined.scans, strict=True)


def _left_out(examined: Examined) -> list[str]:
    """Notes on what is not trained on."""
    kinds = by_kind(examined.faults)
    bad = sum(bool(scan.error) for scan in examined.scans)
    prefix = {"problem": "Left out or cut: ", "warning": ""}
    found = [f"{prefix[KINDS[kind][0]]}{KINDS[kind][1]}: {len(faults)}." for kind, faults in kinds.items()]
    refused = [image.name for image, scan in _pairs(examined) if image.refused and not scan.error]
    text = f"Images left out whole, as a label of theirs is refused: {len(refused)} ({some(refused, 3)})."
    return [*found, *[text] * bool(refused), *[f"Images that cannot be read, left out: {bad}."] * bool(bad)]


def _mark(image: Labelled, scan: Scan) -> str:
    things = " ".join(f"{thing.label}:{','.join(f'{edge:g}' for edge in thing.box)}" for thing in image.things)
    files = [blake2b(file.read_bytes()).hexdigest() for file in (image.mask, image.depth) if file]
    return " ".join([scan.digest, things, *files])


def _schema(labels: Labels, images: Sequence[Labelled], config: ImageConfig, *, grey: bool) -> Schema:
    things = [thing for image in images for thing in image.things]
    outlined = bool(things) and all(thing.outline for thing in things if thing.label != IGNORED)
    masked = any(image.mask for image in images)
    pixels = labels.pixels if masked else ("background", *labels.classes) if outlined else ()
    return scene_schema(
        config.image_size,
        channels=config.channels or (1 if grey else 3),
        most=max((len(image.things) for image in images), default=0) or 1,
        things=labels.classes,
        instance=outlined,
        pixels=pixels,
        depth=any(image.depth for image in images),
    )


def _again(read: Callable[[Path], Read], file: Path) -> Read:
    """What is in a file that could be read when the data were opened."""
    try:
        return read(file)
    except (Unreadable, NotIds, NotDepth) as error:
        raise UserError(
            f"{file} could be read when the data were opened, but cannot be any more: {error.args[-1]}. Put it back "
            "and resume."
        ) from error


@dataclass
class LabelledImages:
    """Images decoded when asked for, with what the `schema` asks for. `meaning` is that of the values of masks."""

    images: list[Labelled]
    scans: list[Scan]
    schema: Schema
    meaning: Meaning = "ids"

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        image, schema = self.images[i], self.schema
        channels, size = schema["image"].shape[:2]
        box = Letterbox(self.scans[i].width, self.scans[i].height, size)
        sample = {"image": self._picture(image, channels, box)}
        if "boxes" in schema:
            boxes = box.boxes(torch.tensor([thing.box for thing in image.things]).view(-1, 4))
            sample |= padded(boxes, [thing.label for thing in image.things], schema["boxes"].shape[0])
        seen = self._seen(image, box) if "instance" in schema else None
        if seen is not None:
            sample["instance"] = torch.from_numpy(seen)
        if "mask" in schema:
            sample["mask"] = torch.from_numpy(self._mask(image, box, seen))
        if "depth" in schema:
            depth = box.ids(_again(read_depth, image.depth), 0) if image.depth else np.zeros((size, size), np.float32)
            sample["depth"] = torch.from_numpy(depth)
        return sample

    def _picture(self, image: Labelled, channels: int, box: Letterbox) -> Tensor:
        """uint8 (C, S, S)."""
        whole = _again(partial(picture, least=2 * box.size), image.file).convert("L" if channels == 1 else "RGB")
        values = torch.from_numpy(np.array(box.picture(whole)))
        return values[None] if channels == 1 else values.permute(2, 0, 1).contiguous()

    def _seen(self, image: Labelled, box: Letterbox) -> np.ndarray:
        """The instance map, uint8 (S, S): small things lie on large ones, and all on those to ignore."""
        seen = np.zeros((box.size, box.size), np.uint8)

        def first(i: int) -> tuple[bool, float]:
            x1, y1, x2, y2 = image.things[i].box
            return image.things[i].label != IGNORED, -(x2 - x1) * (y2 - y1)

        for i in sorted(range(len(image.things)), key=first):
            if outline := image.things[i].outline:
                seen[outline.draw(box)] = i + 1
        seen[box.inside[1] :] = 0
        seen[:, box.inside[0] :] = 0
        return seen

    def _mask(self, image: Labelled, box: Letterbox, seen: np.ndarray | None) -> np.ndarray:
        """The class of each pixel, uint8 (S, S), from its mask file or from the outlines of things."""
        if image.mask:
            values = _again(read_mask, image.mask)
            if self.meaning != "ids":
                values = values >= MIDDLE
            return box.ids(values.astype(np.uint8), VOID)
        mask = np.full((box.size, box.size), VOID, np.uint8)
        if seen is not None:
            classes = [0, *(VOID if thing.label == IGNORED else thing.label + 1 for thing in image.things)]
            width, height = box.inside
            mask[:height, :width] = np.array(classes, np.uint8)[seen[:height, :width]]
        return mask
