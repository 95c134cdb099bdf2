"""A judge is the same each time, is kept safely, and knows its data."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import TensorDataset, open_source
from torchworks.shared.fidelity import Judge, cas, features_of, judge_for, recipe, store
from torchworks.shared.fidelity.judge import JudgeNet


@pytest.fixture(scope="module")
def digits():
    return open_source("digits", ImageConfig(image_size=16))


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(recipe, "_STEPS", 4)
    monkeypatch.setattr(recipe, "_EPOCHS", 0)


def images_of(dataset):
    return dataset.tensors["image"].float() / 127.5 - 1


def unlabelled(dataset, count):
    return TensorDataset({"image": dataset.tensors["image"][:count]})


def without_labels(source, count=256):
    train, test = unlabelled(source.train, count), unlabelled(source.test, count)
    return replace(source, train=train, test=test, schema=train.schema)


def must_not_train(*arguments, **__):
    raise AssertionError("the judge should have come from the cache")


# ---- the recipe ------------------------------------------------------------------------------------------


def test_the_digits_judge_reads_the_test_digits(digits):
    judge = recipe.train_judge("digits", digits.train, digits.test)
    right = judge.logits(images_of(digits.test)).argmax(1) == digits.test.tensors["label"]
    assert judge.name == "digits64"
    assert judge.accuracy == pytest.approx(right.double().mean().item())
    assert judge.accuracy >= 0.975
    features = features_of(judge, digits.train)
    torch.testing.assert_close(features.mean(0), torch.zeros(64), atol=1e-4, rtol=0)
    torch.testing.assert_close(features.std(0), torch.ones(64), atol=1e-3, rtol=0)


def test_a_seed_gives_one_judge_and_the_callers_random_numbers_are_left_alone(digits, few_steps):
    torch.manual_seed(7)
    one, other, third = (recipe.train_judge("digits", digits.train, digits.test, seed) for seed in (0, 0, 1))
    drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(7)))
    same = [torch.equal(one.state_dict()[key], value) for key, value in other.state_dict().items()]
    assert all(same)
    assert not torch.equal(one.net.head.weight, third.net.head.weight)


def test_the_number_of_cores_does_not_change_the_judge(digits, few_steps):
    before, states = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        states.append(recipe.train_judge("digits", digits.train, digits.test).state_dict())
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert all(torch.equal(states[1][key], value) for key, value in states[0].items())


def test_the_test_images_play_no_part_in_the_training(digits, few_steps):
    one = recipe.train_judge("digits", digits.train, digits.test)
    other = recipe.train_judge("digits", digits.train, digits.test.subset(range(7)))
    assert all(torch.equal(one.state_dict()[key], value) for key, value in other.state_dict().items())


def test_how_long_the_training_of_a_judge_takes_is_said_once_and_changes_nothing(digits, monkeypatch, tmp_path):
    monkeypatch.setattr(recipe, "_STEPS", 12)
    monkeypatch.setattr(recipe, "_EPOCHS", 0)
    said: list[str] = []
    loud = judge_for(digits, image_size=16, cache=tmp_path, say=said.append)
    assert re.fullmatch(
        rf"first a judge of the images of digits is trained .* kept in {tmp_path}: 12 steps, about \d+ s", *said
    )
    assert judge_for(digits, image_size=16, cache=tmp_path, say=pytest.fail).sha256 == loud.sha256
    assert judge_for(digits, image_size=16, cache=tmp_path / "other").sha256 == loud.sha256


@pytest.mark.parametrize("one_class", [False, True], ids=["no labels", "one class"])
def test_without_classes_the_judge_learns_to_tell_rotations(digits, monkeypatch, tmp_path, one_class):
    monkeypatch.setattr(recipe, "_STEPS", 40)
    monkeypatch.setattr(recipe, "_EPOCHS", 0)
    source = without_labels(digits)
    if one_class:
        labels = torch.zeros(256, dtype=torch.int64)
        train, test = (TensorDataset({**part.tensors, "label": labels}) for part in (source.train, source.test))
        source = replace(source, train=train, test=test, schema=train.schema)
    judge = judge_for(source, image_size=16, cache=tmp_path)
    assert judge.name == "digitsrot64"
    assert judge.classes == ()
    assert judge(images_of(source.test))[1] is None
    assert judge.accuracy > 0.4  # chance is 0.25
    again = judge_for(source, image_size=16, cache=tmp_path)
    torch.testing.assert_close(features_of(again, source.test), features_of(judge, source.test))


def test_quarter_turns_are_those_of_rot90():
    images, quarters = torch.rand(6, 2, 5, 5), torch.tensor([3, 0, 1, 2, 1, 0])
    for image, turned, quarter in zip(images, recipe.turned(images, quarters), quarters, strict=True):
        assert torch.equal(turned, image.rot90(int(quarter), (1, 2)))


@pytest.mark.parametrize(("channels", "size"), [(1, 16), (3, 32), (1, 48), (3, 256)])
def test_a_judge_looks_at_images_of_any_size(channels, size):
    judge = Judge(JudgeNet(channels, 5), torch.zeros(64), torch.ones(64), "any64", tuple("abcde"))
    features, logits = judge(torch.rand(3, channels, size, size) * 2 - 1)
    assert features.shape == (3, 64)
    assert logits.shape == (3, 5)


def test_mixed_precision_and_training_mode_around_it_change_nothing():
    judge = Judge(JudgeNet(1, 5), torch.zeros(64), torch.ones(64), "any64", tuple("abcde"))
    images = torch.rand(8, 1, 32, 32) * 2 - 1
    expected = judge.features(images)
    holder = torch.nn.ModuleList([judge]).train()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(holder[0].features(images), expected)
    assert not any(parameter.requires_grad for parameter in judge.parameters())


# ---- the cache -------------------------------------------------------------------------------------------


@pytest.fixture
def cached(digits, few_steps, tmp_path):
    """A judge that was just trained, and a function that asks for it again."""
    judge = judge_for(digits, image_size=16, cache=tmp_path)
    return judge, lambda: judge_for(digits, image_size=16, cache=tmp_path)


def test_a_cached_judge_is_not_trained_again_and_sees_the_same(cached, digits, monkeypatch):
    judge, ask = cached
    monkeypatch.setattr(store, "train_judge", must_not_train)
    before = torch.get_rng_state()
    again = ask()
    assert torch.equal(torch.get_rng_state(), before)
    assert (again.name, again.classes, again.accuracy) == (judge.name, judge.classes, judge.accuracy)
    assert again.sha256 == judge.sha256 != ""
    assert torch.equal(again.logits(images_of(digits.test)), judge.logits(images_of(digits.test)))
    assert torch.equal(features_of(again, digits.test), features_of(judge, digits.test))


@pytest.mark.parametrize("kind", ["*.safetensors", "*.json"])
@pytest.mark.parametrize("damage", ["changed", "cut", "emptied", "removed"])
def test_a_damaged_judge_is_trained_again(cached, tmp_path, monkeypatch, kind, damage):
    judge, ask = cached
    (path,) = tmp_path.glob(kind)
    content = path.read_bytes()
    path.write_bytes({"changed": content[:-9] + b"x" + content[-8:], "cut": content[:-40]}.get(damage, b""))
    if damage == "removed":
        path.unlink()
    assert ask().sha256 == judge.sha256
    monkeypatch.setattr(store, "train_judge", must_not_train)
    assert ask().sha256 == judge.sha256


def test_a_manifest_about_other_data_is_not_believed(cached, tmp_path, monkeypatch):
    _, ask = cached
    (path,) = tmp_path.glob("*.json")
    manifest = json.loads(path.read_text())
    manifest["described"]["data"] = "other"
    path.write_text(json.dumps(manifest))
    monkeypatch.setattr(store, "train_judge", must_not_train)
    with pytest.raises(AssertionError, match="come from the cache"):
        ask()


def test_other_data_sizes_and_recipes_have_judges_of_their_own(cached, digits, tmp_path, monkeypatch):
    judge_for(digits, image_size=32, cache=tmp_path)
    judge_for(replace(digits, fingerprint="f" * 16), image_size=16, cache=tmp_path)
    monkeypatch.setattr(store, "RECIPE", recipe.RECIPE + 1)
    judge_for(digits, image_size=16, cache=tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 4


def test_a_cache_that_cannot_be_written_costs_a_note_and_nothing_else(digits, few_steps, tmp_path):
    (tmp_path / "file").write_text("in the way")
    judge = judge_for(digits, image_size=16, cache=tmp_path / "file")
    assert judge.accuracy > 0
    (note,) = judge.notes
    assert "could not be kept" in note
    assert "XDG_CACHE_HOME" in note


def test_a_full_disk_leaves_no_half_written_files(digits, few_steps, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    assert "No space left" in judge_for(digits, image_size=16, cache=tmp_path).notes[0]
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_where_the_desktop_convention_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.default_cache() == tmp_path / "torchworks" / "judges"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.default_cache() == tmp_path / ".cache" / "torchworks" / "judges"


def test_judges_saved_at_the_same_time_leave_one_whole_judge_at_every_moment(digits, tmp_path):
    described = store._describe(digits, 16)
    entry = tmp_path / "judge.json"
    judges = [
        Judge(JudgeNet(1, 10), torch.full((64,), float(i)), torch.ones(64), "digits64", tuple("0123456789"))
        for i in range(6)
    ]
    store._save(entry, judges[0], described)
    with ThreadPoolExecutor(8) as pool:
        saving = [pool.submit(store._save, entry, judge, described) for judge in judges * 3]
        seen = [store._load(entry, described) for _ in range(30)]
    assert all(future.result() is None for future in saving)
    assert all(judge is not None for judge in seen)
    last = store._load(entry, described)
    assert last.sha256 == judges[int(last.mean[0])].sha256
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


# ---- training on generated images ------------------------------------------------------------------------


def test_cas_of_real_images_is_near_one_and_of_wrong_labels_near_chance(digits, monkeypatch):
    monkeypatch.setattr(recipe, "_STEPS", 100)
    images, labels = images_of(digits.train), digits.train.tensors["label"]
    real = cas(digits.train, digits.test)
    assert real > 0.9
    assert cas((images, labels), digits.test) == real
    assert cas((images, labels.roll(1)), digits.test) < 0.3


def test_cas_without_labels_says_what_is_missing(digits):
    source = without_labels(digits)
    with pytest.raises(UserError, match="no labels"):
        cas(source.train, source.test)
