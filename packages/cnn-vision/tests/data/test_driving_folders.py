"""The user's own driving data: boxes as in YOLO's format, with masks and depth beside them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Report, Source, check, open_source
from torchworks.shared.data.boxes.sample import VOID

WIDTH, HEIGHT = 80, 60
BOXES = [((10, 20, 30, 50), "cat"), ((40, 5, 75, 25), "dog")]
"""x1, y1, x2, y2 and the class of what is on every picture."""


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


def make_driving(base: Path) -> Path:
    """Depth in both formats; the metres are those of `expected_depth`."""
    make_yolo(base)
    for part, count in (("train", 6), ("val", 3)):
        for name in ("masks", "depth"):
            (base / name / part).mkdir(parents=True)
        for i in range(count):
            ids = np.zeros((HEIGHT, WIDTH), np.uint8)
            ids[30:] = 1
            Image.fromarray(ids).save(base / "masks" / part / f"{i}.png")
            metres = expected_depth()
            if i % 2:
                np.save(base / "depth" / part / f"{i}.npy", np.where(metres > 0, metres, np.nan))
            else:
                Image.fromarray((256 * metres).astype(np.uint16)).save(base / "depth" / part / f"{i}.png")
    (base / "masks.txt").write_text("background\nroad\n")
    return base


def expected_depth() -> np.ndarray:
    """Metres (60, 80) in steps of 1/4, farther to the top; the sky is not known."""
    metres = np.repeat(np.arange(HEIGHT, 0, -1, dtype=np.float32)[:, None] / 4, WIDTH, 1)
    metres[:5] = 0
    return metres


def test_boxes_are_read_as_they_were_written(tmp_path):
    source = opened(f"driving:{make_driving(tmp_path / 'set')}", tmp_path)
    assert (len(source.train), len(source.test)) == (6, 3)
    for sample in (source.train[0], source.test[2]):
        assert sample["box_label"].tolist() == [0, 1]
        assert torch.allclose(sample["boxes"], torch.tensor([box for box, _ in BOXES], dtype=torch.float32), atol=0.01)


def test_driving_data_have_masks_and_depth_in_metres(tmp_path):
    base = make_driving(tmp_path / "set")
    (base / "masks" / "train" / "2.png").unlink()
    (base / "depth" / "train" / "3.npy").unlink()
    source = opened(f"driving:{base}", tmp_path)
    assert source.schema["boxes"].classes == ("cat", "dog")
    assert source.schema["mask"].classes == ("background", "road")
    for i in (0, 1):
        sample = source.train[i]
        assert torch.equal(sample["depth"][:HEIGHT], torch.from_numpy(expected_depth()))
        assert (sample["depth"][HEIGHT:] == 0).all()
        assert (sample["mask"][[0, 30, 59, 60], 0]).tolist() == [0, 1, 1, VOID]
    assert (source.train[2]["mask"] == VOID).all()
    assert (source.train[3]["depth"] == 0).all()
    report = checked(f"driving:{base}", tmp_path)
    assert report.ok
    assert "images/train/2.png: it has no mask\n      images/train/3.png: it has no depth" in warnings(report)
    assert "Images with a depth: 8. Metres: half are nearer than 7" in str(report)


@pytest.mark.parametrize(
    ("file", "dtype"), [("masks/train/0.png", np.uint8), ("depth/train/0.png", np.uint16)], ids=["masks", "depth"]
)
def test_the_fingerprint_changes_with_masks_and_depth(file, dtype, tmp_path):
    base = make_driving(tmp_path / "set")
    before = opened(f"driving:{base}", tmp_path).fingerprint
    assert opened(f"driving:{base}", tmp_path, size=32).fingerprint == before
    Image.fromarray(np.ones((60, 80), dtype)).save(base / file)
    assert opened(f"driving:{base}", tmp_path).fingerprint != before


def check_command_of(base: Path, tmp_path: Path) -> int:
    words = ["check", f"driving:{base}", "--picture", str(tmp_path / "nine.png"), "--loader.root", str(tmp_path)]
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=words)


def test_check_finds_nothing_in_a_good_folder_draws_nine_and_returns_2_for_faults(tmp_path, capsys):
    base = make_driving(tmp_path / "set")
    assert check_command_of(base, tmp_path) == 0
    assert "can be trained on" in capsys.readouterr().out
    with Image.open(tmp_path / "nine.png") as sheet:
        assert sheet.width > 900
    truncated("images/train/2.png")(base)
    (tmp_path / "nine.png").unlink()
    assert check_command_of(base, tmp_path) == 2
    assert "2.png (" in capsys.readouterr().out


@pytest.mark.parametrize("rest", ["", ":/nowhere/at/all", ":empty"])
def test_a_folder_that_is_not_there_or_empty_is_a_user_s_mistake(rest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError):
        opened(f"driving{rest}", tmp_path)


def of_depth(**arrays: np.ndarray) -> Callable[[Path], None]:
    """The depth of one image for training replaced."""

    def change(base: Path) -> None:
        for kind, values in arrays.items():
            if kind == "png":
                Image.fromarray(values).save(base / "depth" / "train" / "2.png")
            else:
                (base / "depth" / "train" / "1.npy").unlink()
                np.save(base / "depth" / "train" / "1.npy", values)

    return change


def truncated(name: str) -> Callable[[Path], None]:
    return lambda base: (base / name).write_bytes((base / name).read_bytes()[:60])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_depth(png=np.ones((60, 80), np.uint8)), "depth/train/2.png: it is stored as L, but should have 16 bits"),
        (of_depth(png=np.ones((60, 80, 3), np.uint8)), "depth/train/2.png: it is stored as RGB"),
        (of_depth(png=np.ones((30, 80), np.uint16)), "depth/train/2.png: 80 × 30, but the image 80 × 60"),
        (of_depth(png=np.zeros((60, 80), np.uint16)), "depth/train/2.png: no pixel in it has a depth"),
        (of_depth(npy=np.ones((60, 80), np.int32)), "depth/train/1.npy: it holds int32 of the shape (60, 80)"),
        (of_depth(npy=np.ones((60, 80, 1))), "depth/train/1.npy: it holds float64 of the shape (60, 80, 1)"),
        (of_depth(npy=np.array([{"a": 1}], object)), "depth/train/1.npy: "),
        (truncated("depth/train/2.png"), "depth/train/2.png: the file is cut off"),
        (truncated("depth/train/1.npy"), "depth/train/1.npy: "),
        (truncated("masks/train/1.png"), "masks/train/1.png: the file is cut off"),
        (lambda base: (base / "images" / "train" / "2.png").unlink(), "depth/train/2.png: there is no such image"),
    ],
)
def test_faults_of_depth_are_named_by_file(change, message, tmp_path):
    base = make_driving(tmp_path / "set")
    change(base)
    assert message in problems(checked(f"driving:{base}", tmp_path))
    with pytest.raises(UserError, match="cannot be trained on"):
        opened(f"driving:{base}", tmp_path)
    assert opened(f"driving:{base}", tmp_path, skip_bad=True).schema["depth"].shape == (80, 80)
