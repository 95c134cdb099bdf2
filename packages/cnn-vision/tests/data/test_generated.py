"""The bundled sources with boxes: exact, seeded, as hard as one asks, and without a leak."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from torchworks.cnn_vision.data import bundled
from torchworks.cnn_vision.data.roads import FAR, PIXELS, Camera
from torchworks.cnn_vision.data.stereo import motorcycle
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Source, open_loader, open_source
from torchworks.shared.data.boxes.sample import IGNORED, NOTHING, Letterbox, boxes_around

NAMES = ("scenes", "scenes:hard", "scenes:shapes", "roads")


def opened(spec: str, size: int = 64, seed: int = 0) -> Source:
    return open_source(spec, ImageConfig(image_size=size), seed)


def some(spec: str, count: int = 12) -> list[dict[str, Tensor]]:
    train = opened(spec).train
    return [train[i] for i in range(count)]


@pytest.mark.parametrize("spec", NAMES)
def test_samples_have_the_fields_of_the_schema_and_loaders_stack_them(spec):
    source = opened(f"{spec},train=8,test=4" if ":" in spec else f"{spec}:train=8,test=4")
    loader = open_loader(source.train, ImageConfig(kind="resident"), 4)
    batch = next(loader.iter_from(0))
    for item in source.schema.fields:
        assert batch[item.name].shape == (4, *item.shape)
    assert batch["image"].dtype == torch.float32
    assert (batch["instance"].dtype, batch["mask"].dtype) == (torch.uint8, torch.uint8)
    assert (batch["boxes"].dtype, batch["box_label"].dtype) == (torch.float32, torch.int64)
    assert (len(source.train), len(source.test)) == (8, 4)


@pytest.mark.parametrize("spec", NAMES)
def test_boxes_are_the_tightest_around_what_the_instance_map_shows(spec):
    for sample in some(spec):
        count = int((sample["box_label"] != NOTHING).sum())
        assert sample["instance"].max() == count
        np.testing.assert_array_equal(boxes_around(sample["instance"].numpy(), count), sample["boxes"][:count])
        assert (sample["boxes"][:count, :2] < sample["boxes"][:count, 2:]).all()
        assert not sample["boxes"][count:].any()
        assert (sample["box_label"][count:] == NOTHING).all()


@pytest.mark.parametrize(("spec", "first"), [("scenes", 1), ("scenes:shapes", 1), ("roads", len(PIXELS) - 3)])
def test_the_mask_has_the_class_of_each_object_on_its_pixels(spec, first):
    for sample in some(spec):
        for i, label in enumerate(sample["box_label"].tolist()):
            if label >= 0:
                assert (sample["mask"][sample["instance"] == i + 1] == first + label).all()
        assert (sample["mask"][sample["instance"] == 0] < first).all()


@pytest.mark.parametrize("spec", NAMES)
def test_a_sample_follows_from_seed_and_place_alone(spec):
    source, again, other = opened(spec), opened(spec), opened(spec, seed=1)
    first = source.train[3]
    again.train[7]
    for name, value in again.train[3].items():
        assert torch.equal(value, first[name])
    assert not torch.equal(other.train[3]["image"], first["image"])
    assert not torch.equal(source.test[3]["image"], first["image"])
    assert (source.fingerprint == again.fingerprint, source.fingerprint == other.fingerprint) == (True, False)


def test_training_and_testing_use_different_digits():
    source = opened("scenes")
    glyphs = source.train._draw.args[1]
    inks = {part: {ink.tobytes() for ink in found.ink} for part, found in glyphs.items()}
    assert len(inks["train"]) > 1400
    assert not inks["train"] & inks["test"]
    assert source.train.part == "train"


def test_training_and_testing_use_different_sides_of_every_photograph():
    for name in bundled.PHOTOS:
        whole = bundled.photo(name)
        numbered = np.broadcast_to(np.arange(whole.shape[1]), whole.shape[:2])
        left, right = (set(bundled.side(numbered, part)[0].tolist()) for part in ("train", "test"))
        assert left
        assert right
        assert not left & right


def test_no_object_of_a_scene_is_hidden_by_more_than_was_asked():
    alone = {}
    for spec, least in (("scenes:overlap=0.0,objects=4-6", 1.0), ("scenes:hard", 0.5)):
        for sample in some(spec, 6):
            for i in range(int((sample["box_label"] >= 0).sum())):
                alone.setdefault(least, []).append(int((sample["instance"] == i + 1).sum()))
    assert min(alone[1.0]) > 20
    assert min(alone[0.5]) > 4


def test_harder_scenes_have_more_and_smaller_objects():
    def objects(spec: str) -> tuple[float, float]:
        samples = some(spec, 20)
        boxes = torch.cat([sample["boxes"][sample["box_label"] >= 0] for sample in samples])
        return len(boxes) / 20, float((boxes[:, 3] - boxes[:, 1]).mean())

    (few, large), (middle, medium), (many, small) = map(objects, ("scenes:easy", "scenes", "scenes:hard"))
    assert few < middle < many
    assert large > medium > small


def test_every_class_is_there_about_as_often():
    labels = torch.cat([sample["box_label"] for sample in some("scenes:objects=6-6", 60)])
    counts = torch.bincount(labels[labels >= 0], minlength=10)
    assert counts.min() > 10


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("scenes:hart", "Did you mean 'hard'"),
        ("scenes:objekts=3", "Did you mean 'objects'"),
        ("scenes:objects=5-2", "should be objects=LOW-HIGH"),
        ("scenes:noise=loud", "should be noise=X"),
        ("scenes:train=some", "should be train=N"),
        ("scenes:objects=1-99", "upper bound from 1 to 64"),
        ("scenes:scale=0.01-0.2", "from 0.05 to 0.9"),
        ("scenes:overlap=1", "overlap must be"),
        ("roads:weather=rain", "no option 'weather'"),
        ("roads:train=0", "1 or more"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(spec, message):
    with pytest.raises(UserError, match=message):
        opened(spec)


@pytest.mark.parametrize("spec", ["scenes", "roads"])
def test_grey_is_refused(spec):
    with pytest.raises(UserError, match="in color"):
        open_source(spec, ImageConfig(channels=1))


def test_options_make_scenes_and_fingerprints_of_their_own():
    assert len({opened(spec).fingerprint for spec in NAMES}) == len(NAMES)
    assert opened("scenes:shapes").schema["boxes"].classes[10:] == ("disc", "square", "triangle")
    assert opened("scenes", 64).fingerprint == opened("scenes", 96).fingerprint


# -------------------------------------------------------------------------------------------------------- roads


def test_the_depth_of_the_road_is_that_of_the_camera():
    camera = Camera(128, 110.0, 1.5, 60.0, 50.0)
    right, ahead = camera.ground()
    for metres in (5.0, 20.0):
        column, row = camera.pixel(1.0, 0.0, metres)
        assert ahead[round(row), round(column)] == pytest.approx(metres, rel=0.1)
        assert right[round(row), round(column)] == pytest.approx(1.0, abs=0.15)
    assert np.isinf(ahead[:49]).all()


def test_depth_grows_towards_the_horizon_and_is_unknown_in_the_sky():
    for sample in some("roads", 6):
        depth, mask = sample["depth"], sample["mask"]
        assert (depth[0] == 0).float().mean() > 0.3
        assert depth.max() <= FAR
        road = (mask == 1) & (depth > 0)
        rows = [depth[row][road[row]] for row in range(64) if road[row].any()]
        assert all(float(near.max()) <= float(far.min()) + 1e-3 for far, near in pairwise(rows))


def test_an_object_of_a_road_has_one_depth_and_stands_before_what_it_hides():
    for sample in some("roads", 10):
        for i in range(int((sample["box_label"] != NOTHING).sum())):
            assert sample["depth"][sample["instance"] == i + 1].unique().numel() == 1


def test_what_is_nearly_hidden_on_a_road_is_ignored_not_wrong():
    labels = torch.cat([sample["box_label"] for sample in some("roads:objects=8-12", 12)])
    assert (labels == IGNORED).any()
    assert (labels >= 0).sum() > (labels == IGNORED).sum()


def test_the_stereo_pair_gives_depth_by_triangulation():
    pair = motorcycle()
    known = pair.depth > 0
    assert pair.left.shape == pair.right.shape == (3, 500, 741)
    assert 0.9 < known.float().mean() < 1
    assert 2 < pair.depth[known].min() < pair.depth[known].max() < 6  # a motorcycle in a workshop
    row, column = 300, 400
    shift = round(float(pair.disparity[row, column]))
    patch = partial(lambda image, at: image[:, row - 4 : row + 5, at - 4 : at + 5].float())
    there, elsewhere = patch(pair.right, column - shift), patch(pair.right, column)
    wanted = patch(pair.left, column)
    assert (there - wanted).abs().mean() < (elsewhere - wanted).abs().mean()
    sample = pair.sample(128)
    assert sample["image"].shape == (3, 128, 128)
    assert not sample["depth"][87:].any()


# ---------------------------------------------------------------------------------------------------- letterbox


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (100, 100), (333, 77), (5, 900)])
def test_boxes_go_into_the_letterbox_and_back(width, height):
    box = Letterbox(width, height, 128)
    boxes = torch.tensor([[0.0, 0.0, width, height], [width * 0.25, height * 0.5, width * 0.75, height * 0.9]])
    inside = box.boxes(boxes)
    assert inside.min() >= 0
    assert inside.max() <= 128
    assert torch.allclose(box.back(inside), boxes, rtol=1e-5, atol=1e-3)


def test_a_letterbox_pads_at_the_right_and_the_bottom_and_never_squeezes():
    assert Letterbox(640, 480, 128).inside == (128, 96)
    ids = Letterbox(4, 2, 8).ids(np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), 255)
    assert ids[:4].tolist() == [[1, 1, 2, 2, 3, 3, 4, 4]] * 2 + [[5, 5, 6, 6, 7, 7, 8, 8]] * 2
    assert (ids[4:] == 255).all()
