"""Scenes of handwritten digits with captions."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from torchworks.hybrid_multimodal.data import scenes
from torchworks.hybrid_multimodal.data.scene_captions import (
    COLORS,
    DIGITS,
    RELATIONS,
    SWAPS,
    THINGS,
    all_captions,
    describe,
    held_things,
    parse_caption,
    right_captions,
    seen_things,
    swap_colors,
    swap_order,
    swap_relation,
)
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Source, check, open_source, resident
from torchworks.shared.data.captions import captions_in
from torchworks.shared.data.parts import digests_of

SMALL = ImageConfig(image_size=64)


def opened(options: str = "train=300,test=100", seed: int = 0, size: int = 64) -> Source:
    return open_source(f"digit-scenes:{options}", ImageConfig(image_size=size), seed)


@pytest.fixture(scope="module")
def source() -> Source:
    return opened("train=1200,test=200")


def things_of(caption: str) -> set[tuple[str, str]]:
    found = parse_caption(caption)
    assert found is not None
    return {*found.things}


# ---- what is new in the test part


@pytest.mark.parametrize("tune", [False, True])
def test_no_image_of_a_digit_is_in_both_parts(tune):
    train, test = ({*digests_of(part)} for part in scenes.digit_parts(0.2, 0, tune=tune))
    assert train
    assert test
    assert not train & test


def test_what_tuning_looks_at_is_not_in_the_test_part():
    _, test = scenes.digit_parts(0.2, 0)
    tuning = [{*digests_of(part)} for part in scenes.digit_parts(0.2, 0, tune=True)]
    assert not {*digests_of(test)} & set.union(*tuning)
    assert not {*held_things()} & {*held_things(tune=True)}
    source = opened("train=300,test=100,tune=1")
    for caption in (*captions_in(source.train), *captions_in(source.test)):
        assert not things_of(caption) & {*held_things()}


@pytest.mark.parametrize("tune", [0, 1])
def test_held_out_pairs_are_never_in_training_and_alone_in_their_half_of_the_test_part(tune):
    source = opened(f"train=600,test=100,tune={tune}")
    held, seen = {*held_things(tune=bool(tune))}, {*seen_things(tune=bool(tune))}
    assert len(held) == 12
    assert len(seen) == (36 if tune else 48)
    trained = set().union(*map(things_of, captions_in(source.train)))
    assert trained == seen
    tests = captions_in(source.test)
    assert set().union(*map(things_of, tests[0::2])) <= seen
    assert set().union(*map(things_of, tests[1::2])) == held
    assert resident(source.test).tensors["held"].tolist() == [0, 1] * 100
    assert not resident(source.train).tensors["held"].any()


@pytest.mark.parametrize("tune", [False, True])
def test_every_color_and_every_digit_is_trained_on(tune):
    colors, digits = ({thing[k] for thing in seen_things(tune=tune)} for k in (0, 1))
    assert colors == {*COLORS}
    assert digits == {*DIGITS}


# ---- scenes


def test_a_scene_follows_from_the_seed_and_its_number_alone(source):
    other = opened("train=20,test=5")
    for i in (0, 7, 19):
        for name, value in other.train[i].items():
            assert torch.equal(value, source.train[i][name]), name
    whole = resident(other.train)
    assert all(torch.equal(whole[3][name], value) for name, value in other.train[3].items())
    assert not torch.equal(opened("train=20,test=5", seed=1).train[0]["image"], other.train[0]["image"])
    assert not torch.equal(other.test[0]["image"], other.train[0]["image"])


def test_the_truth_of_a_scene_is_what_its_caption_says(source):
    counts = set()
    for i in range(100):
        sample = source.train[i]
        count = int((sample["box_label"] >= 0).sum())
        counts.add(count)
        colors = [list(COLORS)[c] for c in sample["color"][:count].tolist()]
        things = list(zip(colors, (DIGITS[d] for d in sample["box_label"][:count].tolist()), strict=True))
        boxes = sample["boxes"][:count]
        assert ((boxes >= 0) & (boxes <= 64)).all()
        assert not sample["boxes"][count:].any()
        centers = ((boxes[:, :2] + boxes[:, 2:]) / 2).tolist()
        caption = bytes(sample["caption"].tolist()).decode()
        assert str(describe(things, [(x, y) for x, y in centers])) == caption
        relation = int(sample["relation"])
        assert (relation == -1) == (count == 1)
        assert count == 1 or RELATIONS[relation] in caption
    assert counts == {1, 2, 3}


def test_things_have_the_colors_of_their_names(source):
    """The ink inside a box is nearer to its color than to any other."""
    palette, right = torch.tensor([*COLORS.values()]).float(), []
    for i in range(60):
        sample = source.train[i]
        for box, color in zip(sample["boxes"].int().tolist(), sample["color"].tolist(), strict=True):
            if color < 0:
                continue
            inside = sample["image"][:, box[1] : box[3], box[0] : box[2]].flatten(1).float()
            brightest = inside[:, inside.amax(0).topk(20).indices].mean(1)
            right.append(int((palette - brightest).norm(dim=1).argmin()) == color)
    assert np.mean(right) > 0.95


def test_boxes_do_not_overlap(source):
    for boxes in resident(source.train).tensors["boxes"][:200]:
        for a, b in itertools.combinations([box for box in boxes.tolist() if any(box)], 2):
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_sizes_and_places_and_grounds_say_nothing_of_color_and_digit(source):
    """A classifier that sees them alone is at chance, but for what widths of boxes say of ones."""
    tensors = resident(source.train).tensors
    boxes, ground = tensors["boxes"][:, 0], tensors["image"][:, :, :2].float().mean((2, 3))
    heights = (boxes[:, 3] - boxes[:, 1])[:, None]
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    nuisance = torch.cat([heights, centers, ground], 1).numpy()
    nuisance = (nuisance - nuisance.mean(0)) / nuisance.std(0)
    for name, chance in (("color", 1 / 6), ("box_label", 1 / 10)):
        labels = tensors[name][:, 0].numpy()
        fitted = LogisticRegression().fit(nuisance[:800], labels[:800])
        assert fitted.score(nuisance[800:], labels[800:]) < chance + 0.06, name


def test_images_of_other_sizes_have_boxes_of_their_size():
    small, large = (opened("train=4,test=1", size=size).train[2] for size in (32, 64))
    assert small["image"].shape == (3, 32, 32)
    assert torch.equal(small["boxes"] * 2, large["boxes"])


def test_options_are_kept_to():
    source = opened("objects=2,train=30,test=10")
    assert len(source.train) == 30
    assert len(source.test) == 20
    assert all(len(parse_caption(caption).things) == 2 for caption in captions_in(source.train))
    assert {len(parse_caption(text).things) for text in captions_in(opened("objects=1-2,train=40").train)} == {1, 2}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("object=2", "no option 'object'. Did you mean 'objects'"),
        ("objects=3-2", "from the smaller to the larger"),
        ("objects=4", "must be"),
        ("train=many", "should be train=N"),
        ("test=0", "must be"),
    ],
)
def test_options_that_there_are_not_are_explained(options, said):
    with pytest.raises(UserError, match=said):
        opened(options)


def test_grey_or_tiny_images_are_refused():
    for config, said in ((ImageConfig(image_size=64, channels=1), "name colors"), (ImageConfig(image_size=16), "32")):
        with pytest.raises(UserError, match=said):
            open_source("digit-scenes", config)


def test_check_shows_scenes_above_their_captions(tmp_path):
    report = check("digit-scenes:train=20,test=5", SMALL)
    assert report.ok
    report.picture(tmp_path / "nine.png")
    assert (tmp_path / "nine.png").stat().st_size > 1000


# ---- captions


def test_there_are_so_many_captions_and_each_is_read_back():
    assert len({str(caption) for caption in all_captions(1)}) == 60
    two = list(all_captions(2))
    assert len({str(caption) for caption in two}) == 7200
    assert sum(1 for _ in all_captions(3, THINGS[:5])) == 250
    for caption in (*all_captions(1), *two[::97], *all_captions(3, THINGS[::12])):
        assert parse_caption(str(caption)) == caption
    for text in ("", "a red", "a seven red", "a red seven above", "two red sevens", "a red seven beside a blue three"):
        assert parse_caption(text) is None


def test_one_caption_of_all_is_right_for_a_scene():
    things, centers = [("red", "seven"), ("blue", "three")], [(40.0, 30.0), (20.0, 33.0)]
    captions = [str(caption) for caption in all_captions(2)]
    right = right_captions(captions, things, centers)
    assert [caption for caption, is_right in zip(captions, right, strict=True) if is_right] == [
        "a blue three left of a red seven"
    ]


def test_swapped_captions_are_wrong_by_one_thing():
    text = "a red seven left of a blue three"
    assert swap_colors(text) == "a blue seven left of a red three"
    assert swap_order(text) == "a blue three left of a red seven"
    assert swap_relation(text) == "a red seven above a blue three"
    assert swap_colors("a red one above a red two above a pink two") == "a pink one above a red two above a red two"
    assert [swap("a red seven") for swap in SWAPS.values()] == [None, None, None]
    assert swap_colors("a red one above a blue one") is None  # both digits alike: only the order would change
    assert swap_order("a red one above a red one") is None
