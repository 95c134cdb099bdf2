"""Folders that are no classes, but lie one level above them: never trained on without a word."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import check, open_source
from torchworks.shared.data.folders import list_folder


def fill(folder: Path, count: int = 4, name: str = "{}.png", seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = np.random.default_rng([seed, *f"{folder}{i}".encode()]).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name.format(i))


def test_places_that_all_hold_the_classes_are_a_warning_that_names_what_to_pass(tmp_path):
    for place in ("Site A", "Site B"):
        for name in ("benign", "malignant"):
            fill(tmp_path / "set" / place / name)
    (note,) = list_folder(str(tmp_path / "set")).notes
    assert "of the same names in several of the class folders of" in note
    assert "2 (benign, malignant). The classes are Site A, Site B." in note
    assert f"use folder:{tmp_path / 'set' / 'Site A'}, or list all images in a table" in note
    config = ImageConfig(image_size=8, root=tmp_path / "root")
    assert note in open_source(f"folder:{tmp_path / 'set'}", config).notes
    assert f"warning: {note}" in str(check(f"folder:{tmp_path / 'set'}", config))


def test_they_are_seen_within_the_parts_of_a_split_too(tmp_path):
    for part in ("train", "test"):
        for place, name in (("A", "benign"), ("A", "malignant"), ("B", "benign")):
            fill(tmp_path / "set" / part / place / name)
    notes = list_folder(str(tmp_path / "set")).notes
    assert len(notes) == 2
    assert all("If benign, malignant are the classes, use folder:" in note for note in notes)


def test_folders_within_classes_that_have_names_of_their_own_are_a_fact(tmp_path):
    for folder in ("rose/red", "rose/white", "tulip/wild"):
        fill(tmp_path / "set" / folder)
    listing = list_folder(str(tmp_path / "set"))
    assert (listing.classes, listing.notes) == (("rose", "tulip"), ())
    text = "Folders in class folders, whose images belong to that class: 3 (rose/red, rose/white, tulip/wild)."
    assert listing.facts == (text,)


def test_classes_before_the_parts_of_a_split_are_read_as_a_split(tmp_path):
    for name in ("cat", "dog"):
        for part, count in (("Train", 5), ("val", 1), ("test", 2)):
            fill(tmp_path / "set" / name / part, count)
    listing = list_folder(str(tmp_path / "set"))
    assert listing.classes == ("cat", "dog")
    assert (listing.parts.count("train"), listing.parts.count("test")) == (10, 4)
    assert listing.notes == ()
    assert listing.facts == ("A further part of the split, left out: 2 (cat/val (1 file), dog/val (1 file)).",)


def test_they_are_not_where_one_class_lacks_them_but_that_is_said(tmp_path):
    for folder in ("cat/train", "cat/test", "dog"):
        fill(tmp_path / "set" / folder)
    listing = list_folder(str(tmp_path / "set"))
    assert listing.parts == []
    assert "that hold the parts of a split, which are not used as such: 1 (cat, with test, train)" in listing.notes[0]


def test_places_with_a_split_of_classes_each_are_not_read_as_classes_with_a_split(tmp_path):
    for place in ("Site A", "Site B"):
        for part in ("train", "test"):
            for name in ("benign", "malignant"):
                fill(tmp_path / "set" / place / part / name)
    listing = list_folder(str(tmp_path / "set"))
    assert listing.parts == []
    assert f"If Site A is no class, use folder:{tmp_path / 'set' / 'Site A'}." in listing.notes[0]


@pytest.mark.parametrize(
    ("images", "masks", "mask", "advice"),
    [
        ("images", "masks", "{}.png", "use masks:SET to learn the masks, or folder:SET/images for"),
        ("Images", "Masks", "{}_mask.png", "use masks:SET to learn"),
        ("train/images", "train/masks", "{}.png", "use masks:SET to learn the masks, or folder:SET/train/images for"),
        ("img", "ground_truth", "{}.png", "use masks:SET, with these folders called images and masks, to learn"),
        ("JPEGImages", "SegmentationClass", "{}.png", "use voc:SET to learn"),
    ],
)
def test_images_and_their_masks_are_no_classes(images, masks, mask, advice, tmp_path):
    base = tmp_path / "set"
    fill(base / images)
    fill(base / masks, name=mask)
    if images.startswith("train"):
        fill(base / "test" / "images")
        fill(base / "test" / "masks")
    with pytest.raises(UserError, match="which are masks of them: these are no classes") as error:
        list_folder(str(base))
    assert advice.replace("SET", str(base)).lower() in str(error.value).lower()


def test_masks_in_the_folders_of_classes_are_left_out(tmp_path):
    for name in ("covid", "normal"):
        fill(tmp_path / "set" / name / "images")
        fill(tmp_path / "set" / name / "masks")
    listing = list_folder(str(tmp_path / "set"))
    assert listing.classes == ("covid", "normal")
    assert {file.parent.name for file in listing.files} == {"images"}
    text = "Masks of the images beside them, left out: 2 (covid/masks (4 files), normal/masks (4 files))."
    assert text in listing.facts


def test_classes_may_be_called_mask(tmp_path):
    fill(tmp_path / "set" / "mask")
    fill(tmp_path / "set" / "no mask")
    assert list_folder(str(tmp_path / "set")).notes == ()


def test_folders_called_images_and_masks_with_files_of_other_names_are_a_warning(tmp_path):
    fill(tmp_path / "set" / "images")
    fill(tmp_path / "set" / "masks", name="m{}.png")
    (note,) = list_folder(str(tmp_path / "set")).notes
    assert note.startswith("Classes that are called images and masks: if the latter are masks of the former")


def test_a_folder_of_labels_beside_one_of_images_is_pointed_out(tmp_path):
    fill(tmp_path / "set" / "images")
    (tmp_path / "set" / "labels").mkdir()
    (tmp_path / "set" / "labels" / "0.txt").write_text("0 0.5 0.5 0.1 0.1")
    assert "If its files are labels, use yolo:" in list_folder(str(tmp_path / "set")).notes[0]
