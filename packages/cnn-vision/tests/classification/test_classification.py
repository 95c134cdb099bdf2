"""The task: its loss is the field's, its scores are torchmetrics', its weights balance."""

from math import isnan
from typing import get_args

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_auroc,
    multiclass_f1_score,
    multiclass_precision,
)

from torchworks.cnn_vision.classification.build import classes_of
from torchworks.cnn_vision.classification.config import ClassifierConfig
from torchworks.cnn_vision.classification.task import Classification
from torchworks.cnn_vision.config import Augmentation
from torchworks.cnn_vision.data.augmentations import augmentations
from torchworks.cnn_vision.data.holdout import balanced_weights, imbalance
from torchworks.shared.classification.metrics import Predictions, by_class, confusion, scores, share_interval
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import TensorDataset, held_out, open_source
from torchworks.shared.numbers.stream import SampleRandom


def dataset(labels, copies=0):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (len(labels), 1, 8, 8), generator=generator, dtype=torch.uint8)
    if copies:
        images[-copies:] = images[:copies]
    return TensorDataset({"image": images, "label": torch.tensor(labels)})


def batch(n=12, k=3):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 1, 8, 8, generator=generator)
    return {"image": x, "label": torch.arange(n) % k}


def task(**options):
    torch.manual_seed(0)
    return Classification(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), 3, lr=1e-3, **options)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_cross_entropy(smoothing):
    ours, data = task(label_smoothing=smoothing), batch()
    expected = F.cross_entropy(ours.model(data["image"]), data["label"], label_smoothing=smoothing)
    torch.testing.assert_close(ours.loss("train", data).loss, expected)


def test_weighted_losses_of_micro_batches_add_up_to_the_weighted_loss_of_the_batch():
    weights = torch.tensor([0.2, 1.0, 5.0])
    ours, data = task(class_weights=weights), batch()
    whole = F.cross_entropy(ours.model(data["image"]), data["label"], weight=weights)
    parts = [
        ours.loss("train", {name: value[rows] for name, value in data.items()}) for rows in (slice(5), slice(5, 12))
    ]
    total = sum(part.loss * part.weight for part in parts) / sum(part.weight for part in parts)
    torch.testing.assert_close(total, whole)


def test_balanced_weights_give_every_class_the_same_share():
    labels = [0] * 90 + [1] * 9 + [2]
    weights = balanced_weights(dataset(labels), 3)
    shares = weights * torch.bincount(torch.tensor(labels))
    torch.testing.assert_close(shares, torch.full((3,), 100 / 3))


def test_a_class_without_images_gets_a_weight_that_is_finite():
    assert balanced_weights(dataset([0, 0, 1]), 3).isfinite().all()


def test_sets_of_labels_are_no_classes():
    with pytest.raises(UserError, match="Use the recipe `medical`"):
        classes_of(open_source("lesions", ImageConfig(image_size=16)))


def test_a_class_that_is_far_rarer_is_named_unless_the_classes_are_balanced():
    rare = dataset([0] * 100 + [1] * 50 + [2])
    (note,) = imbalance(rare, ("a", "b", "c"), "none")
    assert "'a' has 100 training images and 'c' has 1" in note
    assert "--class-weights balanced" in note
    assert imbalance(rare, ("a", "b", "c"), "balanced") == []
    assert imbalance(dataset([0] * 20 + [1]), ("a", "b"), "none") == []


def test_what_is_held_out_is_a_share_of_each_class_and_shares_no_image_with_the_rest():
    data = dataset([i % 3 for i in range(90)], copies=12)
    rest, valid = held_out(data, 0.2, seed=0)
    assert len(rest) + len(valid) == 90
    counts = torch.bincount(torch.stack([valid[i]["label"] for i in range(len(valid))]))
    assert (counts - 6).abs().max() <= 2
    seen = {rest[i]["image"].numpy().tobytes() for i in range(len(rest))}
    assert not seen & {valid[i]["image"].numpy().tobytes() for i in range(len(valid))}


def test_nothing_is_held_out_for_a_fraction_of_zero():
    data = dataset([0, 1, 0, 1])
    assert held_out(data, 0.0, seed=0) == (data, None)


