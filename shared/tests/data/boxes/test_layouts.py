"""Layouts of annotation tools: labels beside their images, and parts whose images have no labels."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Source, check, open_source
from torchworks.shared.data.boxes.voc import read_voc
from torchworks.shared.data.boxes.yolo import read_yolo

SIDE = 40


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)


def pictures(folder: Path, count: int, seed: int = 0) -> list[Path]:
    files = [folder / f"{i}_jpg.rf.{seed}.jpg" for i in range(count)]
    for i, file in enumerate(files):
        save(file, seed + i)
    return files


def mark(file: Path, image: Path) -> None:
    """Write the XML file of an image that shows a cat."""
    edges = "".join(f"<{name}>{at}</{name}>" for name, at in (("xmin", 11), ("ymin", 9), ("xmax", 30), ("ymax", 20)))
    text = f"<annotation><folder/><filename>{image.name}</filename><size><width>40</width><height>40</height></size>"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}<object><name>cat</name><bndbox>{edges}</bndbox></object></annotation>")


def beside(folder: Path, count: int, seed: int = 0) -> None:
    for file in pictures(folder, count, seed):
        mark(file.with_suffix(".xml"), file)


def opened(spec: str, **options) -> Source:
    base = Path(spec.partition(":")[2])
    return open_source(spec, ImageConfig(image_size=SIDE, root=base.parent / "root", **options))


# ----------------------------------------------------------------------------------------------------------- VOC


def test_xml_beside_images_in_the_folders_of_parts_is_read(tmp_path):
    for k, (part, count) in enumerate((("train", 6), ("valid", 3), ("test", 2))):
        beside(tmp_path / "set" / part, count, 100 * k)
    (tmp_path / "set" / "README.roboflow.txt").write_text("x")
    source = opened(f"voc:{tmp_path / 'set'}")
    assert (len(source.train), len(source.test)) == (6, 2)
    assert source.train[0]["boxes"][0].tolist() == [10, 8, 30, 20]
    assert "A further part of the split, left out: 1 (valid (6 files))." in source.notes


@pytest.mark.parametrize("inside", ["", "photos", "train"])
def test_xml_beside_images_in_one_folder_is_split(inside, tmp_path):
    beside(tmp_path / "set" / inside, 10)
    (tmp_path / "set" / "notes.md").write_text("x")
    source = opened(f"voc:{tmp_path / 'set'}")
    assert (len(source.train), len(source.test)) == (8, 2)
    assert source.notes == ("Other files, left out: 1 (1 × .md; notes.md).",)


def test_images_of_one_name_in_several_folders_have_each_their_own_xml(tmp_path):
    beside(tmp_path / "set" / "monday", 4)
    for file in sorted((tmp_path / "set" / "monday").iterdir()):
        (tmp_path / "set" / "tuesday").mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / "set" / "tuesday" / file.name)
    labels = read_voc(str(tmp_path / "set"))
    assert [len(image.things) for image in labels.images] == [1] * 8


def test_parts_may_have_folders_of_images_and_of_annotations(tmp_path):
    for k, part in enumerate(("train", "val")):
        for file in pictures(tmp_path / "set" / part / "images", 4, 100 * k):
            mark(tmp_path / "set" / part / "Annotations" / f"{file.stem}.xml", file)
    source = opened(f"voc:{tmp_path / 'set'}")
    assert (len(source.train), len(source.test)) == (4, 4)


def test_an_image_without_xml_among_them_is_left_out_and_said_to_be(tmp_path):
    beside(tmp_path / "set", 10)
    save(tmp_path / "set" / "bare.png", 77)
    report = check(f"voc:{tmp_path / 'set'}", ImageConfig(image_size=SIDE, root=tmp_path / "root"))
    assert report.ok
    assert "Images without labels, which are left out: 1\n      bare.png: it has no XML file" in str(report)
    assert report.source is not None
    assert len(report.source.train) + len(report.source.test) == 10


def test_xml_named_with_codes_of_web_tools_is_found(tmp_path):
    for i in range(4):
        save(tmp_path / "set" / f"my photo {i}.jpg", i)
        mark(tmp_path / "set" / f"my%20photo%20{i}.xml", tmp_path / "set" / f"my photo {i}.jpg")
    labels = read_voc(str(tmp_path / "set"))
    assert (len(labels.images), labels.faults) == (4, [])


def test_folders_that_are_not_voc_s_are_refused_with_what_is_lacking(tmp_path):
    pictures(tmp_path / "bare" / "JPEGImages", 3)
    (tmp_path / "bare" / "classes.txt").write_text("cat")
    with pytest.raises(UserError, match=r"There is no XML file in .*bare\. It lacks Annotations\. VOC has images in"):
        read_voc(str(tmp_path / "bare"))
    pictures(tmp_path / "other", 3)
    mark(tmp_path / "other" / "labels" / "x.xml", Path("x.jpg"))
    with pytest.raises(UserError, match=r"is called as an image: 1 \(labels/x.xml\)\. It lacks JPEGImages and Annot"):
        read_voc(str(tmp_path / "other"))


# ------------------------------------------------------------------------------------------- parts without labels


def coco(base: Path, count: int, seed: int = 0, table: str = "_annotations.coco.json", below: str = "") -> None:
    files = pictures(base / below, count, seed)
    entries = [{"id": i, "file_name": file.name, "width": SIDE, "height": SIDE} for i, file in enumerate(files)]
    marks = [{"id": i, "image_id": i, "category_id": 1, "bbox": [10, 8, 20, 12]} for i in range(count)]
    whole = {"images": entries, "annotations": marks, "categories": [{"id": 1, "name": "cat"}]}
    (base / table).parent.mkdir(parents=True, exist_ok=True)
    (base / table).write_text(json.dumps(whole))


def yolo(base: Path, count: int, seed: int = 0) -> None:
    for file in pictures(base / "images", count, seed):
        (base / "labels").mkdir(exist_ok=True)
        (base / "labels" / f"{file.stem}.txt").write_text("0 0.5 0.35 0.5 0.3\n")


def masks(base: Path, count: int, seed: int = 0) -> None:
    for file in pictures(base / "images", count, seed):
        (base / "masks").mkdir(exist_ok=True)
        ids = np.zeros((SIDE, SIDE), np.uint8)
        ids[8:20] = 1
        Image.fromarray(ids).save(base / "masks" / f"{file.stem}.png")


@pytest.mark.parametrize("kind", ["coco", "voc", "yolo", "masks"])
@pytest.mark.parametrize("valid", [True, False])
def test_a_part_whose_images_have_no_labels_is_left_out_and_the_others_are_used(kind, valid, tmp_path):
    base = tmp_path / "set"
    for part, count in (("train", 10), ("valid", 3))[: 1 + valid]:
        write = {"coco": coco, "voc": beside, "yolo": yolo, "masks": masks}[kind]
        write(base / part, count, 100 * (part == "valid"))
    pictures(base / "test" / ("images" if kind in ("yolo", "masks") else ""), 4, 500)
    source = opened(f"{kind}:{base}")
    assert (len(source.train), len(source.test)) == ((10, 3) if valid else (8, 2))
    assert [note for note in source.notes if "left out" in note] == [
        "A part without labels, left out: 1 (test (4 files))."
    ]


@pytest.mark.parametrize("lists", [True, False])
def test_so_it_is_where_data_yaml_names_them(lists, tmp_path):
    base = tmp_path / "set"
    for k, (part, count) in enumerate((("train", 6), ("val", 3))):
        yolo(base / part, count, 100 * k)
    pictures(base / "test" / "images", 4, 500)
    where = {part: f"{part}.txt" if lists else f"{part}/images" for part in ("train", "val", "test")}
    for part in where:
        lines = [f"{part}/images/{file.name}" for file in sorted((base / part / "images").iterdir())]
        (base / f"{part}.txt").write_text("\n".join(lines))
    (base / "data.yaml").write_text("".join(f"{part}: {name}\n" for part, name in where.items()) + "names: [cat]\n")
    source = opened(f"yolo:{base}")
    assert (len(source.train), len(source.test)) == (6, 3)
    assert any(note.startswith("A part without labels, left out: ") for note in source.notes)


@pytest.mark.parametrize("lacking", ["annotations", "entries"])
def test_a_file_of_coco_that_names_images_but_no_object_is_a_part_without_labels(lacking, tmp_path):
    base = tmp_path / "set"
    for k, part in enumerate(("train2017", "val2017", "test2017")):
        coco(base, 4, 100 * k, f"annotations/instances_{part}.json", part)
    file = base / "annotations" / "instances_test2017.json"
    table = json.loads(file.read_text())
    if lacking == "annotations":
        del table["annotations"], table["categories"]
    else:
        table["annotations"] = []
    file.write_text(json.dumps(table))
    source = opened(f"coco:{base}")
    assert {image.file.parent.name for image in source.test.images} == {"val2017"}
    text = "A part without labels, left out: 2 (annotations/instances_test2017.json, test2017 (4 files))."
    assert text in source.notes


def test_one_file_of_coco_beside_a_folder_for_training_and_one_without_labels_is_read(tmp_path):
    base = tmp_path / "set"
    coco(base, 10, 0, "annotations.json", "train")
    pictures(base / "test", 4, 500)
    source = opened(f"coco:{base}")
    assert (len(source.train), len(source.test)) == (8, 2)
    assert source.notes == ("A part without labels, left out: 1 (test (4 files)).",)


@pytest.mark.parametrize("others", [("train", "val"), ("train",)])
def test_a_list_of_voc_whose_images_have_no_xml_is_a_part_without_labels(others, tmp_path):
    base = tmp_path / "set"
    (base / "ImageSets" / "Main").mkdir(parents=True)
    for k, part in enumerate((*others, "test")):
        files = pictures(base / "JPEGImages", 4, 100 * k)
        (base / "ImageSets" / "Main" / f"{part}.txt").write_text("".join(f"{file.stem}\n" for file in files))
        for file in files if part != "test" else ():
            mark(base / "Annotations" / f"{file.stem}.xml", file)
    source = opened(f"voc:{base}")
    assert (len(source.train), len(source.test)) == ((4, 4) if len(others) > 1 else (3, 1))
    assert "A part without labels, left out: 1 (ImageSets/Main/test.txt)." in source.notes


@pytest.mark.parametrize("write", [coco, yolo, beside, masks])
def test_sets_whose_parts_all_have_labels_need_no_words(write, tmp_path):
    for k, part in enumerate(("train", "val")):
        write(tmp_path / "set" / part, 4, 100 * k)
    if write is yolo:
        (tmp_path / "set" / "classes.txt").write_text("cat\n")
    kind = {coco: "coco", yolo: "yolo", beside: "voc", masks: "masks"}[write]
    assert opened(f"{kind}:{tmp_path / 'set'}").notes == ()


# ------------------------------------------------------------------------------------------------- names and counts


def test_texts_named_with_codes_of_web_tools_are_found(tmp_path):
    for i in range(4):
        save(tmp_path / "set" / "images" / f"my photo {i}.jpg", i)
        text = tmp_path / "set" / "labels" / f"my%20photo%20{i}.txt"
        text.parent.mkdir(exist_ok=True)
        text.write_text("0 0.5 0.35 0.5 0.3\n")
    (tmp_path / "set" / "classes.txt").write_text("cat\n\n")
    labels = read_yolo(str(tmp_path / "set"))
    assert labels.faults == []
    assert [len(image.things) for image in labels.images] == [1] * 4


@pytest.mark.parametrize(("count", "said"), [("3", True), ("two", True), ("2", False)])
def test_another_number_of_classes_than_of_names_is_a_warning(count, said, tmp_path):
    yolo(tmp_path / "set" / "train", 4)
    yolo(tmp_path / "set" / "val", 4, 100)
    (tmp_path / "set" / "data.yaml").write_text(f"nc: {count}\nnames: [cat, dog]\n")
    text = f"data.yaml says nc: {count}, but there are names of 2 classes (cat, dog). The names are used"
    assert any(text in note for note in read_yolo(str(tmp_path / "set")).notes) == said


def test_a_class_without_a_name_is_refused(tmp_path):
    yolo(tmp_path / "set" / "train", 4)
    yolo(tmp_path / "set" / "val", 4, 100)
    (tmp_path / "set" / "classes.txt").write_text("cat\n\ndog\n")
    with pytest.raises(UserError, match=r"Line 2 of .*classes.txt is empty, but names of classes follow"):
        read_yolo(str(tmp_path / "set"))
    (tmp_path / "set" / "data.yaml").write_text("names: [cat, '']\n")
    with pytest.raises(UserError, match="has no name for the class 1"):
        read_yolo(str(tmp_path / "set"))
