"""Labels as other tools write them: parts, names, types of numbers; read rightly, or refused with the true reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Report, Source, check, open_source
from torchworks.shared.data.boxes.coco import read_coco
from torchworks.shared.data.boxes.labelled import LabelledImages
from torchworks.shared.data.boxes.masks import read_masks
from torchworks.shared.data.boxes.voc import read_voc
from torchworks.shared.data.boxes.yolo import read_yolo

SIDE = 40
BOX = (10, 8, 30, 20)
"""x1, y1, x2, y2 of the object in every image."""
LINE = "0 0.5 0.35 0.5 0.3"


def save(path: Path, seed: int, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)


def opened(spec: str, **options) -> Source:
    base = Path(spec.partition(":")[2])
    return open_source(spec, ImageConfig(image_size=SIDE, root=base.parent / "root", **options))


def checked(spec: str) -> Report:
    base = Path(spec.partition(":")[2])
    return check(spec, ImageConfig(image_size=SIDE, root=base.parent / "root"))


def said(report: Report, level: str) -> str:
    return "\n".join(finding.text for finding in report.findings if finding.level == level)


def coco(base: Path, count: int = 6, change: Callable[[dict], object] = lambda table: None, seed: int = 0) -> Path:
    """One JSON file beside its images, with one object each."""
    table: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    x1, y1, x2, y2 = BOX
    for i in range(count):
        save(base / f"{i}.png", seed + i)
        table["images"].append({"id": i, "file_name": f"{i}.png", "width": SIDE, "height": SIDE})
        entry = {"id": i, "image_id": i, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": 0}
        table["annotations"].append(entry | {"segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]]})
    change(table)
    (base / "_annotations.coco.json").write_text(json.dumps(table))
    return base


def each(key: str, of: Callable[[dict], Any], where: str = "annotations") -> Callable[[dict], None]:
    return lambda table: [entry.update({key: of(entry)}) for entry in table[where]] and None


def yolo(base: Path, parts: tuple[str, ...] = ("train", "val"), count: int = 5, line: str = LINE) -> Path:
    for k, part in enumerate(parts):
        for i in range(count):
            save(base / "images" / part / f"{i}.png", 100 * k + i)
            text = base / "labels" / part / f"{i}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text(line + "\n")
    (base / "classes.txt").write_text("cat\n")
    return base


def voc(base: Path, count: int = 6, name: str = "cat", head: str = "", coding: str = "utf-8", stem: str = "{}") -> Path:
    for i in range(count):
        save(base / "JPEGImages" / f"{stem.format(i)}.png", i)
        edges = "".join(
            f"<{key}>{value}</{key}>"
            for key, value in zip(("xmin", "ymin", "xmax", "ymax"), (11, 9, 30, 20), strict=True)
        )
        text = f"{head}<annotation><size><width>40.0</width><height>40.0</height></size>\n"
        text += f"<object><name>{name}</name><bndbox>{edges}</bndbox></object></annotation>"
        (base / "Annotations").mkdir(exist_ok=True)
        (base / "Annotations" / f"{stem.format(i)}.xml").write_bytes(text.encode(coding))
    return base


def masks(base: Path, draw: Callable[[int], Image.Image], ending: str = "png", count: int = 6) -> Path:
    for i in range(count):
        save(base / "images" / f"{i}.jpg", i)
        (base / "masks").mkdir(exist_ok=True)
        draw(i).save(base / "masks" / f"{i}.{ending}", {"PNG": "PNG", "jpg": "JPEG"}.get(ending))
    return base


def square(value: int = 255) -> np.ndarray:
    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids[8:32, 8:32] = value
    return ids


def things(source: Source) -> list[int]:
    """The number of objects of each image."""
    assert isinstance(source.train, LabelledImages)
    assert isinstance(source.test, LabelledImages)
    return [len(image.things) for image in (*source.train.images, *source.test.images)]


# -------------------------------------------------------------------------------------------------------- parts


def test_of_three_parts_of_coco_the_test_part_is_used_and_the_other_named(tmp_path):
    for k, part in enumerate(("train", "valid", "test")):
        coco(tmp_path / "set" / part, 4, seed=100 * k)
    source = opened(f"coco:{tmp_path / 'set'}")
    assert [str(image.file.parent.name) for image in source.test.images] == ["test"] * 4
    assert "A further part of the split, left out: 1 (valid (5 files))." in source.notes


def test_of_coco_s_own_layout_too(tmp_path):
    base = tmp_path / "set"
    for k, part in enumerate(("train2017", "val2017", "test2017")):
        coco(base / part, 4, seed=100 * k)
        (base / "annotations").mkdir(exist_ok=True)
        (base / part / "_annotations.coco.json").rename(base / "annotations" / f"instances_{part}.json")
    (base / "annotations" / "captions_val2017.json").write_text("{}")
    source = opened(f"coco:{base}")
    assert (len(source.train), len(source.test)) == (4, 4)
    facts = " ".join(source.notes)
    assert "left out: 2 (annotations/instances_val2017.json, val2017 (4 files))" in facts
    assert "other tasks, left out: 1 (annotations/captions_val2017.json)" in facts


@pytest.mark.parametrize(
    "yaml",
    [
        "train: train.txt\nval: lists/val.txt\n",
        "train: [images/train]\nval:\n  - images\\val\n",
        "path: ../set\ntrain: C:\\data\\images\\train\nval: /content/images/val\n",
        "train: ./images/train\ntest: images/val\nval: ''\n",
        "Train: images/train\nvalidation: images/val\ntest: null\n",
    ],
)
def test_data_yaml_may_name_lists_several_folders_and_paths_of_other_machines(yaml, tmp_path):
    base = yolo(tmp_path / "set")
    (base / "data.yaml").write_text(yaml + "names: {'0': cat}\n")
    (base / "lists").mkdir()
    (base / "train.txt").write_text("\n".join(f"./images/train/{i}.png" for i in range(4)))
    (base / "lists" / "val.txt").write_text("\n".join(f"../images\\val\\{i}.png" for i in range(5)))
    source = opened(f"yolo:{base}")
    assert (len(source.train), len(source.test)) == (4 if "txt" in yaml else 5, 5)
    assert set(things(source)) == {1}
    if "txt" in yaml:
        assert any("that nothing names, left out: 1 (images/train/4.png)" in note for note in source.notes)


def test_a_folder_that_data_yaml_names_but_is_not_there_is_a_warning(tmp_path):
    base = yolo(tmp_path / "set")
    (base / "data.yaml").write_text("train: elsewhere/a\nval: elsewhere/b\nnames: [cat]\n")
    assert "data.yaml names elsewhere/a, elsewhere/b, which is not there" in said(checked(f"yolo:{base}"), "warning")


def test_a_third_part_of_yolo_is_left_out_with_its_labels(tmp_path):
    source = opened(f"yolo:{yolo(tmp_path / 'set', ('train', 'val', 'test'))}")
    text = "A further part of the split, left out: 2 (images/val (5 files), labels/val (5 files))."
    assert text in source.notes


@pytest.mark.parametrize(("train", "test"), [("trainval", "test"), ("train", "val"), ("Training", "holdout")])
def test_lists_of_voc_may_have_any_name_of_a_part_and_images_spaces_in_theirs(train, test, tmp_path):
    base = voc(tmp_path / "set", 9, stem="my {}")
    lists = base / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / f"{train}.txt").write_text("".join(f"my {i}\n" for i in range(5)))
    (lists / f"{test}.txt").write_text("".join(f"my {i}.png\r\n" for i in range(5, 8)))
    (lists / "cat_train.txt").write_text("my 0 -1\n")
    source = opened(f"voc:{base}")
    assert (len(source.train), len(source.test)) == (5, 3)
    facts = " ".join(source.notes)
    assert "Lists of further parts or of single classes, left out: 1 (ImageSets/Main/cat_train.txt)" in facts
    assert "that neither list of the split names, left out: 1 (JPEGImages/my 8.png)" in facts


def test_a_single_list_of_voc_is_a_warning(tmp_path):
    base = voc(tmp_path / "set")
    (base / "ImageSets" / "Main").mkdir(parents=True)
    (base / "ImageSets" / "Main" / "train.txt").write_text("0\n1\n")
    assert "not used: 1 (train.txt). A split needs" in said(checked(f"voc:{base}"), "warning")


# -------------------------------------------------------------------------------------------------- what is there


@pytest.mark.parametrize("kind", ["coco", "yolo", "voc", "masks"])
def test_every_reader_names_files_of_other_kinds_and_what_belongs_to_nothing(kind, tmp_path):
    base = tmp_path / "set"
    make = {
        "coco": coco,
        "yolo": yolo,
        "voc": voc,
        "masks": lambda base: masks(base, lambda i: Image.fromarray(square())),
    }
    make[kind](base)
    inside = {"coco": "", "yolo": "images/train", "voc": "JPEGImages", "masks": "images"}[kind]
    for name in ("a.HEIC", "b.heic"):
        (base / inside / name).write_bytes(b"x")
    save(base / "extra" / "stray.png", 99)
    (base / "LICENSE").write_text("x")
    report = checked(f"{kind}:{base}")
    assert report.ok
    assert "2 (2 × .heic; " in said(report, "warning")
    assert "left out: 1 (extra/stray.png)" in said(report, "warning")
    assert "Other files, left out: 1 (1 × no ending; LICENSE)." in said(report, "fact")


@pytest.mark.parametrize("kind", ["yolo", "voc", "masks"])
def test_a_folder_around_the_data_is_passed_through(kind, tmp_path):
    make = {"yolo": yolo, "voc": voc, "masks": lambda base: masks(base, lambda i: Image.fromarray(square()))}
    (tmp_path / "download" / "devkit").mkdir(parents=True)
    make[kind](tmp_path / "download" / "devkit" / "set")
    (tmp_path / "download" / "__MACOSX").mkdir()
    assert opened(f"{kind}:{tmp_path / 'download'}").name == "set"


def test_a_json_file_of_something_else_beside_coco_s_is_left_out(tmp_path):
    base = coco(tmp_path / "set")
    (base / "notes.json").write_text('{"by": "me"}')
    assert "Other files, left out: 1 (1 × .json; notes.json)." in opened(f"coco:{base}").notes


@pytest.mark.parametrize("kind", ["yolo", "voc", "masks"])
def test_of_two_images_of_one_name_one_is_used_and_the_other_named(kind, tmp_path):
    base = tmp_path / "set"
    make = {"yolo": yolo, "voc": voc, "masks": lambda base: masks(base, lambda i: Image.fromarray(square()))}
    make[kind](base)
    inside = {"yolo": "images/train", "voc": "JPEGImages", "masks": "images"}[kind]
    save(base / inside / "0.bmp", 98)
    source = opened(f"{kind}:{base}")
    assert len(source.train) + len(source.test) == (10 if kind == "yolo" else 6)
    assert f"the same name as another but for the ending, left out: 1 ({inside}/0.bmp)." in " ".join(source.notes)


def test_objects_without_outlines_among_others_are_a_warning(tmp_path):
    base = coco(tmp_path / "set", change=lambda table: table["annotations"][2].update(segmentation=[]))
    assert "Objects without outlines: 1 of 6" in said(checked(f"coco:{base}"), "warning")
    assert "instance" not in opened(f"coco:{base}").schema


# ------------------------------------------------------------------------------------------------------ skip-bad


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table["annotations"][2].update(bbox=[1, 2]),
        lambda table: table["annotations"][2].update(category_id=9),
        lambda table: table["annotations"][2].update(bbox=[10, 8, 0, 12]),
        lambda table: table["annotations"][2].update(segmentation=[[1, 2, "x"]]),
        lambda table: table["images"][2].update(width=20),
        lambda table: table["images"][2].update(width="wide"),
        lambda table: table["annotations"][2].update(bbox=[90, 90, 5, 5]),
    ],
)
def test_an_image_with_a_label_that_is_refused_is_left_out_whole(change, tmp_path):
    base = coco(tmp_path / "set", 8, change)
    with pytest.raises(UserError, match="skip-bad"):
        opened(f"coco:{base}")
    source = opened(f"coco:{base}", skip_bad=True)
    assert things(source) == [1] * 7
    assert "Images left out whole, as a label of theirs is refused: 1 (2.png)." in source.notes


def test_labels_that_name_no_image_do_not_make_background_of_images_without_others(tmp_path):
    base = coco(tmp_path / "set", 8, lambda table: table["annotations"][2].update(image_id=None))
    assert things(opened(f"coco:{base}", skip_bad=True)) == [1] * 7


@pytest.mark.parametrize("kind", ["yolo", "voc"])
def test_so_it_is_with_texts_and_xml(kind, tmp_path):
    if kind == "yolo":
        base = yolo(tmp_path / "set")
        (base / "labels" / "train" / "2.txt").write_text(f"{LINE}\ncat 1 2 3 4\n")
    else:
        base = voc(tmp_path / "set")
        file = base / "Annotations" / "2.xml"
        file.write_text(file.read_text().replace("<xmin>11", "<xmin>left"))
    source = opened(f"{kind}:{base}", skip_bad=True)
    assert set(things(source)) == {1}
    assert len(source.train) + len(source.test) == (9 if kind == "yolo" else 5)


def test_a_box_that_reaches_out_is_cut_and_its_image_stays(tmp_path):
    base = coco(tmp_path / "set", change=lambda table: table["annotations"][2].update(bbox=[10, 8, 20, 60]))
    assert len(things(opened(f"coco:{base}", skip_bad=True))) == 6


def test_a_stray_part_of_a_polygon_is_dropped_and_the_object_stays(tmp_path):
    base = coco(tmp_path / "set", change=lambda table: table["annotations"][2]["segmentation"].insert(0, [3, 3]))
    report = checked(f"coco:{base}")
    assert report.ok
    assert "fewer than three corners beside whole ones, left out: 1" in said(report, "warning")
    assert "instance" in opened(f"coco:{base}").schema


# ------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    "change",
    [
        each("image_id", lambda entry: f"{entry['image_id']}.0"),
        each("category_id", lambda entry: "1"),
        each("id", lambda entry: f"photo-{entry['id']}", "images"),
        each("width", lambda entry: None, "images"),
        each("height", lambda entry: "40", "images"),
        each("bbox", lambda entry: [str(value) for value in entry["bbox"]]),
        each("iscrowd", lambda entry: "0"),
        each("segmentation", lambda entry: entry["segmentation"][0]),
        each("file_name", lambda entry: f"D:\\export\\{entry['file_name']}", "images"),
        each("file_name", lambda entry: entry["file_name"].upper(), "images"),
        each("file_name", lambda entry: f"/data/upload/%3{entry['file_name']}", "images"),
        lambda table: table["categories"].append({"id": "7", "name": "cat"}),
    ],
)
def test_numbers_as_text_and_paths_of_other_systems_are_read(change, tmp_path):
    def both(table: dict) -> None:
        change(table)
        if isinstance(table["images"][0]["id"], str):
            each("image_id", lambda entry: f"photo-{entry['image_id']}")(table)

    labels = read_coco(str(coco(tmp_path / "set", change=both)))
    assert labels.faults == []
    assert labels.classes == ("cat",)
    assert [[thing.label for thing in image.things] for image in labels.images] == [[0]] * 6
    assert [image.things[0].box for image in labels.images] == [(10, 8, 20, 12)] * 6


def test_categories_of_one_name_are_one_class_and_said_to_be(tmp_path):
    def change(table: dict) -> None:
        table["categories"].append({"id": 5, "name": "cat"})
        table["annotations"][0]["category_id"] = 5

    labels = read_coco(str(coco(tmp_path / "set", change=change)))
    assert labels.notes == ("Categories of one name, taken for one class: 1 (cat (1, 5)).",)
    assert {thing.label for image in labels.images for thing in image.things} == {0}


@pytest.mark.parametrize("announced", [True, False])
def test_lines_with_keypoints_are_refused_and_skip_bad_keeps_their_boxes(announced, tmp_path):
    base = yolo(tmp_path / "set", line=f"{LINE} 0.4 0.3 2 0.5 0.4 1 0.6 0.3 0 0.7 0.3 2")
    (base / "data.yaml").write_text(f"names: [cat]\n{'kpt_shape: [4, 3]' * announced}\n")
    report = checked(f"yolo:{base}")
    assert "Objects with keypoints, which are not learned; --loader.skip-bad keeps their boxes alone: 10" in said(
        report, "problem"
    )
    source = opened(f"yolo:{base}", skip_bad=True)
    assert len(source.train) + len(source.test) == 10
    assert source.train[0]["boxes"][0].tolist() == pytest.approx(BOX, abs=1e-4)


def test_lines_that_look_like_keypoints_are_a_warning_where_nothing_announces_them(tmp_path):
    base = yolo(tmp_path / "points", line=f"{LINE} 0.4 0.3 0.5 0.4 0.6 0.3")
    assert "If these are keypoints, write kpt_shape: [3, 2] into data.yaml" in said(checked(f"yolo:{base}"), "warning")
    base = yolo(tmp_path / "polygons", line="0 0.3 0.3 0.7 0.3 0.7 0.7 0.5 0.8 0.3 0.7")
    assert "keypoints" not in str(checked(f"yolo:{base}"))


def test_names_in_yaml_are_texts_whatever_yaml_makes_of_them(tmp_path):
    base = yolo(tmp_path / "set")
    (base / "data.yaml").write_text("names:\n  0: no\n  1: 1.0\n")
    assert read_yolo(str(base)).classes == ("no", "1.0")


def test_texts_may_have_a_mark_another_case_and_lie_beside_their_images(tmp_path):
    base = yolo(tmp_path / "set")
    for text in (base / "labels" / "train").iterdir():
        text.write_bytes("\ufeff".encode() + text.read_bytes())
        text.rename(text.with_suffix(".TXT"))
    for text in (base / "labels" / "val").iterdir():
        text.rename(base / "images" / "val" / text.name)
    (base / "labels" / "val").rmdir()
    (base / "classes.txt").write_bytes("\ufeffcat\n".encode())
    labels = read_yolo(str(base))
    assert (labels.classes, labels.faults) == (("cat",), [])
    assert [len(image.things) for image in labels.images] == [1] * 10


# ----------------------------------------------------------------------------------------------------------- XML


@pytest.mark.parametrize("coding", ["gbk", "shift_jis", "windows-1252", "utf-8-sig", "utf-16"])
def test_xml_is_read_in_the_encoding_that_it_declares(coding, tmp_path):
    name = {"gbk": "猫", "shift_jis": "ねこ"}.get(coding, "Bär")
    head = "" if coding.startswith("utf") else f'<?xml version="1.0" encoding="{coding}"?>\n'
    labels = read_voc(str(voc(tmp_path / "set", name=name, head=head, coding=coding)))
    assert (labels.classes, labels.faults) == ((name,), [])


def test_xml_in_another_encoding_than_it_declares_is_refused_by_its_line(tmp_path):
    base = voc(tmp_path / "set", name="cat")
    (base / "Annotations" / "0.xml").write_bytes("<annotation>\n<object><name>Bär".encode("cp1252"))
    (base / "Annotations" / "1.xml").write_bytes(b'<?xml version="1.0" encoding="klingon"?>\n<annotation/>')
    text = said(checked(f"voc:{base}"), "problem")
    assert "Annotations/0.xml line 2: it is not in UTF-8, and declares no other encoding; save it as UTF-8" in text
    assert "Annotations/1.xml line 1: its encoding klingon is not known" in text


# --------------------------------------------------------------------------------------------------------- masks


def test_masks_may_have_any_ending_of_an_image_in_any_case(tmp_path):
    base = masks(tmp_path / "upper", lambda i: Image.fromarray(square()), "PNG")
    assert len(read_masks(str(base)).images) == 6
    base = masks(tmp_path / "jpegs", lambda i: Image.fromarray(square()), "jpg")
    source = opened(f"masks:{base}")
    assert source.schema["mask"].classes == ("background", "foreground")
    assert np.array_equal(source.train[0]["mask"].numpy(), square(1))


def test_black_and_white_may_have_16_bits(tmp_path):
    base = masks(tmp_path / "set", lambda i: Image.fromarray(square().astype(np.uint16) * 257))
    source = opened(f"masks:{base}")
    assert source.schema["mask"].classes == ("background", "foreground")
    assert np.array_equal(source.train[0]["mask"].numpy(), square(1))


def test_black_and_white_among_class_ids_is_said(tmp_path):
    base = masks(tmp_path / "set", lambda i: Image.fromarray(square(255 if i < 2 else 1)))
    found = said(checked(f"masks:{base}"), "warning")
    assert "Masks of 0 and 255 alone among others with ids of classes: 2 (masks/0.png, masks/1.png)" in found


def test_masks_in_files_of_other_kinds_are_named(tmp_path):
    base = masks(tmp_path / "set", lambda i: Image.fromarray(square()))
    for file in (base / "masks").iterdir():
        file.rename(file.with_suffix(".npy"))
    with pytest.raises(UserError, match=r"In masks there are 6 files \(0.npy, 1.npy, 2.npy and 3 more\)"):
        opened(f"masks:{base}")


def test_jpegs_of_class_ids_are_refused_with_the_reason(tmp_path):
    base = masks(tmp_path / "set", lambda i: Image.fromarray(square(3)), "jpg")
    assert "masks/0.jpg: compression blurs ids; save masks as PNG" in said(checked(f"masks:{base}"), "problem")


def test_soft_edges_make_no_classes(tmp_path):
    def draw(i: int) -> Image.Image:
        mask = Image.fromarray(square())
        return mask.rotate(10 * i, Image.Resampling.BICUBIC) if i else mask

    base = masks(tmp_path / "set", draw)
    source = opened(f"masks:{base}")
    assert source.schema["mask"].classes == ("background", "foreground")
    assert set(source.train[1]["mask"].unique().tolist()) == {0, 1}
    assert "with values between them (soft edges): 5" in said(checked(f"masks:{base}"), "warning")


def test_class_ids_with_255_for_what_does_not_count_are_not_taken_for_soft_edges(tmp_path):
    ids = square(2)
    ids[0], ids[1, :3] = 255, 15
    source = opened(f"masks:{masks(tmp_path / 'set', lambda i: Image.fromarray(ids))}")
    assert len(source.schema["mask"].classes) == 16


def test_ids_with_wide_gaps_are_a_warning(tmp_path):
    report = checked(f"masks:{masks(tmp_path / 'set', lambda i: Image.fromarray(square(128)))}")
    assert "Masks have 2 values up to 128, so that most of the 129 classes have no pixel" in said(report, "warning")


def test_a_mask_of_a_photo_taken_sideways_is_refused_with_the_reason(tmp_path):
    base = masks(tmp_path / "set", lambda i: Image.fromarray(square()))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (SIDE, 20)).save(base / "images" / "0.jpg", exif=exif)
    Image.new("L", (SIDE, 20)).save(base / "masks" / "0.png")
    text = "masks/0.png: 40 × 20, but the image 20 × 40, which is turned by its EXIF orientation"
    assert text in said(checked(f"masks:{base}"), "problem")


def colored(colors: list[tuple[int, int, int]], ids: np.ndarray) -> Image.Image:
    """A mask with a palette."""
    sheet = Image.fromarray(ids).convert("P")
    sheet.putdata(ids.ravel().tolist())
    sheet.putpalette([value for color in colors for value in color])
    return sheet


@pytest.mark.parametrize("kind", ["masks", "voc"])
def test_black_and_white_of_more_than_two_classes_is_refused_with_the_reason(kind, tmp_path):
    base = tmp_path / "set"
    if kind == "masks":
        masks(base, lambda i: Image.fromarray(square()))
        (base / "classes.txt").write_text("background\ncat\ndog\n")
    else:
        voc(base)
        (base / "classes.txt").write_text("cat\ndog\n")
        (base / "SegmentationClass").mkdir()
        for i in range(6):
            Image.fromarray(square()).save(base / "SegmentationClass" / f"{i}.png")
    text = said(checked(f"{kind}:{base}"), "problem")
    assert "0.png: 255 alone does not say which of 3 classes is meant; write the number of the class" in text
    with pytest.raises(UserError, match="255 alone does not say"):
        opened(f"{kind}:{base}")


def test_black_and_white_of_one_named_class_is_refused_with_the_reason(tmp_path):
    base = masks(tmp_path / "set", lambda i: Image.fromarray(square()))
    (base / "classes.txt").write_text("lesion\n")
    text = said(checked(f"masks:{base}"), "problem")
    assert "masks/0.png: 0 is background and 255 another class, but 'lesion' alone has a name; name both" in text


def test_black_and_white_with_soft_edges_among_more_classes_is_called_that(tmp_path):
    def draw(i: int) -> Image.Image:
        return Image.fromarray(square()).rotate(10, Image.Resampling.BICUBIC) if i == 3 else Image.fromarray(square(2))

    base = masks(tmp_path / "set", draw)
    (base / "classes.txt").write_text("background\ncat\ndog\n")
    text = said(checked(f"masks:{base}"), "problem")
    assert "Masks with unknown class ids: 1\n      masks/3.png: " in text
    assert "it is black and white with soft edges, which are no ids" in text


def test_masks_in_colors_are_refused_with_their_colors(tmp_path):
    ids = square(1)
    ids[:4] = 2
    colors = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0)], np.uint8)
    base = masks(tmp_path / "set", lambda i: Image.fromarray(colors[ids]))
    text = said(checked(f"masks:{base}"), "problem")
    assert (
        "masks/0.png: it is stored as RGB with 3 colors ((0, 0, 0), (0, 128, 0), (128, 0, 0)), which do not say" in text
    )


def test_ids_that_are_unknown_or_not_in_the_palette_are_named_with_their_colors(tmp_path):
    ids = square(5)
    ids[:4] = 9
    palette = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (1, 1, 1), (2, 2, 2), (0, 0, 128)]
    base = masks(tmp_path / "set", lambda i: colored(palette, ids))
    (base / "classes.txt").write_text("background\ncat\ndog\n")
    text = said(checked(f"masks:{base}"), "problem")
    assert "masks/0.png: 5 (color (0, 0, 128)), 9" in text
    assert "; there are 0…2, and 255 for what does not count" in text


def test_palettes_that_number_colors_anew_in_each_file_are_a_warning(tmp_path):
    palettes = [[(0, 0, 0), (128, 0, 0)], [(0, 0, 0), (0, 128, 0)]]
    base = masks(tmp_path / "set", lambda i: colored(palettes[i % 2], square(1)))
    text = "different colors for one id: 1 is (128, 0, 0) in masks/0.png, but (0, 128, 0) in masks/1.png. Ids are used"
    assert text in said(checked(f"masks:{base}"), "warning")
    same = masks(tmp_path / "same", lambda i: colored(palettes[0], square(1)))
    assert "different colors" not in str(checked(f"masks:{same}"))
