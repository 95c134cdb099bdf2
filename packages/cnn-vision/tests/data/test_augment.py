"""Augmentation of pictures with their boxes and masks, and how they are drawn for people."""

import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from torchworks.cnn_vision.data.augment import Augmented, change, changes
from torchworks.shared.config import ImageConfig
from torchworks.shared.data import ResidentLoader, Source, StreamLoader, TensorDataset, open_source
from torchworks.shared.data.boxes.draw import draw_nine, draw_sample
from torchworks.shared.data.boxes.sample import IGNORED, NOTHING, VOID, boxes_around, padded, scene_schema

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
FIELDS = {"image", "boxes", "box_label", "instance", "mask", "index"}


@pytest.fixture(scope="module")
def source() -> Source:
    return open_source("scenes:train=12,test=4", ImageConfig(image_size=64))


@pytest.fixture
def square() -> dict[str, torch.Tensor]:
    """A white square of 16 pixels at the left of a black picture of 64, and one at its right."""
    image, ids = torch.zeros(3, 64, 64, dtype=torch.uint8), torch.zeros(64, 64, dtype=torch.uint8)
    boxes = [[4, 8, 20, 24], [44, 30, 60, 46]]
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        image[:, y1:y2, x1:x2] = 255
        ids[y1:y2, x1:x2] = i + 1
    fields = padded(torch.tensor(boxes), [3, 5], 4)
    depth = torch.where(ids > 0, 7.5, 0.0)
    return {"image": image, **fields, "instance": ids, "mask": ids * 4, "depth": depth}


def batches(source: Source, kind: type, count: int, position: int = 0, size: int = 4) -> list[dict[str, torch.Tensor]]:
    loader = kind(source.train, size, seed=3, mean=MEAN, std=STD)
    stream = Augmented(loader, changes(64), mean=MEAN, std=STD).iter_from(position)
    return [next(stream) for _ in range(count)]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in FIELDS)


def test_what_happens_to_a_sample_follows_from_seed_epoch_and_sample_alone(source):
    through = batches(source, ResidentLoader, 6)
    assert set(through[0]) == FIELDS
    torch.manual_seed(1234)
    resumed = batches(source, ResidentLoader, 2, position=4)
    streamed = batches(source, StreamLoader, 5)
    assert same(resumed[0], through[4])
    assert same(resumed[1], through[5])
    assert same(streamed[4], through[4])
    (large,) = batches(source, ResidentLoader, 1, size=12)
    for batch in through[:3]:
        for i, index in enumerate(batch["index"].tolist()):
            place = large["index"].tolist().index(index)
            assert torch.equal(batch["boxes"][i], large["boxes"][place])
            assert torch.equal(batch["image"][i], large["image"][place])


def test_another_epoch_changes_a_sample_in_another_way(source):
    first, second = batches(source, ResidentLoader, 1, size=12)[0], batches(source, ResidentLoader, 1, 1, 12)[0]
    order = torch.argsort(first["index"]), torch.argsort(second["index"])
    assert not torch.equal(first["boxes"][order[0]], second["boxes"][order[1]])


def test_torch_s_own_generator_is_left_as_it_was(source):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    batches(source, ResidentLoader, 2)
    assert torch.equal(torch.rand(3), expected)


def test_evaluation_passes_are_not_augmented(source):
    loader = ResidentLoader(source.test, 4, train=False)
    (batch,) = Augmented(loader, changes(64))
    assert torch.equal(batch["boxes"], torch.stack([source.test[i]["boxes"] for i in range(4)]))


def test_boxes_and_instances_still_fit_each_other(source):
    for batch in batches(source, ResidentLoader, 9):
        for boxes, labels, ids in zip(batch["boxes"], batch["box_label"], batch["instance"], strict=True):
            count = int((labels != NOTHING).sum())
            assert (labels[count:] == NOTHING).all()
            assert not boxes[count:].any()
            assert boxes.min() >= 0
            assert boxes.max() <= 64
            assert (boxes[:count, 2:] > boxes[:count, :2]).all()
            assert ids.max() <= count
            seen = torch.from_numpy(boxes_around(ids.numpy(), count))
            there = seen.any(1)
            assert there.any() or not count
            assert (seen - boxes[:count])[there].abs().max() < 2  # the rounding of an enlarged pixel


