"""Multi-label classification: the loss, the scores and the thresholds."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchmetrics.functional.classification import binary_auroc

from torchworks.cnn_vision.classification.predictor import classifier_config
from torchworks.cnn_vision.multilabel.build import balanced_weights, check_parts, rare_labels, split
from torchworks.cnn_vision.multilabel.config import MultilabelConfig
from torchworks.cnn_vision.multilabel.labels import label_names, targets
from torchworks.cnn_vision.multilabel.metrics import at_threshold, auroc, by_label, multilabel_scores
from torchworks.cnn_vision.multilabel.predictor import build_multilabel, multilabel_config
from torchworks.cnn_vision.multilabel.task import Multilabel
from torchworks.cnn_vision.multilabel.thresholds import thresholds_for
from torchworks.shared.config import UserError
from torchworks.shared.data import Field, Schema, Source, TensorDataset
from torchworks.shared.testing import check_predictor

SINGLE = Field("label", "label", (), ("healthy", "ill", "unsure"))
SEVERAL = Field("label", "label", (3,), ("a", "b", "c"))
WEIGHTS = torch.tensor([9.0, 3.0])


def batch(n=12):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 1, 8, 8, generator=generator)
    label = torch.randint(0, 2, (n, 3), generator=generator, dtype=torch.uint8)
    return {"image": x, "label": label}


def task(**options):
    torch.manual_seed(0)
    return Multilabel(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), torch.tensor([0, 2]), lr=1e-3, **options)


# ---- labels ----------------------------------------------------------------------------------------------


def test_the_positive_classes_of_single_labels_and_all_of_several_are_predicted():
    assert label_names(SINGLE, ["ill"], "x") == ("ill",)
    assert label_names(SEVERAL, [], "x") == ("a", "b", "c")
    assert label_names(SEVERAL, ["c", "a"], "x") == ("c", "a")


@pytest.mark.parametrize(
    ("label", "positive", "message"),
    [
        (SINGLE, [], "the labels to predict are not known"),
        (SINGLE, ["il"], "no class 'il'.*Did you mean 'ill'"),
        (SINGLE, ["ill", "unsure", "healthy"], "names every class"),
        (SEVERAL, ["d"], "no class 'd'.*Its classes: a, b, c"),
    ],
)
def test_classes_that_make_no_labels_are_refused_with_the_remedy(label, positive, message):
    with pytest.raises(UserError, match=message):
        label_names(label, positive, "x")


def test_targets_are_the_same_for_one_label_an_image_and_for_several():
    single, places = torch.tensor([0, 1, 2, 1]), torch.tensor([1, 2])
    expected = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 0]])
    assert torch.equal(targets(single, places), expected)
    assert torch.equal(targets(F.one_hot(single).to(torch.uint8), places), expected)


# ---- the task --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_loss_is_binary_cross_entropy_with_positives_weighed(weights):
    ours, data = task(pos_weight=weights), batch()
    expected = F.binary_cross_entropy_with_logits(
        ours.model(data["image"]), data["label"][:, [0, 2]].float(), pos_weight=weights
    )
    torch.testing.assert_close(ours.loss("train", data).loss, expected)


def test_balanced_weights_make_a_label_weigh_as_much_as_its_absence():
    target = torch.tensor([[1.0, 1], [0, 1], [0, 0], [0, 0]])
    assert balanced_weights(target).tolist() == [3.0, 1.0]


def test_probabilities_of_a_weighted_training_are_as_common_as_the_data():
    """The weighted loss of a net that knows nothing but the bias is least at the logit log(w p / (1 - p))."""
    share = torch.tensor([0.1, 0.25])
    ours = task(pos_weight=WEIGHTS)
    with torch.no_grad():
        ours.model[1].weight.zero_()
        ours.model[1].bias.copy_((WEIGHTS * share / (1 - share)).log())
    label = torch.zeros(20, 3, dtype=torch.uint8)
    label[:2, 0], label[:5, 2] = 1, 1
    ours.loss("train", {"image": torch.zeros(20, 1, 8, 8), "label": label}).loss.backward()
    torch.testing.assert_close(ours.model[1].bias.grad, torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(ours.probability(torch.zeros(1, 1, 8, 8))[0], share)


def test_the_predictor_gives_the_tasks_probabilities_and_knows_which_labels_are_positive():
    plain = classifier_config("resnet20", 8, 1, ("a", "c"), True, None, [0.5], [0.5])
    predictor = build_multilabel(multilabel_config(plain, WEIGHTS, [0.0, 1.0])).eval()
    ours = Multilabel(predictor.net, torch.tensor([0, 2]), lr=1e-3, pos_weight=WEIGHTS)
    images = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    probability = predictor.predict({"image": images})["probability"]
    torch.testing.assert_close(probability, ours.probability(images.float() / 127.5 - 1).detach())
    assert predictor.positive(probability).tolist() == [[True, False]] * 3


def test_the_predictor_exports_whole_for_any_number_of_rows():
    plain = classifier_config("resnet20", 8, 1, ("a", "c"), True, None, [0.5], [0.5])
    check_predictor(build_multilabel(multilabel_config(plain, WEIGHTS, [0.0, 1.0])))


def test_thresholds_edited_to_another_number_than_the_labels_are_refused():
    plain = classifier_config("resnet20", 8, 1, ("a", "c"), True, None, [0.5], [0.5])
    with pytest.raises(AssertionError):
        build_multilabel(multilabel_config(plain, WEIGHTS, [0.5]))


# ---- scores ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sensitivity", "expected"), [(0.9, 0.2), (0.91, 0.1), (1.0, 0.1), (0.05, 1.0)])
def test_the_threshold_is_the_highest_that_finds_enough(sensitivity, expected):
    probability = torch.tensor([*(0.1 * i for i in range(1, 11)), 0.95, 0.05])[:, None]
    target = torch.tensor([1.0] * 10 + [0, 0])[:, None]
    (threshold,) = thresholds_for(probability, target, sensitivity)
    assert threshold == pytest.approx(expected)
    assert (probability[:10] >= threshold).float().mean() >= sensitivity


def test_roc_auc_is_torchmetrics_and_its_interval_delongs():
    rng = np.random.default_rng(0)
    target = torch.from_numpy(rng.integers(0, 2, 60))
    score = torch.from_numpy((rng.normal(target.numpy(), 1.5) * 2).round() / 20 + 0.5).float().clamp(0, 1)  # with ties
    area, low, high = auroc(score, target)
    assert area == pytest.approx(binary_auroc(score, target).item(), abs=1e-6)

    wins = (score[target == 1][:, None] > score[target == 0]).double()
    wins += (score[target == 1][:, None] == score[target == 0]).double() / 2  # by the definition, pair by pair
    variance = wins.mean(1).var() / len(wins) + wins.mean(0).var() / wins.shape[1]
    assert (high - low) / 2 == pytest.approx(1.959964 * variance.sqrt().item(), abs=1e-6)


def test_figures_at_a_threshold_of_a_case_worked_out_by_hand():
    probability = torch.tensor([0.9, 0.6, 0.2, 0.7, 0.3, 0.1, 0.1])
    target = torch.tensor([1, 1, 1, 0, 0, 0, 0])
    found = at_threshold(probability, target, 0.6)
    assert found["sensitivity"] == pytest.approx(2 / 3)
    assert found["specificity"] == pytest.approx(3 / 4)
    assert found["ppv"] == pytest.approx(2 / 3)
    assert found["npv"] == pytest.approx(3 / 4)
    assert found["sensitivity_low"] < 2 / 3 < found["sensitivity_high"]


def test_a_label_that_no_image_has_is_left_out_of_the_means_and_has_no_sensitivity():
    probability = torch.tensor([[0.9, 0.1], [0.2, 0.3], [0.1, 0.2]])
    target = torch.tensor([[1, 0], [0, 0], [0, 0]])
    assert multilabel_scores(probability, target)["auroc"] == 1.0
    assert np.isnan(multilabel_scores(probability[:, 1:], target[:, 1:])["auroc"])
    _, row = by_label(probability, target, ("a", "b"), (0.5, 0.5))
    assert row["positives"] == 0
    assert np.isnan(row["auroc"])
    assert np.isnan(row["sensitivity"])
    assert row["specificity"] == 1.0


@torch.no_grad()
def test_the_trainings_scores_agree_with_the_reports():
    ours, data = task(), batch(40)
    for half in (slice(20), slice(20, 40)):
        given = ours.evaluate({name: value[half] for name, value in data.items()})
    expected = multilabel_scores(ours.probability(data["image"]), data["label"][:, [0, 2]].long())
    assert given["scores"].compute() == pytest.approx(expected, abs=1e-6)


# ---- parts -----------------------------------------------------------------------------------------------


def test_rare_labels_are_held_out_in_their_share_and_equal_images_stay_on_one_side():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (200, 1, 8, 8), generator=generator, dtype=torch.uint8)
    images[100:110] = images[:10]
    target = torch.zeros(200, 2)
    target[::2, 0] = 1
    target[::20, 1] = 1
    schema = Schema((Field("image", "image", (1, 8, 8)), Field("label", "label", (2,), ("a", "b"))))
    data = TensorDataset({"image": images, "label": target.to(torch.uint8)}, schema)
    parts = split(Source("x", "", data, data, schema, ""), torch.tensor([0, 1]), MultilabelConfig(valid_fraction=0.2))
    rest, valid = (list(part.indices) for part in parts)
    assert sorted(rest + valid) == list(range(200))
    assert target[valid].sum(0).tolist() == pytest.approx([20, 2], abs=3)
    assert target[valid, 1].sum() >= 1
    assert not {images[i].numpy().tobytes() for i in rest} & {images[i].numpy().tobytes() for i in valid}


@pytest.mark.parametrize(("column", "word"), [([0, 0, 0], "none"), ([1, 1, 1], "all")])
def test_a_label_that_a_part_cannot_measure_is_named_before_the_training(column, word):
    good, bad = torch.tensor([[1.0], [0], [1]]), torch.tensor(column).float()[:, None]
    with pytest.raises(UserError, match=f"'cyst' cannot be learned and measured: {word} of the 3 validation images"):
        check_parts(("cyst",), {"training": good, "validation": bad, "test": good})


def test_thresholds_on_few_images_and_rare_labels_are_said():
    few = torch.zeros(400, 1)
    few[:2] = 1
    (note,) = check_parts(("cyst",), {"training": few, "validation": few, "test": few})
    assert "only 2 validation images" in note
    (note,) = rare_labels(("cyst",), few)
    assert "0.50%" in note
    assert "--class-weights balanced" in note
