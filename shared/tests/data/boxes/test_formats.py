"""People's own folders with boxes and masks: what is read from good ones, and how faults in them are named."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.shared.cli import check_command, main
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Report, Source, check, open_source
from torchworks.shared.data.boxes.outlines import Runs, polygons, runs
from torchworks.shared.data.boxes.sample import IGNORED, NOTHING, VOID, Letterbox
from torchworks.shared.data.boxes.voc import BadXml, parse_xml

WIDTH, HEIGHT = 80, 60
BOXES = [((10, 20, 30, 50), "cat"), ((40, 5, 75, 25), "dog")]
"""x1, y1, x2, y2 and the class of what is on every image."""


def picture(path: Path, seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def opened(spec: str, tmp_path: Path, size: int = 80, **options) -> Source:
    return open_source(spec, ImageConfig(image_size=size, root=tmp_path / "root", **options))


def checked(spec: str, tmp_path: Path) -> Report:
    return check(spec, ImageConfig(image_size=80, root=tmp_path / "root"))


def problems(report: Report) -> str:
    return "\n".join(finding.text for finding in report.findings if finding.level == "problem")


def warnings(report: Report) -> str:
    return "\n".join(finding.text for finding in report.findings if finding.level == "warning")


def expect_boxes(source: Source, size: int = 80) -> None:
    """Every image has the two boxes of `BOXES`, in a square of `size` pixels."""
    scale = size / WIDTH
    assert source.schema["boxes"].classes == ("cat", "dog")
    for part in (source.train, source.test):
        for i in range(len(part)):
            sample = part[i]
            assert sample["box_label"][:2].tolist() == [0, 1]
            wanted = torch.tensor([box for box, _ in BOXES], dtype=torch.float32) * scale
            assert torch.allclose(sample["boxes"][:2], wanted, rtol=0, atol=0.01)
            assert (sample["image"][:, round(HEIGHT * scale) :] == 114).all()


# ------------------------------------------------------------------------------------------------------- makers


def make_coco(base: Path) -> Path:
    """Six images for training, three for testing; polygons for one thing, run lengths for the other, and a crowd."""
    for part, count in (("train", 6), ("val", 3)):
        table: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": []}
        table["categories"] = [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]
        for i in range(count):
            picture(base / f"{part}2017" / f"{i}.png", 100 * len(part) + i)
            table["images"].append({"id": i, "file_name": f"{i}.png", "width": WIDTH, "height": HEIGHT})
            for (x1, y1, x2, y2), name in BOXES:
                outline: Any = [[x1, y1, x2, y1, x2, y2, x1, y2]]
                if name == "dog":
                    inside = np.zeros((HEIGHT, WIDTH), int)
                    inside[y1:y2, x1:x2] = 1
                    outline = {"size": [HEIGHT, WIDTH], "counts": lengths_of(inside)}
                table["annotations"].append(annotation(table, i, name, [x1, y1, x2 - x1, y2 - y1], outline))
        crowd = annotation(table, 0, "cat", [60, 40, 20, 20], [[60, 40, 80, 40, 80, 60, 60, 60]])
        table["annotations"].append(crowd | {"iscrowd": 1})
        (base / "annotations").mkdir(parents=True, exist_ok=True)
        (base / "annotations" / f"instances_{part}2017.json").write_text(json.dumps(table))
    return base


def annotation(table: dict, image: int, name: str, box: list[float], outline: Any) -> dict[str, Any]:
    number = 3 if name == "cat" else 7
    entry = {"id": 1 + len(table["annotations"]), "image_id": image, "category_id": number, "bbox": box, "iscrowd": 0}
    return entry | {"segmentation": outline}


def lengths_of(inside: np.ndarray) -> list[int]:
    flat = inside.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *edges, flat.size]).tolist()
    return lengths if not flat[0] else [0, *lengths]


def make_voc(base: Path) -> Path:
    names = []
    for i in range(9):
        picture(base / "JPEGImages" / f"{i}.png", i)
        objects = "".join(
            f"<object>\n<name>{name}</name>\n<difficult>0</difficult>\n"
            f"<bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>\n"
            "</object>\n"
            for (x1, y1, x2, y2), name in BOXES
        )
        text = f"<annotation>\n<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>\n{objects}</annotation>\n"
        (base / "Annotations").mkdir(exist_ok=True)
        (base / "Annotations" / f"{i}.xml").write_text(text)
        names.append(f"{i}\n")
    split = base / "ImageSets" / "Main"
    split.mkdir(parents=True)
    (split / "train.txt").write_text("".join(names[:6]))
    (split / "val.txt").write_text("".join(names[6:]))
    (base / "classes.txt").write_text("cat\ndog\n")
    return base


def make_yolo(base: Path) -> Path:
    for part, count in (("train", 6), ("val", 3)):
        for i in range(count):
            picture(base / "images" / part / f"{i}.png", 100 * len(part) + i)
            lines = [
                f"{label} {(x1 + x2) / 2 / WIDTH} {(y1 + y2) / 2 / HEIGHT} {(x2 - x1) / WIDTH} {(y2 - y1) / HEIGHT}\n"
                for label, ((x1, y1, x2, y2), _) in enumerate(BOXES)
            ]
            (base / "labels" / part).mkdir(parents=True, exist_ok=True)
            (base / "labels" / part / f"{i}.txt").write_text("".join(lines))
    (base / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnames: [cat, dog]\n")
    return base


def make_masks(base: Path) -> Path:
    for i in range(9):
        picture(base / "images" / f"{i}.png", i)
        ids = np.zeros((HEIGHT, WIDTH), np.uint8)
        ids[20:50, 10:30], ids[5:25, 40:75], ids[0, 0] = 1, 2, VOID
        (base / "masks").mkdir(exist_ok=True)
        sheet = Image.fromarray(ids)
        if i % 2:
            sheet = sheet.convert("P")
            sheet.putdata(ids.ravel().tolist())
            sheet.putpalette([value for value in range(256) for _ in range(3)])
        sheet.save(base / "masks" / f"{i}.png")
    (base / "classes.txt").write_text("background\ncat\ndog\n")
    return base


MAKERS: dict[str, Callable[[Path], Path]] = {
    "coco": make_coco,
    "voc": make_voc,
    "yolo": make_yolo,
    "masks": make_masks,
}


# ------------------------------------------------------------------------------------------------- good folders


@pytest.mark.parametrize("size", [80, 200, 60])  # as large as the images are, and other scales
@pytest.mark.parametrize("kind", ["coco", "voc", "yolo"])
def test_boxes_are_read_as_they_were_written(kind, size, tmp_path):
    source = opened(f"{kind}:{MAKERS[kind](tmp_path / 'set')}", tmp_path, size)
    assert (len(source.train), len(source.test)) == (6, 3)
    expect_boxes(source, size)


def test_outlines_of_coco_become_an_instance_map_and_a_mask_with_the_crowd_ignored(tmp_path):
    source = opened(f"coco:{make_coco(tmp_path / 'set')}", tmp_path)
    sample = source.train[0]
    instance, mask = torch.zeros(80, 80, dtype=torch.uint8), torch.zeros(80, 80, dtype=torch.uint8)
    mask[60:] = VOID
    for i, ((x1, y1, x2, y2), _) in enumerate([*BOXES, ((60, 40, 80, 60), "crowd")]):
        instance[y1:y2, x1:x2] = i + 1
        mask[y1:y2, x1:x2] = (1, 2, VOID)[i]
    assert torch.equal(sample["instance"], instance)
    assert torch.equal(sample["mask"], mask)
    assert sample["box_label"].tolist() == [0, 1, IGNORED]
    assert source.train[1]["box_label"].tolist() == [0, 1, NOTHING]
    assert source.schema["mask"].classes == ("background", "cat", "dog")


def test_masks_are_read_from_grey_and_palette_files_alike(tmp_path):
    source = opened(f"masks:{make_masks(tmp_path / 'set')}", tmp_path)
    assert source.schema["mask"].classes == ("background", "cat", "dog")
    for i in range(len(source.train)):
        mask = source.train[i]["mask"]
        assert (mask[30, 20], mask[10, 50], mask[0, 0], mask[2, 2]) == (1, 2, VOID, 0)
        assert (mask[60:] == VOID).all()


def test_masks_of_0_and_255_alone_are_background_and_foreground(tmp_path):
    base = make_masks(tmp_path / "set")
    (base / "classes.txt").unlink()
    for file in (base / "masks").iterdir():
        Image.fromarray(np.tile(np.array([0, 255], np.uint8), (HEIGHT, WIDTH // 2))).save(file)
    source = opened(f"masks:{base}", tmp_path)
    assert source.schema["mask"].classes == ("background", "foreground")
    assert source.train[0]["mask"][:60].unique().tolist() == [0, 1]
    assert "taken for background and foreground" in str(checked(f"masks:{base}", tmp_path))


def test_voc_s_difficult_objects_are_ignored_and_its_masks_read(tmp_path):
    base = make_voc(tmp_path / "set")
    file = base / "Annotations" / "0.xml"
    file.write_text(file.read_text().replace("<difficult>0", "<difficult>1", 1))
    (base / "SegmentationClass").mkdir()
    Image.new("L", (WIDTH, HEIGHT), 2).save(base / "SegmentationClass" / "0.png")
    source = opened(f"voc:{base}", tmp_path)
    assert source.train[0]["box_label"].tolist() == [IGNORED, 1]
    assert (source.train[0]["mask"][:60] == 2).all()
    assert (source.train[1]["mask"] == VOID).all()
    assert source.schema["mask"].classes == ("background", "cat", "dog")


def test_polygons_of_yolo_are_boxes_and_outlines(tmp_path):
    base = make_yolo(tmp_path / "set")
    for file in (base / "labels").rglob("*.txt"):
        lines = []
        for label, ((x1, y1, x2, y2), _) in enumerate(BOXES):
            corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
            lines.append(f"{label} " + " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in corners))
        file.write_text("\n".join(lines))
    source = opened(f"yolo:{base}", tmp_path)
    expect_boxes(source)
    assert (source.train[0]["instance"][20:50, 10:30] == 1).all()
    assert int((source.train[0]["instance"] == 2).sum()) == 20 * 35


def test_a_folder_without_a_split_is_split_with_copies_on_one_side(tmp_path):
    base = make_masks(tmp_path / "set")
    for i in range(9):
        shutil.copy(base / "images" / f"{i}.png", base / "images" / f"{i}_copy.png")
        shutil.copy(base / "masks" / f"{i}.png", base / "masks" / f"{i}_copy.png")
    source = opened(f"masks:{base}", tmp_path)
    names = [{image.name.replace("_copy", "") for image in part.images} for part in (source.train, source.test)]
    assert not names[0] & names[1]
    assert len(names[0] | names[1]) == 9


def test_training_pictures_that_the_test_part_has_too_are_left_out(tmp_path):
    base = make_yolo(tmp_path / "set")
    shutil.copy(base / "images" / "val" / "1.png", base / "images" / "train" / "0.png")
    assert len(opened(f"yolo:{base}", tmp_path).train) == 5
    assert "both training and testing (testing keeps them): 1" in warnings(checked(f"yolo:{base}", tmp_path))


def test_photos_taken_sideways_are_upright_with_their_boxes(tmp_path):
    base = make_yolo(tmp_path / "set")
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :40] = 255  # the left half as stored is the top half when upright
    Image.fromarray(pixels).save(base / "images" / "train" / "0.png", exif=exif)
    sample = opened(f"yolo:{base}", tmp_path).train[0]
    assert (sample["image"][:, :38, :40] == 255).all()
    assert (sample["image"][:, 42:, :40] == 0).all()
    assert torch.allclose(sample["boxes"][0], torch.tensor([5.0, 80 / 3, 15.0, 200 / 3]))


@pytest.mark.parametrize("kind", MAKERS)
def test_the_fingerprint_follows_the_contents(kind, tmp_path):
    base = MAKERS[kind](tmp_path / "set")
    marks = {opened(f"{kind}:{base}", tmp_path, size).fingerprint for size in (32, 80)}
    assert len(marks) == 1


@pytest.mark.parametrize(
    ("kind", "file", "values"),
    [
        ("masks", "masks/0.png", np.ones((60, 80), np.uint8)),
    ],
)
def test_the_fingerprint_changes_with_masks(kind, file, values, tmp_path):
    base = MAKERS[kind](tmp_path / "set")
    before = opened(f"{kind}:{base}", tmp_path).fingerprint
    Image.fromarray(values).save(base / file)
    assert opened(f"{kind}:{base}", tmp_path).fingerprint != before


@pytest.mark.parametrize("kind", MAKERS)
def test_check_finds_nothing_in_good_folders_and_draws_nine(kind, tmp_path, capsys):
    base = MAKERS[kind](tmp_path / "set")
    words = [
        "check",
        f"{kind}:{base}",
        "--picture",
        str(tmp_path / "nine.png"),
        "--loader.root",
        str(tmp_path / "root"),
    ]
    assert main("boxes", None, {"check": check_command(ImageConfig)}, words) == 0
    assert "can be trained on" in capsys.readouterr().out
    with Image.open(tmp_path / "nine.png") as sheet:
        assert sheet.width > 900


# ------------------------------------------------------------------------------------------------------- faults


def change_coco(base: Path, change: Callable[[dict], None], part: str = "train") -> None:
    file = base / "annotations" / f"instances_{part}2017.json"
    table = json.loads(file.read_text())
    change(table)
    file.write_text(json.dumps(table))


def setting(number: int, **values) -> Callable[[dict], None]:
    return lambda table: table["annotations"][number].update(values)


JSON = "annotations/instances_train2017.json annotations"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting(2, bbox=[70, 10, 50, 20]), f"out of their image: 1\n      {JSON}[2] (id 3): (70, 10, 50, 20) in an"),
        (setting(2, bbox=[10, 20, 0, 30]), f"without area: 1\n      {JSON}[2] (id 3): (10, 20, 0, 30)"),
        (setting(3, bbox=[40, 5, 75, 25]), f"{JSON}[3] (id 4): (40, 5, 75, 25) in an image of 80 × 60 would fit as x1"),
        (setting(3, bbox=[0.5, 0.1, 0.4, 0.3]), f"{JSON}[3] (id 4): (0.5, 0.1, 0.4, 0.3) looks like shares"),
        (
            setting(2, bbox=[10, 20, 31, 40]),
            f"{JSON}[2] (id 3): (10, 20, 31, 40) goes around its outline as x1, y1, x2, y2",
        ),
        (setting(1, bbox=[1, 2, 3]), f"{JSON}[1] (id 2): bbox should be [x, y, width, height]; it is [1, 2, 3]"),
        (
            setting(1, category_id=4),
            f"Unknown classes: 1\n      {JSON}[1] (id 2): category_id is 4; the categories are 3, 7",
        ),
        (setting(1, image_id=99), f"{JSON}[1] (id 2): there is no image with the id 99"),
        (setting(1, segmentation=[[1, 2, 3, 4]]), f"{JSON}[1] (id 2): a polygon needs three or more corners"),
        (
            setting(1, segmentation={"size": [80, 60], "counts": [4800]}),
            "run lengths for 60 × 80 pixels, but the image has 80 × 60; COCO's size is [height, width]",
        ),
        (
            setting(1, segmentation={"size": [30, 40], "counts": [1200]}),
            f"{JSON}[1] (id 2): run lengths for 40 × 30 pixels, but the image has 80 × 60",
        ),
        (setting(1, bbox=[1, 2, float("inf"), 4]), "height], numbers that are finite; it is [1, 2, inf, 4]"),
        (
            setting(1, segmentation=[[1, 2, float("inf"), 4, 5, 6]]),
            f"{JSON}[1] (id 2): a polygon has coordinates that are not finite (inf or nan)",
        ),
        (
            setting(1, segmentation={"size": [60, 80], "counts": [3, 4]}),
            f"{JSON}[1] (id 2): the run lengths do not add up to 60 × 80 pixels",
        ),
        (
            lambda table: table["images"][2].update(file_name="gone.png"),
            "not there: 1\n      annotations/instances_train2017.json images[2]: gone.png",
        ),
        (
            lambda table: table["images"][2].update(width=60, height=80),
            "train2017/2.png: 60 × 80 is stated, the image has 80 × 60",
        ),
        (lambda table: table["images"][2].update(id=1), "images[2]: the image id 1 is given twice"),
    ],
)
def test_faults_of_coco_are_named_by_their_entry_and_stop_a_training(change, message, tmp_path):
    base = make_coco(tmp_path / "set")
    change_coco(base, change)
    report = checked(f"coco:{base}", tmp_path)
    assert not report.ok
    assert message in problems(report)
    with pytest.raises(UserError, match=r"cannot be trained on(.|\n)*--loader.skip-bad"):
        opened(f"coco:{base}", tmp_path)
    assert len(opened(f"coco:{base}", tmp_path, skip_bad=True).test) == 3


def test_a_box_apart_from_its_outline_is_a_warning(tmp_path):
    base = make_coco(tmp_path / "set")
    change_coco(base, setting(2, bbox=[50, 30, 20, 20]))  # its outline is a polygon
    change_coco(base, setting(5, bbox=[5, 30, 20, 20]))  # its outline is of run lengths
    report = checked(f"coco:{base}", tmp_path)
    assert report.ok
    assert f"{JSON}[2] (id 3): (50, 30, 20, 20), the outline lies within (10, 20, 30, 50)" in warnings(report)
    assert f"{JSON}[5] (id 6): (5, 30, 20, 20), the outline lies within (40, 5, 75, 25)" in warnings(report)
    assert opened(f"coco:{base}", tmp_path).train[1]["boxes"][0].tolist() == [50, 30, 70, 50]


def test_ids_and_names_that_are_given_twice_are_a_warning(tmp_path):
    base = make_coco(tmp_path / "coco")
    change_coco(base, setting(4, id=2))
    assert f"{JSON}[4] (id 2): annotations[1] has that id too" in warnings(checked(f"coco:{base}", tmp_path))
    assert len(opened(f"coco:{base}", tmp_path).train) == 6
    base = make_voc(tmp_path / "voc")
    (base / "ImageSets" / "Main" / "val.txt").rename(base / "ImageSets" / "Main" / "test.txt")
    with (base / "ImageSets" / "Main" / "test.txt").open("a") as file:
        file.write("2\n")
    text = "ImageSets/Main/test.txt line 4: 2 was named before; it is used for testing alone"
    assert text in warnings(checked(f"voc:{base}", tmp_path))
    source = opened(f"voc:{base}", tmp_path)
    assert (len(source.train), len(source.test)) == (5, 4)


def test_all_faults_of_a_folder_are_told_in_one_go(tmp_path):
    base = make_coco(tmp_path / "set")
    change_coco(base, setting(2, bbox=[10, 20, 0, 30]))
    change_coco(base, setting(4, category_id=4))
    change_coco(base, lambda table: table["annotations"].append(dict(table["annotations"][0])), "val")
    (base / "val2017" / "1.png").write_bytes((base / "val2017" / "1.png").read_bytes()[:2000])
    report = checked(f"coco:{base}", tmp_path)
    text = str(report)
    assert "Boxes without area: 1" in text
    assert "Unknown classes: 1" in text
    assert "cannot be read: 1 (val2017/1.png (the file is cut off))" in text
    assert "there twice (one is kept): 1" in text


def test_only_the_first_faults_of_a_kind_are_listed(tmp_path):
    base = make_coco(tmp_path / "set")
    change_coco(base, lambda table: [entry.update(category_id=4) for entry in table["annotations"]])
    text = problems(checked(f"coco:{base}", tmp_path))
    assert "Unknown classes: 13" in text
    assert "and 3 more" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [\n', "not valid JSON: .* in line 2"),
        ("[1, 2]", "not a file of COCO's instances"),
        ('{"images": [], "annotations": [], "categories": [{"id": "a"}]}', r"categories\[0\] needs an id"),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 4, "name": " "}]}',
            r"categories\[0\] \(id 4\) has an empty name",
        ),
    ],
)
def test_a_file_that_is_not_coco_s_is_said_to_be_none(content, message, tmp_path):
    (tmp_path / "labels.json").write_text(content)
    with pytest.raises(UserError, match=message):
        checked(f"coco:{tmp_path / 'labels.json'}", tmp_path)


def truncated(name: str) -> Callable[[Path], None]:
    return lambda base: (base / name).write_bytes((base / name).read_bytes()[:60])


def in_xml(old: str, new: str) -> Callable[[Path], None]:
    def change(base: Path) -> None:
        file = base / "Annotations" / "2.xml"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))

    return change


def bomb(base: Path) -> None:
    entities = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(9))
    text = f'<!DOCTYPE a [<!ENTITY e0 "ha">{entities}]>\n<annotation>&e9;</annotation>'
    (base / "Annotations" / "2.xml").write_text(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_xml("<xmax>30", "<xmax>95"), "Annotations/2.xml line 6: (10, 20, 95, 50) in an image of 80 × 60"),
        (in_xml("<xmax>30", "<xmax>10"), "Boxes without area: 1\n      Annotations/2.xml line 6: (10, 20, 10, 50)"),
        (
            in_xml("<xmax>75</xmax><ymax>25", "<xmax>35</xmax><ymax>20"),
            "Annotations/2.xml line 11: (40, 5, 35, 20) in an image of 80 × 60 would fit as x, y, width, height",
        ),
        (in_xml("<name>dog", "<name>dgo"), "2.xml line 8: 'dgo' Did you mean 'dog'?"),
        (
            in_xml("<xmin>11", "<xmin>many"),
            "2.xml line 3: <bndbox> needs xmin, ymin, xmax and ymax, numbers that are finite; xmin is 'many'",
        ),
        (in_xml("<xmax>30", "<xmax>1e999"), "numbers that are finite; xmax is '1e999'"),
        (in_xml("<width>80", "<width>81"), "JPEGImages/2.png: 81 × 60 is stated, the image has 80 × 60"),
        (in_xml("</annotation>", ""), "Annotations/2.xml line 14: it is not well-formed"),
        (bomb, "Annotations/2.xml line 1: it declares a document type, which is refused"),
        (lambda base: (base / "JPEGImages" / "2.png").unlink(), "Annotations/2.xml: there is no such image"),
    ],
)
def test_faults_of_voc_are_named_by_file_and_line(change, message, tmp_path):
    base = make_voc(tmp_path / "set")
    change(base)
    report = checked(f"voc:{base}", tmp_path)
    assert message in problems(report)
    with pytest.raises(UserError, match="cannot be trained on"):
        opened(f"voc:{base}", tmp_path)


def test_an_image_without_xml_is_a_warning(tmp_path):
    base = make_voc(tmp_path / "set")
    (base / "Annotations" / "2.xml").unlink()
    report = checked(f"voc:{base}", tmp_path)
    assert report.ok
    assert "Images without labels, which are left out: 1\n      JPEGImages/2.png: it has no XML file" in warnings(
        report
    )


def test_xml_that_is_nested_absurdly_is_refused():
    with pytest.raises(BadXml, match="nested more than"):
        parse_xml(b"<a>" * 100_000)


def in_text(line: str) -> Callable[[Path], None]:
    def change(base: Path) -> None:
        with (base / "labels" / "train" / "2.txt").open("a") as file:
            file.write(line + "\n")

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_text("0 0.9 0.5 0.4 0.2"), "labels/train/2.txt line 3: (0.9, 0.5, 0.4, 0.2) in an image of 80 × 60"),
        (in_text("0 0.5 0.5 0 0.2"), "Boxes without area: 1\n      labels/train/2.txt line 3: (0.5, 0.5, 0, 0.2)"),
        (
            in_text("0 0.1 0.1 0.9 0.8"),
            "line 3: (0.1, 0.1, 0.9, 0.8) in an image of 80 × 60 would fit as x1, y1, x2, y2",
        ),
        (
            in_text("0 40 30 20 10"),
            "wrong unit: 1\n      labels/train/2.txt line 3: (40, 30, 20, 10) looks like pixels",
        ),
        (in_text("2 0.5 0.5 0.2 0.2"), "Unknown classes: 1\n      labels/train/2.txt line 3: class 2; there are 0…1"),
        (in_text("0 0.5 0.5 0.2"), "labels/train/2.txt line 3: 4 numbers; a box has 5"),
        (in_text("cat 0.5 0.5 0.2 0.2"), "line 3: 'cat 0.5 0.5 0.2 0.2' contains something other than numbers"),
        (in_text("0 0.1 0.1 1e999 0.1 0.4 0.4"), "line 3: '0 0.1 0.1 1e999 0.1 0.4 0.4' should be a class"),
        (in_text("0 nan 0.5 0.2 0.2"), "line 3: '0 nan 0.5 0.2 0.2' should be a class"),
        (lambda base: (base / "images" / "train" / "2.png").unlink(), "labels/train/2.txt: there is no such image"),
    ],
)
def test_faults_of_yolo_are_named_by_file_and_line(change, message, tmp_path):
    base = make_yolo(tmp_path / "set")
    change(base)
    assert message in problems(checked(f"yolo:{base}", tmp_path))
    with pytest.raises(UserError, match="cannot be trained on"):
        opened(f"yolo:{base}", tmp_path)


def test_a_line_that_is_there_twice_is_a_warning_and_kept_once(tmp_path):
    base = make_yolo(tmp_path / "set")
    file = base / "labels" / "train" / "2.txt"
    file.write_text(file.read_text() * 2)
    report = checked(f"yolo:{base}", tmp_path)
    assert report.ok
    assert "labels/train/2.txt line 3: the same as labels/train/2.txt line 1" in warnings(report)
    expect_boxes(opened(f"yolo:{base}", tmp_path))


def test_an_image_without_a_text_is_a_warning_and_has_no_objects(tmp_path):
    base = make_yolo(tmp_path / "set")
    (base / "labels" / "train" / "0.txt").unlink()
    report = checked(f"yolo:{base}", tmp_path)
    assert report.ok
    text = (
        "Images without labels, which are taken to show no object: 1\n      images/train/0.png: labels/train/0.txt is"
    )
    assert text in warnings(report)
    assert opened(f"yolo:{base}", tmp_path).train[0]["box_label"].tolist() == [NOTHING, NOTHING]


def test_a_class_that_only_the_test_part_has_stops_a_training(tmp_path):
    base = make_yolo(tmp_path / "set")
    for file in (base / "labels" / "train").iterdir():
        file.write_text(file.read_text().splitlines()[0])
    with pytest.raises(UserError, match=r"without a single training image: 1 \('dog'"):
        opened(f"yolo:{base}", tmp_path)
    assert not checked(f"yolo:{base}", tmp_path).ok


def test_broken_yaml_is_named_with_its_line(tmp_path):
    base = make_yolo(tmp_path / "set")
    (base / "data.yaml").write_text("train: a\nnames: [cat\nval: b\n")
    with pytest.raises(UserError, match=r"data.yaml is not valid YAML in line \d"):
        opened(f"yolo:{base}", tmp_path)


def colored(base: Path) -> None:
    Image.open(base / "masks" / "2.png").convert("RGB").save(base / "masks" / "2.png")


def cut_off(base: Path) -> None:
    file = base / "masks" / "2.png"
    file.write_bytes(file.read_bytes()[:60])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (colored, "masks/2.png: it is stored as RGB; save one of its three equal channels"),
        (cut_off, "Masks that cannot be read: 1\n      masks/2.png"),
        (
            lambda base: Image.new("L", (WIDTH, HEIGHT), 7).save(base / "masks" / "2.png"),
            "masks/2.png: 7; there are 0…2, and 255 for what does not count",
        ),
        (
            lambda base: Image.new("L", (HEIGHT, WIDTH), 1).save(base / "masks" / "2.png"),
            "masks/2.png: 60 × 80, but the image 80 × 60",
        ),
        (lambda base: (base / "images" / "2.png").unlink(), "masks/2.png: there is no such image"),
    ],
)
def test_faults_of_masks_are_named_by_file(change, message, tmp_path):
    base = make_masks(tmp_path / "set")
    change(base)
    assert message in problems(checked(f"masks:{base}", tmp_path))
    with pytest.raises(UserError, match="cannot be trained on"):
        opened(f"masks:{base}", tmp_path)
    assert len(opened(f"masks:{base}", tmp_path, skip_bad=True).train) >= 6


@pytest.mark.parametrize("kind", MAKERS)
def test_the_command_returns_2_for_faults(kind, tmp_path, capsys):
    base = MAKERS[kind](tmp_path / "set")
    image = next(file for file in sorted(base.rglob("2.png")) if "masks" not in file.parts)
    image.write_bytes(image.read_bytes()[:3000])
    words = [
        "check",
        f"{kind}:{base}",
        "--picture",
        str(tmp_path / "nine.png"),
        "--loader.root",
        str(tmp_path / "root"),
    ]
    assert main("boxes", None, {"check": check_command(ImageConfig)}, words) == 2
    assert "2.png (the file is cut off)" in capsys.readouterr().out


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("rest", ["", ":/nowhere/at/all", ":empty"])
def test_a_folder_that_is_not_there_or_empty_is_a_user_s_mistake(kind, rest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError):
        opened(f"{kind}{rest}", tmp_path)


# ----------------------------------------------------------------------------------------------------- outlines


def test_run_lengths_are_read_as_pycocotools_does():
    mask = pytest.importorskip("pycocotools.mask")
    for seed in range(20):
        random = np.random.default_rng(seed)
        inside = (random.random((random.integers(1, 40), random.integers(1, 40))) < random.random()).astype(np.uint8)
        packed = mask.encode(np.asfortranarray(inside))
        found = runs({"size": packed["size"], "counts": packed["counts"].decode()})
        assert found.lengths.tolist() == lengths_of(inside)
    found = runs(
        {
            "size": [60, 80],
            "counts": mask.frPyObjects({"size": [60, 80], "counts": [9, 2000, 2791]}, 60, 80)["counts"].decode(),
        }
    )
    assert found.lengths.tolist() == [9, 2000, 2791]


def test_the_box_of_run_lengths_is_the_tightest_around_the_pixels():
    whole = Letterbox(9, 7, 9)
    for seed in range(200):
        random = np.random.default_rng(seed)
        inside = (random.random((7, 9)) < random.choice([0.02, 0.1, 0.6])).astype(np.uint8)
        outline = Runs(7, 9, np.array(lengths_of(inside)))
        columns, rows = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
        tight = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(columns) else (0, 0, 0, 0)
        assert outline.box == tight
        assert outline.draw(whole)[:7].astype(int).tolist() == inside.tolist()


@pytest.mark.parametrize(
    "counts", ["zzzz", "é", [1, 2], [-4, 10], [2**70], ["a"], None, "0" * 100_000, [[1, 2], [3]], 5]
)
def test_hostile_run_lengths_are_a_fault_and_take_no_memory(counts):
    with pytest.raises(ValueError, match="run lengths"):
        runs({"size": [3, 3], "counts": counts})


def test_a_polygon_fills_the_pixels_whose_middles_are_inside():
    box = Letterbox(10, 10, 10)
    square = polygons([[2, 3, 6, 3, 6, 5, 2, 5]]).draw(box)
    assert np.argwhere(square).min(0).tolist() == [3, 2]
    assert np.argwhere(square).max(0).tolist() == [4, 5]
    assert square.sum() == 8
    assert Runs(2, 2, np.array([1, 2, 1])).draw(Letterbox(2, 2, 2)).tolist() == [[False, True], [True, False]]


def test_what_the_extra_installs_is_named_where_it_is_missing(tmp_path, monkeypatch):
    base = make_yolo(tmp_path / "set")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UserError, match=r"data\.yaml is read with pyyaml, which is not installed.*extra boxes"):
        opened(f"yolo:{base}", tmp_path)