@pytest.mark.parametrize("name", get_args(Augmentation))
def test_every_augmentation_changes_images_and_keeps_their_shape(name):
    images = batch()["image"]
    random = SampleRandom(0, 0, torch.arange(len(images)))
    (change,) = augmentations((name,), 8)
    changed = change(images, random)
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)


def test_every_augmentation_of_the_configuration_is_known():
    names = ClassifierConfig.__dataclass_fields__["augment"]
    assert names.default == ()
    assert len(augmentations(get_args(Augmentation), 32)) == len(get_args(Augmentation))


# ---- scores ----------------------------------------------------------------------------------------------


def test_scores_of_a_small_case_worked_out_by_hand():
    probability = torch.tensor([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    label = torch.tensor([0, 1, 1, 0])
    found = scores(probability, label)
    assert found["accuracy"] == 0.75
    assert found["balanced_accuracy"] == 0.75
    assert found["nll"] == pytest.approx(-(torch.tensor([0.8, 0.4, 0.7, 0.9]).log().mean().item()))
    assert found["auroc"] == 1.0
    assert found["n"] == 4
    assert confusion(probability, label).tolist() == [[2, 0], [1, 1]]
    rows = by_class(probability, label, ("a", "b"))
    assert [(row["class"], row["images"]) for row in rows] == [("a", 2), ("b", 2)]
    assert [row["recall"] for row in rows] == [1.0, 0.5]
    assert rows[0]["precision"] == pytest.approx(2 / 3)


def test_classes_without_images_count_in_no_mean():
    """Of four classes the third has no image, but one image is taken for it; the fourth never occurs."""
    probability = torch.tensor([[6, 3, 1, 0], [2, 3, 5, 0], [3, 6, 1, 0], [2, 7, 1, 0], [5, 4, 1, 0]]) / 10
    label = torch.tensor([0, 0, 1, 1, 1])
    found = scores(probability, label)
    assert found["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["precision"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["f1"] == pytest.approx((2 / 4 + 4 / 5) / 2)
    # class 0: 0.6 outranks 0.3, 0.2 and 0.5, and 0.2 ties with one of them; class 1: 0.3 and 0.3 are below all others
    assert found["auroc"] == pytest.approx((3.5 / 6 + 1) / 2)
    rows = by_class(probability, label, ("a", "b", "c", "d"))
    assert [row["images"] for row in rows] == [2, 3, 0, 0]
    assert all(isnan(row[name]) for row in rows[2:] for name in ("precision", "recall", "f1"))
    metric = Predictions(4)
    for part in (slice(0, 2), slice(2, 5)):
        metric.update(probability[part], label[part])
    assert metric.compute() == {name: found[name] for name in metric.compute()}
    assert {"balanced_accuracy", "f1", "accuracy_low", "calibration_error"} <= set(metric.compute())


def test_with_every_class_present_means_are_those_of_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    probability = torch.rand(200, 5, generator=generator).softmax(1)
    label = torch.randint(0, 5, (200,), generator=generator)
    found = scores(probability, label)
    for name, theirs in (
        ("balanced_accuracy", multiclass_accuracy), ("precision", multiclass_precision),
        ("f1", multiclass_f1_score), ("auroc", multiclass_auroc),
    ):  # fmt: skip
        assert found[name] == pytest.approx(theirs(probability, label, 5, average="macro").item(), abs=1e-6)


def test_a_single_class_has_no_auroc():
    probability = torch.tensor([[0.8, 0.2], [0.6, 0.4]])
    assert isnan(scores(probability, torch.tensor([0, 0]))["auroc"])


def test_the_interval_is_wilsons():
    low, high = share_interval(355, 360)
    assert (round(low, 4), round(high, 4)) == (0.9679, 0.9941)
    assert share_interval(10, 10)[1] == 1.0


def test_the_trainings_scores_agree_with_the_reports():
    ours, data = task(), batch(64)
    given = ours.evaluate(data)
    found = scores(ours.model(data["image"]).softmax(1).detach(), data["label"])
    computed = given["scores"].compute()
    assert computed == {name: found[name] for name in computed}
    assert (given["nll"][0] / given["nll"][1]).item() == pytest.approx(found["nll"], abs=1e-5)