def test_a_mirrored_picture_has_mirrored_boxes(square):
    flipped = change(square, v2.RandomHorizontalFlip(1.0))
    assert flipped["boxes"][:2].tolist() == [[44, 8, 60, 24], [4, 30, 20, 46]]
    assert flipped["box_label"].tolist() == [3, 5, NOTHING, NOTHING]
    for name in ("image", "instance", "mask", "depth"):
        assert torch.equal(flipped[name], square[name].flip(-1))


def test_what_leaves_the_picture_leaves_boxes_and_instances_and_the_next_takes_its_row(square):
    right_half = v2.Lambda(lambda fields: v2.functional.crop(fields, 0, 24, 64, 64))
    cut = change(square, lambda fields: {name: right_half(value) for name, value in fields.items()})
    assert cut["boxes"].tolist() == [[20, 30, 36, 46], [0] * 4, [0] * 4, [0] * 4]
    assert cut["box_label"].tolist() == [5, NOTHING, NOTHING, NOTHING]
    assert cut["instance"].unique().tolist() == [0, 1]
    assert (cut["instance"][30:46, 20:36] == 1).all()


def test_what_is_cut_to_less_than_a_quarter_is_ignored(square):
    for left, label in ((14, 3), (17, IGNORED)):
        cut = change(
            square, lambda fields, left=left: {k: v2.functional.crop(v, 0, left, 64, 64) for k, v in fields.items()}
        )
        assert cut["box_label"][:2].tolist() == [label, 5]
        assert cut["boxes"][0].tolist() == [0, 8, 20 - left, 24]


def test_what_comes_in_from_outside_is_grey_void_and_nothing(square):
    out = v2.RandomZoomOut(fill=changes(64, color=False).transforms[0].fill, side_range=(2.0, 2.0), p=1.0)
    larger = change(square, v2.Compose([out, v2.Resize((64, 64))]))
    outside = larger["mask"] == VOID
    assert 0.7 < outside.float().mean() < 0.8
    assert (larger["image"][:, outside].float() - 114).abs().median() == 0
    assert not larger["instance"][outside].any()
    assert not larger["depth"][outside].any()
    sides = larger["boxes"][:2, 2:] - larger["boxes"][:2, :2]
    assert torch.allclose(sides, torch.full((2, 2), 8.0))


def test_masks_are_never_mixed(source):
    known = {name: set(source.train[0][name].unique().tolist()) for name in ("instance", "mask")}
    torch.manual_seed(0)
    for _ in range(5):
        changed = change(source.train[0], changes(64, flip=True))
        assert set(changed["mask"].unique().tolist()) <= known["mask"] | {VOID}
        assert changed["image"].shape == (3, 64, 64)


def test_pictures_without_boxes_are_changed_too():
    grey = {"image": torch.full((1, 32, 32), 9, dtype=torch.uint8), "mask": torch.ones(32, 32, dtype=torch.uint8)}
    changed = change(grey, changes(32, grey=True, flip=True))
    assert (changed["image"].shape, changed["mask"].shape) == ((1, 32, 32), (32, 32))


# ------------------------------------------------------------------------------------------------------ drawing


def test_any_sample_can_be_drawn(source, square, tmp_path):
    schema = scene_schema(64, most=4, things=tuple("abcdefgh"), instance=True, pixels=tuple("abcdefghi"), depth=True)
    assert draw_sample(square, schema).size == (640, 320)
    draw_nine(source.train, tmp_path / "nine.png")
    two = TensorDataset({"image": torch.zeros(2, 1, 8, 8, dtype=torch.uint8)})
    draw_nine(two, tmp_path / "two.png")
    with Image.open(tmp_path / "nine.png") as nine:
        assert nine.width == 3 * 326
        assert nine.height > 3 * 326
