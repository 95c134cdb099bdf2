"""Own folders in the layout of MVTec, as people really have them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Source, check, open_source

SIDE = 32


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)


def square() -> Image.Image:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:24, 8:24] = 255
    return Image.fromarray(mask)


def plates(base: Path, parts: tuple[str, str] = ("train", "test"), mask: str = "{}_mask.png") -> Path:
    for k, (part, kind) in enumerate(((parts[0], "good"), (parts[1], "good"), (parts[1], "dent"))):
        for i in range(4):
            save(base / part / kind / f"{i:03}.png", 10 * k + i)
    (base / "ground_truth" / "dent").mkdir(parents=True)
    for i in range(4):
        square().save(base / "ground_truth" / "dent" / mask.format(f"{i:03}"))
    return base


def opened(base: Path) -> Source:
    return open_source(f"mvtec:{base}", ImageConfig(image_size=SIDE))


@pytest.mark.parametrize("mask", ["{}_mask.PNG", "{}_Mask.png", "{}.bmp", "{}_mask.jpg", "{}.TIF"])
def test_masks_may_have_any_ending_of_an_image_in_any_case(mask, tmp_path):
    source = opened(plates(tmp_path / "plates", mask=mask))
    assert np.array_equal(source.test[4]["mask"].numpy() * 255, np.asarray(square()))
    assert not source.test[0]["mask"].any()
    assert source.notes == ()


def test_parts_and_folders_may_be_written_in_other_cases(tmp_path):
    base = plates(tmp_path / "plates", ("Training", "Testing"))
    (base / "Testing" / "good").rename(base / "Testing" / "Good")
    (base / "ground_truth").rename(base / "Ground_Truth")
    source = opened(base)
    assert source.schema["label"].classes == ("good", "dent")
    assert (len(source.train), len(source.test)) == (4, 8)


def test_what_is_left_out_is_said_by_check(tmp_path):
    base = plates(tmp_path / "plates")
    save(base / "val" / "good" / "000.png", 90)
    save(base / "train" / "spare" / "a.png", 91)
    (base / "test" / "dent" / "a.heic").write_bytes(b"x")
    (base / "license.txt").write_text("x")
    text = str(check(f"mvtec:{base}", ImageConfig(image_size=SIDE)))
    assert "A further part of the split, left out: 1 (val (1 file))." in text
    assert "left out: 1 (train/spare/a.png)." in text
    assert "left out: 1 (1 × .heic; test/dent/a.heic)" in text
    assert "Other files, left out: 1 (1 × .txt; license.txt)." in text


def test_images_of_12_bits_in_16_are_refused_with_the_reason(tmp_path):
    base = plates(tmp_path / "plates")
    for file in (*base.glob("train/*/*.png"), *base.glob("test/*/*.png")):
        Image.fromarray(np.full((SIDE, SIDE), 4000, np.uint16)).save(file)
    with pytest.raises(UserError, match=r"only the lowest 12 are used, .* Multiply their values by 16"):
        opened(base)


def too_wide(base: Path) -> None:
    Image.new("L", (2 * SIDE, SIDE)).save(base / "ground_truth" / "dent" / "001_mask.png")


def of_half_size(base: Path) -> None:
    file = base / "ground_truth" / "dent" / "001_mask.png"
    square().resize((SIDE // 2, SIDE // 2), Image.Resampling.NEAREST).save(file)


@pytest.mark.parametrize(("change", "said"), [(too_wide, "64 × 32, the image 32 × 32"), (of_half_size, "")])
def test_masks_of_another_shape_than_their_images_are_refused(change: Callable[[Path], None], said, tmp_path):
    base = plates(tmp_path / "plates")
    change(base)
    if said:
        with pytest.raises(UserError, match=said):
            opened(base)
    else:
        assert np.array_equal(opened(base).test[5]["mask"].numpy() * 255, np.asarray(square()))


def test_test_images_that_are_images_to_learn_from_are_named_or_refused(tmp_path):
    base = plates(tmp_path / "plates")
    save(base / "test" / "dent" / "003.png", 0)  # the first of train/good
    (note,) = opened(base).notes
    assert note == "Images to test with that are images to learn from too: 1 (test/dent/003.png)."
    for i in range(4):
        save(base / "test" / "good" / f"{i:03}.png", i)
    with pytest.raises(UserError, match=r"Every good test image of .* is an image to learn from too"):
        opened(base)


# ------------------------------------------------------------------------------------------------- what is refused


def no_image(base: Path, name: str) -> None:
    (base / name).write_text("no image")


def black(base: Path, name: str = "001_mask.png") -> None:
    Image.new("L", (SIDE, SIDE)).save(base / "ground_truth" / "dent" / name)


MASK = "ground_truth/dent/001_mask.png"


@pytest.mark.parametrize(
    ("change", "said", "left"),
    [
        (black, f"test/dent/001.png (its mask {MASK} marks nothing: it is all black)", (4, 7)),
        (lambda base: (base / MASK).unlink(), "test/dent/001.png (it has no mask;", (4, 7)),
        (lambda base: no_image(base, MASK), f"(its mask {MASK} cannot be read: it is not an image)", (4, 7)),
        (too_wide, f"(its mask {MASK} has another shape: 64 × 32, the image 32 × 32)", (4, 7)),
        (lambda base: no_image(base, "test/dent/001.png"), "test/dent/001.png (it is not an image)", (4, 7)),
        (lambda base: no_image(base, "test/good/001.png"), "test/good/001.png (it is not an image)", (4, 7)),
        (lambda base: no_image(base, "train/good/001.png"), "train/good/001.png (it is not an image)", (3, 8)),
    ],
)
def test_a_bad_image_or_mask_is_named_and_skip_bad_takes_the_image_out(change, said, left, tmp_path):
    base = plates(tmp_path / "plates")
    change(base)
    report = check(f"mvtec:{base}", ImageConfig(image_size=SIDE))
    assert not report.ok
    assert said in str(report)
    with pytest.raises(UserError, match=r"with --loader\.skip-bad") as error:
        opened(base)
    assert said in str(error.value)
    config = ImageConfig(image_size=SIDE, skip_bad=True)
    assert check(f"mvtec:{base}", config).ok
    source = open_source(f"mvtec:{base}", config)
    assert (len(source.train), len(source.test)) == left
    (note,) = source.notes
    assert " left out: 1 " in note
    assert said in note


def test_where_no_defective_image_is_left_nothing_is_scored(tmp_path):
    base = plates(tmp_path / "plates")
    for i in range(4):
        black(base, f"{i:03}_mask.png")
    with pytest.raises(UserError, match=r"No defective image of .* is left that can be used"):
        open_source(f"mvtec:{base}", ImageConfig(image_size=SIDE, skip_bad=True))


def test_defects_that_vanish_at_the_size_asked_for_are_a_warning(tmp_path):
    base = plates(tmp_path / "plates")
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[5, 5] = 255
    Image.fromarray(mask).save(base / MASK)
    assert opened(base).notes == ()
    report = check(f"mvtec:{base}", ImageConfig(image_size=SIDE // 4))
    assert report.ok
    assert "reduced to 8 × 8 pixels: 1 (test/dent/001.png). Use a larger --loader.image-size" in str(report)
