"""Drawn scenes with captions, and the judge that reads them."""

import itertools

import pytest
import torch
from torch import Tensor

from torchworks.diffusion.data.scene_judge import SceneJudge
from torchworks.diffusion.data.scenes import (
    COLORS,
    RELATIONS,
    SHAPES,
    THINGS,
    Caption,
    ShapeScenes,
    all_captions,
    object_size,
    split_captions,
)
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Source, check, open_source, resident
from torchworks.shared.data.captions import captions_in

SIDE = {2: 16, 3: 32}


def scenes(objects: int, **options: int) -> Source:
    words = [str(objects), *(f"{name}={value}" for name, value in options.items())]
    return open_source(f"shapes:{','.join(words)}", ImageConfig(image_size=SIDE[objects]))


def images_and_captions(objects: int, count: int) -> tuple[Tensor, list[Caption]]:
    test = scenes(objects, train=1, test=count).test
    return resident(test).tensors["image"] / 127.5 - 1, [all_captions(objects)[text] for text in captions_in(test)]


@pytest.mark.parametrize("tune", [False, True])
@pytest.mark.parametrize("objects", SIDE)
def test_no_caption_is_in_both_parts_but_each_of_its_words_is(objects, tune):
    train, test = split_captions(objects, tune)
    assert not {*train} & {*test}
    assert {word for text in test for word in text.split()} <= {word for text in train for word in text.split()}
    for place in range(objects):
        assert {all_captions(objects)[text].things[place] for text in train} == {*THINGS}
    if tune:
        assert not {*split_captions(objects)[1]} & {*train, *test}


def test_the_first_test_scenes_are_a_fair_sample_of_the_captions():
    captions = [all_captions(3)[text] for text in captions_in(scenes(3, train=1, test=200).test)]
    firsts = [caption.things[0] for caption in captions]
    assert {*firsts} == {*THINGS}
    assert max(map(firsts.count, THINGS)) < 40


def test_counts_of_captions_are_those_that_are_stated():
    assert [len(part) for part in split_captions(2)] == [228, 60]
    assert [len(part) for part in split_captions(3)] == [5328, 1584]


def test_three_objects_hold_out_pairs_that_training_never_shows_together():
    train, test = ([all_captions(3)[text] for text in part] for part in split_captions(3))
    met = {frozenset(pair) for caption in train for pair in itertools.combinations(caption.things, 2)}
    for caption in test:
        assert any(frozenset(pair) not in met for pair in itertools.combinations(caption.things, 2))


def test_parts_have_the_captions_of_the_split_and_every_test_caption_equally_often():
    source = scenes(2, train=2000, test=120)
    train, test = split_captions(2)
    assert {*captions_in(source.train)} == {*train}
    assert sorted(captions_in(source.test)) == sorted(2 * test)


@pytest.mark.parametrize("objects", SIDE)
def test_a_sample_depends_on_seed_and_index_alone(objects):
    many, few = scenes(objects, train=600, test=1).train, scenes(objects, train=9, test=1).train
    held = resident(many)
    for i in (0, 8):
        assert torch.equal(few[i]["image"], held[i]["image"])
        assert torch.equal(many[i]["caption"], held[i]["caption"])
    other = open_source(f"shapes:{objects}", ImageConfig(image_size=SIDE[objects]), seed=1).train
    assert not torch.equal(other[0]["image"], held[0]["image"])
    assert isinstance(many, ShapeScenes)
    assert captions_in(many) == [bytes(held[i]["caption"].tolist()).decode() for i in range(600)]


@pytest.mark.parametrize("objects", SIDE)
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_judge_reads_real_scenes_rightly_in_noise_too(objects, noise):
    images, captions = images_and_captions(objects, 1000)
    noisy = images + noise * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    scores = SceneJudge(objects, SIDE[objects]).score(noisy, captions)
    assert all(score.mean() >= 0.99 for score in scores.values())


