"""`check`: what it finds in a user's data, and what it lets pass."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Report, check, open_source, run_check


def save(path: Path, seed: int, height: int = 40, width: int = 40, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def good(tmp_path) -> Path:
    for i in range(70):
        save(tmp_path / "good" / "cat" / f"{i}.png", i)
        save(tmp_path / "good" / "dog" / f"{i}.png", 100 + i)
    return tmp_path / "good"


def checked(path: Path, **options) -> Report:
    return check(f"folder:{path}", ImageConfig(image_size=32, root=path.parent / "root"), **options)


def texts(report: Report, level: str) -> str:
    return " | ".join(finding.text for finding in report.findings if finding.level == level)


def test_good_data_have_no_problem_and_no_warning(good):
    report = checked(good, min_side=32)
    assert report.ok
    assert not texts(report, "warning")
    assert "Images: 140. Classes: 2 (cat 70, dog 70)" in texts(report, "fact")
    assert str(report).startswith(f"folder:{good} can be trained on")


def break_file(folder: Path) -> None:
    (folder / "cat" / "bad.jpg").write_text("no image")


def shrink(folder: Path) -> None:
    save(folder / "cat" / "small.png", 1, 10, 40)


@pytest.mark.parametrize(
    ("spoil", "message"), [(break_file, "cat/bad.jpg (it is not an image)"), (shrink, "small.png (40 × 10)")]
)
def test_what_stops_a_training_is_a_problem_with_its_file(good, spoil, message):
    spoil(good)
    report = checked(good, min_side=16)
    assert not report.ok
    assert message in texts(report, "problem")
    assert "needs repair" in str(report)


def add_empty(folder: Path) -> None:
    (folder / "bird").mkdir()


def add_tiny(folder: Path) -> None:
    save(folder / "bird" / "1.png", 500)


def add_stray(folder: Path) -> None:
    save(folder / "stray.png", 500)


def add_relabelled(folder: Path) -> None:
    shutil.copy(folder / "cat" / "3.png", folder / "dog" / "copy.png")


def add_flat(folder: Path) -> None:
    Image.new("RGB", (40, 40), "red").save(folder / "cat" / "red.png")


def add_long(folder: Path) -> None:
    save(folder / "cat" / "long.png", 500, 40, 100)


def add_small(folder: Path) -> None:
    save(folder / "cat" / "small.png", 500, 20, 20)


def add_printed(folder: Path) -> None:
    save(folder / "cat" / "print.jpg", 500, mode="CMYK")


def add_deep(folder: Path) -> None:
    Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40) * 40).save(folder / "cat" / "deep.png")


def add_moving(folder: Path) -> None:
    frames = [Image.new("L", (40, 40), level).convert("RGB") for level in (40, 90)]
    frames[0].paste("red", (0, 0, 9, 9))
    frames[0].save(folder / "cat" / "moving.gif", save_all=True, append_images=frames[1:])


def add_one_pixel(folder: Path) -> None:
    Image.new("RGB", (1, 1), "red").save(folder / "cat" / "dot.png")


def lose_a_class(folder: Path) -> None:
    shutil.rmtree(folder / "dog")


def lose_most(folder: Path) -> None:
    for i in range(20, 70):
        (folder / "cat" / f"{i}.png").unlink()
        (folder / "dog" / f"{i}.png").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (add_empty, "bird has no images"),
        (add_tiny, "fewer than 10 images: 1 (bird (1))"),
        (add_stray, "outside its class folders"),
        (add_relabelled, "two different labels: 1 (cat/3.png = dog/copy.png)"),
        (add_flat, "single flat color: 1 (cat/red.png)"),
        (add_long, "whose ends are cropped away: 1 (cat/long.png)"),
        (add_small, "enlarged and so blurred: 1 (cat/small.png)"),
        (
            add_printed,
            "(CMYK), converted to RGB; colors may differ from what a viewer shows: 1 (cat/print.jpg)",
        ),
        (add_deep, "16 bits a value, of which the upper 8 are kept: 1 (cat/deep.png)"),
        (add_moving, "only the first of which is used: 1 (cat/moving.gif)"),
        (add_one_pixel, "enlarged and so blurred: 1 (cat/dot.png)"),
        (lose_a_class, "Only one class"),
        (lose_most, "Only 32 training images"),
    ],
)
def test_what_deserves_a_look_is_a_warning_with_its_file(good, spoil, message):
    spoil(good)
    report = checked(good)
    assert report.ok
    assert message in texts(report, "warning")


def test_photos_taken_sideways_are_said_to_be_turned(good):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (50, 40), "red").save(good / "cat" / "turned.jpg", exif=exif)
    report = checked(good)
    assert "put upright: 1 (cat/turned.jpg)" in texts(report, "fact")


def test_an_image_of_a_hundred_megapixels_is_a_problem_with_its_name(good):
    Image.new("1", (10_000, 10_000)).save(good / "cat" / "huge.png")
    assert "cat/huge.png (it has more than 89 million pixels; make it smaller)" in texts(checked(good), "problem")


@pytest.mark.parametrize(("large", "small", "warned"), [(40, 2, False), (42, 2, True), (1000, 1, True)])
def test_a_class_beside_one_of_more_than_twenty_times_its_size_is_warned_of(tmp_path, large, small, warned):
    for name, count in (("cat", large), ("dog", small)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (4, 4), (i % 256, i // 256, count % 256)).save(tmp_path / "set" / name / f"{i}.png")
    said = texts(checked(tmp_path / "set"), "warning")
    ratio = f"has {large} images, the smallest {small}, a ratio of {large // small}:1"
    assert (f"{ratio}. Classifiers tend to ignore the small one; --class-weights balanced" in said) == warned


def parted(base: Path, train: tuple[str, ...], test: tuple[str, ...]) -> Path:
    for part, names in (("train", train), ("test", test)):
        for i, name in enumerate(names):
            for j in range(3):
                save(base / "set" / part / name / f"{j}.png", 100 * len(part) + 10 * i + j, 8, 8)
    return base / "set"


def test_classes_that_only_the_test_part_has_are_a_problem_and_stop_a_training(tmp_path):
    data = parted(tmp_path, ("cat", "dog", "emu"), ("cat", "dgo"))
    report = checked(data)
    assert not report.ok
    assert "without a single training image: 1 ('dgo'; did you mean 'dog'?)" in texts(report, "problem")
    assert "without test images, so their accuracy is unknown: 2 (dog, emu)" in texts(report, "warning")
    with pytest.raises(UserError, match="give both parts the same class names"):
        open_source(f"folder:{data}", ImageConfig(image_size=8, root=tmp_path / "root"))


def test_classes_that_only_the_training_part_has_are_a_warning(tmp_path):
    report = checked(parted(tmp_path, ("cat", "dog", "emu"), ("cat", "dog")))
    assert report.ok
    assert "without test images, so their accuracy is unknown: 1 (emu)" in texts(report, "warning")


def test_pictures_in_both_parts_of_a_split_are_found(tmp_path):
    for i in range(6):
        save(tmp_path / "set" / "train" / f"{i}.png", i)
        save(tmp_path / "set" / "test" / f"{i}.png", 3 + i)
    assert "both training and testing (testing keeps them): 3" in texts(checked(tmp_path / "set"), "warning")


def test_mixed_modes_and_sizes_are_told(good):
    save(good / "cat" / "grey.png", 500, 50, 60, "L")
    facts = texts(checked(good), "fact")
    assert "Modes: 2 (RGB 140, L 1). All become RGB" in facts
    assert "Sizes: 2 (40 × 40 (140), 60 × 50 (1)). All become 32 × 32" in facts


def test_data_with_nothing_readable_get_a_report_without_a_picture(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_text("no image")
    report = checked(tmp_path / "set")
    assert (report.ok, report.source) == (False, None)
    assert "None of the 1 images" in texts(report, "problem")


def test_a_folder_that_is_not_there_raises(tmp_path):
    with pytest.raises(UserError, match="There is no folder"):
        checked(tmp_path / "nowhere")


def test_bundled_data_can_be_checked_too():
    assert check("digits", ImageConfig(image_size=8)).ok


def test_the_picture_shows_nine_samples(good, tmp_path):
    checked(good).picture(tmp_path / "new" / "nine.png")
    with Image.open(tmp_path / "new" / "nine.png") as picture:
        assert picture.size == (480, 552)
        colors = [picture.crop((x, y, x + 160, y + 160)).getcolors(160 * 160) for x in (0, 320) for y in (0, 368)]
    assert all(len(found or []) > 500 for found in colors)


def test_the_command_prints_draws_and_returns_2_for_a_problem(good, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    arguments = SimpleNamespace(data=f"folder:{good}", picture=tmp_path / "nine.png", overwrite=False)
    assert run_check(arguments) == 0
    with pytest.raises(UserError, match=r"nine\.png exists already"):
        run_check(arguments)
    arguments.overwrite = True
    break_file(good)
    assert run_check(arguments) == 2
    assert "cat/bad.jpg" in capsys.readouterr().out
    assert arguments.picture.exists()


def test_without_a_file_for_samples_the_command_writes_nothing(good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = {path for path in tmp_path.rglob("*") if ".cache" not in path.parts}
    assert run_check(SimpleNamespace(data=f"folder:{good}", picture=None)) == 0
    assert {path for path in tmp_path.rglob("*") if ".cache" not in path.parts} == before


def test_copies_are_listed_under_one_heading_alone(tmp_path):
    for part in ("train", "test"):
        for i in range(6):
            save(tmp_path / "set" / part / f"{i}.png", i + 3 * (part == "test"))
    shutil.copy(tmp_path / "set" / "train" / "0.png", tmp_path / "set" / "train" / "0-again.png")
    report = checked(tmp_path / "set")
    assert "both training and testing (testing keeps them): 3" in texts(report, "warning")
    assert "more than once (copies stay on one side): 1 (train/0-again.png = train/0.png)" in texts(report, "fact")


def test_a_picture_that_cannot_be_written_is_a_user_s_mistake(good):
    with pytest.raises(UserError, match="cannot be written"):
        checked(good).picture(good / "nine.unknown")
