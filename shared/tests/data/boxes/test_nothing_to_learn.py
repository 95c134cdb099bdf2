"""Sets in which nothing can be learned: `check` calls them a problem, and no training opens them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import check, open_source


def pictures(folder: Path, count: int, first: int = 0) -> list[Path]:
    folder.mkdir(parents=True)
    files = [folder / f"{first + i}.png" for i in range(count)]
    for i, file in enumerate(files):
        pixels = np.random.default_rng(first + i).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
    return files


def crowds(base: Path) -> str:
    """COCO's format, in which every annotation is a crowd."""
    files = pictures(base / "images", 8)
    table = {
        "images": [{"id": i, "file_name": file.name, "width": 40, "height": 40} for i, file in enumerate(files)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [5, 5, 9, 9], "area": 81, "iscrowd": 1,
             "segmentation": [[5, 5, 14, 5, 14, 14, 5, 14]]}
            for i in range(8)
        ],
        "categories": [{"id": 1, "name": "cell"}],
    }  # fmt: skip
    (base / "instances.json").write_text(json.dumps(table))
    return f"coco:{base}"


def unlabelled(base: Path) -> str:
    """YOLO's format, with label files that are all empty."""
    (base / "labels").mkdir(parents=True)
    for file in pictures(base / "images", 8):
        (base / "labels" / f"{file.stem}.txt").touch()
    (base / "data.yaml").write_text("train: images\nnames: [cell]\n")
    return f"yolo:{base}"


def background(base: Path) -> str:
    """Masks all of whose pixels are background."""
    (base / "masks").mkdir(parents=True)
    for file in pictures(base / "images", 8):
        Image.fromarray(np.zeros((40, 40), np.uint8)).save(base / "masks" / file.name)
    return f"masks:{base}"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (crowds, "training images in SET shows an object but 6 regions to ignore"),
        (unlabelled, "training images in SET shows an object, so there is nothing to learn"),
        (
            background,
            "training images in SET have one class of pixels alone (background), so there is nothing to learn",
        ),
    ],
)
def test_sets_without_anything_to_learn_are_refused(make: Callable[[Path], str], words: str, tmp_path: Path):
    spec = make(tmp_path / "set")
    config = ImageConfig(image_size=32, root=tmp_path / "root")
    report = check(spec, config)
    problems = " ".join(finding.text for finding in report.findings if finding.level == "problem")
    assert not report.ok
    assert words.replace("SET", str(tmp_path / "set")) in problems
    with pytest.raises(UserError, match="nothing to learn"):
        open_source(spec, config)


def test_a_test_part_that_is_the_training_part_is_called_that(tmp_path: Path):
    for part in ("train", "val"):
        for name, first in (("cat", 0), ("dog", 100)):
            pictures(tmp_path / "set" / part / name, 4, first)
    config = ImageConfig(image_size=32, root=tmp_path / "root")
    with pytest.raises(UserError, match="is a test image too, so none is left to learn from"):
        open_source(f"folder:{tmp_path / 'set'}", config)
    report = check(f"folder:{tmp_path / 'set'}", config)
    assert "is a test image too" in " ".join(finding.text for finding in report.findings if finding.level == "problem")