@pytest.mark.parametrize("objects", SIDE)
def test_the_judge_says_what_is_wrong_of_a_caption(objects):
    images, captions = images_and_captions(objects, 300)
    judge = SceneJudge(objects, SIDE[objects])

    def changed(color: int = 0, shape: int = 0) -> list[Caption]:
        """The captions with another color or shape of their first object."""
        colors, found = [*COLORS], []
        for caption in captions:
            (first, form), *others = caption.things
            new = colors[(colors.index(first) + color) % 4], SHAPES[(SHAPES.index(form) + shape) % 3]
            found.append(Caption((new, *others), caption.relations))
        return found

    other_color, other_shape = (judge.score(images, each) for each in (changed(color=1), changed(shape=1)))
    for score, wrong, right in ((other_color, "color", "shape"), (other_shape, "shape", "color")):
        assert score["caption"].mean() < 0.01
        assert score[wrong].mean() < 0.01
        assert score[right].mean() > 0.98
        assert score["place"].mean() > 0.98


def test_the_judge_reads_a_turned_relation_as_wrong():
    images, captions = images_and_captions(2, 300)
    for axis, relation in enumerate(reversed(RELATIONS)):
        said = [caption.relations == (relation,) and "triangle" not in str(caption) for caption in captions]
        rows = [i for i, right in enumerate(said) if right]
        turned = images[rows].flip(2 + axis)  # circles and squares stay what they are, but change sides
        scores = SceneJudge(2, 16).score(turned, [captions[i] for i in rows])
        assert scores["caption"].mean() < 0.2  # two objects of one kind
        assert scores["place"].mean() > 0.99  # one of them is still before the other


def test_the_judge_wants_all_objects_and_no_further_one():
    images, captions = images_and_captions(2, 200)
    judge, size = SceneJudge(2, 16), object_size(2, 16)
    assert judge.score(torch.full_like(images, -0.8), captions)["place"].sum() == 0
    more = images.clone()
    found = judge.read(images).places
    free = [i for i, places in enumerate(found.tolist()) if all(y >= size or x >= size for y, x in places)]
    more[free, :, :size, :size] = more.new_tensor([1.0, -1.0, -1.0]).view(3, 1, 1)
    assert len(free) > 10
    scores = judge.score(more[free], [captions[i] for i in free])
    assert scores["caption"].mean() < 0.1


def test_the_judge_answers_alike_for_any_batch():
    images, captions = images_and_captions(3, 50)
    judge = SceneJudge(3, 32)
    whole, halves = judge.score(images, captions), [judge.score(images[i::2], captions[i::2]) for i in (0, 1)]
    for name, scores in whole.items():
        assert all(torch.equal(scores[i::2], half[name]) for i, half in enumerate(halves))


def test_other_sizes_are_drawn_and_read():
    source = open_source("shapes:test=100,train=1", ImageConfig(image_size=40))
    images = resident(source.test).tensors["image"] / 127.5 - 1
    captions = [all_captions(2)[text] for text in captions_in(source.test)]
    assert SceneJudge(2, 40).score(images, captions)["caption"].mean() >= 0.99


def test_check_draws_scenes_with_their_captions(tmp_path):
    report = check("shapes:3,train=200,test=20", ImageConfig(image_size=64))
    assert report.ok
    report.picture(tmp_path / "scenes.png")
    assert (tmp_path / "scenes.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("spec", "config", "said"),
    [
        ("shapes:4", ImageConfig(image_size=32), "from 2 to 3"),
        ("shapes:3,tran=5", ImageConfig(image_size=32), "Did you mean 'train'"),
        ("shapes:train=many", ImageConfig(image_size=32), "a whole number"),
        ("shapes:3", ImageConfig(image_size=16), "at least 20 pixels"),
        ("shapes", ImageConfig(image_size=16, channels=1), "name colors"),
    ],
)
def test_mistaken_options_are_explained(spec, config, said):
    with pytest.raises(UserError, match=said):
        open_source(spec, config)
