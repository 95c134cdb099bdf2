"""What nets that enlarge learn from: pieces of photographs, and how these lose detail."""

import io
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from torchworks.gans.enlarging import photo_crops
from torchworks.gans.enlarging.baselines import METHODS
from torchworks.gans.enlarging.build import divided
from torchworks.gans.enlarging.config import SRResNetConfig
from torchworks.gans.enlarging.degradation import Numbers, bicubic, filtered, jpeg, kernel, second_order, sinc
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source
from torchworks.shared.numbers.stream import StepRandom


@pytest.fixture(scope="module")
def source():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photo_crops, "COUNT", 60)
        yield open_source("photo-crops", ImageConfig(image_size=64))


def test_no_photograph_is_in_two_parts(source):
    names = source.schema["label"].classes
    train, valid = divided(source, SRResNetConfig())
    parts = [{names[int(part[i]["label"])] for i in range(len(part))} for part in (train, valid, source.test)]
    assert parts[1] == {"coffee"}
    assert parts[2] == {"china", "flower", "chelsea"}
    assert len(parts[0]) == 10
    assert not parts[0] & (parts[1] | parts[2])


def test_test_pieces_are_the_photographs_own_pixels(source):
    names = source.schema["label"].classes
    photo = np.asarray(photo_crops._packaged("scikit-image", "skimage/data/chelsea.png").open())
    cats = [
        source.test[i]["image"] for i in range(len(source.test)) if names[int(source.test[i]["label"])] == "chelsea"
    ]
    assert len(cats) == (300 // 64) * (451 // 64)
    top, left = (300 % 64) // 2, (451 % 64) // 2
    assert np.array_equal(cats[0].permute(1, 2, 0), photo[top : top + 64, left : left + 64])
    assert np.array_equal(cats[1].permute(1, 2, 0), photo[top : top + 64, left + 64 : left + 128])


def test_a_folder_of_photographs_is_cut_at_its_own_resolution(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    Image.new("RGB", (20, 90)).save(tmp_path / "thin.png")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    source = open_source(f"photo-crops:{tmp_path}", ImageConfig(image_size=64))
    assert len({int(source.test[i]["label"]) for i in range(len(source.test))}) == 1
    note, size = source.notes
    assert "Pieces have 64 pixels a side here" in size
    assert "thin.png (it is 20 × 90 pixels, smaller than a piece)" in note
    assert note.startswith("2 files of")
    assert "broken.jpg" in note
    train, valid = divided(source, SRResNetConfig())
    assert len(train)
    assert len(valid)


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ("nowhere", "There is no folder nowhere"),
        ("one", "has 1 photograph from which pieces of 64 × 64 pixels can be cut, and 3 are needed"),
        ("one/a.png", "a.png is a file. Give the path of a folder"),
        ("", "has 0 photographs"),
    ],
)
def test_a_folder_without_photographs_is_refused(rest, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if rest.startswith("one"):
        (tmp_path / "one").mkdir()
        Image.new("RGB", (70, 70)).save(tmp_path / "one/a.png")
    with pytest.raises(UserError, match=told):
        open_source(f"photo-crops:{rest or tmp_path}", ImageConfig(image_size=64))


# ---- degradation -----------------------------------------------------------------------------------------


def smooth(n: int = 3, side: int = 48) -> torch.Tensor:
    torch.manual_seed(0)
    return F.interpolate(torch.rand(n, 3, 12, 12), side, mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("name", ["bicubic", "lanczos", "nearest"])
def test_baselines_and_the_plain_reduction_are_pillows(name):
    pixels = (smooth(1)[0] * 120 + 60).round()  # Pillow cuts what leaves 0 to 255 in between
    image = Image.fromarray(pixels.byte().permute(1, 2, 0).numpy())
    small = bicubic(pixels[None] / 255, 4) * 255
    theirs = torch.from_numpy(np.array(image.resize((12, 12), Image.Resampling.BICUBIC))).permute(2, 0, 1)
    assert (small[0] - theirs).abs().max() <= 1
    large = METHODS[name](theirs[None].float(), (48, 48))
    filters = Image.Resampling[name.upper()]
    wanted = np.array(Image.fromarray(theirs.permute(1, 2, 0).numpy()).resize((48, 48), filters))
    assert (large[0].clamp(0, 255).round() - torch.from_numpy(wanted).permute(2, 0, 1)).abs().max() <= 1


@pytest.mark.parametrize("factor", [2, 4])
def test_what_becomes_of_an_image_depends_on_its_own_numbers_alone(factor):
    images, random = smooth(4), StepRandom(3)
    whole = second_order(images, factor, random.at("a", 0, rows=4, total=8))
    assert whole.shape == (4, 3, 48 // factor, 48 // factor)
    assert torch.equal(whole * 255, (whole * 255).round())
    assert 0 <= whole.min() <= whole.max() <= 1
    parts = [
        second_order(part, factor, random.at("a", 0, rows=2, start=2 * i, total=8))
        for i, part in enumerate(images.split(2))
    ]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(second_order(images, factor, random.at("a", 1, rows=4, total=8)), whole)


def test_kernels_keep_brightness_and_the_sinc_is_a_low_pass():
    rng = np.random.default_rng(0)
    for _ in range(40):
        weights = kernel(Numbers(rng.random(20).tolist()), (0.2, 3.0))
        assert float(weights.sum()) == pytest.approx(1, abs=1e-5)
        assert weights.shape[0] == weights.shape[1] == 2 * (weights.shape[0] // 2) + 1
    wave = torch.cos(torch.arange(64) * math.pi / 2).expand(1, 1, 64, 64).contiguous()
    low, high = (filtered(wave, sinc(cutoff))[..., 24:40].abs().max() for cutoff in (math.pi / 3, 0.9 * math.pi))
    assert low < 0.1
    assert high > 0.9


def test_jpeg_is_the_files_own():
    image = smooth(1)
    file = io.BytesIO()
    Image.fromarray((image[0] * 255).round().byte().permute(1, 2, 0).numpy()).save(file, "JPEG", quality=40)
    wanted = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255
    assert torch.equal(jpeg(image, 40.2)[0], wanted)
