"""The marks: what the papers say, what they survive, and how seldom they are seen where there is none."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn

from torchworks.gans import SpreadTransformMark, VisibleMark
from torchworks.gans.data.face_drawing import draw_face
from torchworks.gans.data.face_numbers import person, random_pose
from torchworks.gans.models.spread_transform_mark import (
    FREQUENCIES,
    STEP,
    SYNC_BITS,
    luma,
    patterns,
    payload_signs,
    read_bits,
    sync_signs,
)
from torchworks.gans.models.visible_mark import word
from torchworks.gans.swapping.marks import Marks, chance, payload_of, read_mark
from torchworks.shared.config import ImageConfig
from torchworks.shared.data import open_source, resident
from torchworks.shared.fidelity.likeness import peak_ratio

PAYLOAD = 0xBEEF
COUNT = 24


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    """(24, 3, 64, 64) in [0, 1]."""
    draw = np.random.default_rng(0)
    images = [draw_face(person(i), random_pose(draw), 64) for i in range(COUNT)]
    return torch.from_numpy(np.stack(images)).float() / 255


@pytest.fixture(scope="module")
def marked(faces) -> torch.Tensor:
    return Marks(64, PAYLOAD)(faces)


def picture(image: torch.Tensor) -> Image.Image:
    return Image.fromarray((image * 255).round().byte().permute(1, 2, 0).numpy())


def pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def resized(image: Image.Image, side: int) -> Image.Image:
    return image.resize((side, side), Image.Resampling.BICUBIC)


def test_projections_are_those_of_scipys_transform(faces):
    grey = luma(faces.double())
    transform = dctn(grey.numpy(), axes=(1, 2), norm="ortho")[:, :FREQUENCIES, :FREQUENCIES].reshape(COUNT, -1)
    wanted = torch.sin(2 * math.pi / STEP * torch.from_numpy(transform) @ patterns().T)
    torch.testing.assert_close(read_bits(grey), wanted)


def test_patterns_have_norm_1_and_share_no_coefficient():
    found = patterns()
    torch.testing.assert_close(found @ found.T, torch.eye(len(found), dtype=torch.float64))
    assert (found != 0).sum(0).max() == 1


def test_each_projection_is_moved_to_the_nearest_place_of_its_bit(faces):
    """Chen and Wornell's quantizers, one bit after the other."""
    grey = torch.full((1, 3, 64, 64), 0.5) + 0.2 * (faces[:1] - 0.5)  # nothing is cut off
    after = SpreadTransformMark(64, PAYLOAD)(grey)
    signs = torch.cat([sync_signs(), payload_signs(PAYLOAD)])
    places = [
        dctn(luma(x.double())[0].numpy(), norm="ortho")[:FREQUENCIES, :FREQUENCIES].reshape(-1) for x in (grey, after)
    ]
    before, moved = (patterns().numpy() @ each for each in places)
    for p, q, sign in zip(before, moved, signs.tolist(), strict=True):
        around = [STEP * (n + sign / 4) for n in range(-20, 21)]
        assert q == pytest.approx(min(around, key=lambda place: abs(place - p)), abs=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: jpeg(image, 75),
        lambda image: resized(image, 48),
        lambda image: resized(image, 100),
        lambda image: jpeg(resized(image, 56), 90),
    ],
    ids=["png", "jpeg-75", "three-quarters", "larger", "smaller-jpeg"],
)
def test_the_mark_and_its_payload_survive(marked, change):
    readings = [read_mark(pixels(change(picture(image)))) for image in marked]
    assert sum(reading.found for reading in readings) >= COUNT - 1
    assert sum(reading.payload == PAYLOAD for reading in readings) >= COUNT - 2


def test_the_mark_survives_when_a_little_of_the_edge_is_cut_off(marked):
    """More often in swaps, whose edges are softer than those of drawn faces."""
    readings = [read_mark(image[:, 1:, :-1]) for image in marked]
    assert sum(reading.found for reading in readings) > COUNT / 2
    assert {reading.cut for reading in readings if reading.found} == {(1, 0)}


def test_without_a_mark_none_is_found(faces):
    readings = [read_mark(image[:, : 64 - cut, cut:]) for image in faces for cut in (0, 3)]
    assert not any(reading.found for reading in readings)
    agreeing = torch.tensor([float(reading.agreeing) for reading in readings[::2]])
    assert abs(agreeing.mean() - SYNC_BITS / 2) < 2
    assert chance(17) < 0.5 < chance(16)
    assert chance(SYNC_BITS) == 2.0**-SYNC_BITS


def test_the_invisible_mark_changes_little(faces):
    assert peak_ratio(SpreadTransformMark(64, PAYLOAD)(faces), faces, 1.0).min() > 36
    again = SpreadTransformMark(64, PAYLOAD)(SpreadTransformMark(64, PAYLOAD)(faces))
    assert peak_ratio(again, SpreadTransformMark(64, PAYLOAD)(faces), 1.0).min() > 55  # a marked image stays as it is


@pytest.mark.parametrize("size", [32, 48, 128])
def test_images_of_other_sizes_are_marked_too(size):
    draw = np.random.default_rng(1)
    image = torch.from_numpy(draw_face(person(1), random_pose(draw), size))[None].float() / 255
    reading = read_mark(Marks(size, 7)(image)[0])
    assert (reading.found, reading.payload) == (True, 7)


def test_the_word_is_written_in_the_corner_and_nowhere_else(faces):
    seen = VisibleMark(64)(faces)
    height, width = word().shape
    assert torch.equal(seen[:, :, :-height], faces[:, :, :-height])
    corner = seen[:, :, -height:, :width]
    assert (corner[:, :, word() > 0] == 1).all()
    assert corner[:, :, word() == 0].max() <= 0.21


def test_a_payload_names_the_weights():
    torch.manual_seed(0)
    a, b = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    assert payload_of(a) == payload_of(a)
    assert payload_of(a) != payload_of(b)
    assert 0 <= payload_of(a) < 65536


@pytest.mark.slow
def test_no_mark_is_seen_in_hundreds_of_other_images():
    """Drawn faces of a hundred persons, photographs of faces, pieces of other photographs; whole and cropped."""
    draw = np.random.default_rng(2)
    drawn = [draw_face(person(i % 100), random_pose(draw), 64) for i in range(500)]
    config = ImageConfig(image_size=64, channels=3)
    photographs = [resident(open_source(name, config).train).tensors["image"] for name in ("faces:all", "photo-crops")]
    images = torch.cat([torch.from_numpy(np.stack(drawn)), *photographs]).float() / 255
    assert len(images) > 900
    agreeing = torch.tensor([float(read_mark(image).agreeing) for image in images])
    assert not any(read_mark(image[:, 1:, 2:]).found for image in images[::4])
    assert agreeing.max() < 29
    assert abs(agreeing.mean() - SYNC_BITS / 2) < 0.5
    assert abs(agreeing.std() - (SYNC_BITS / 4) ** 0.5) < 0.4
