"""Findings: what is learnt, scored and decided, and the planted lesions they are shown on."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchmetrics.functional.classification import binary_auroc

from torchworks.cnn_vision import lesions
from torchworks.cnn_vision.findings import Findings, findings_of, targets, thresholds_for
from torchworks.cnn_vision.findings_experiment import balanced, check_parts, held_out, rare_findings
from torchworks.cnn_vision.predictor import build_findings, classifier_config, findings_config
from torchworks.cnn_vision.scores import at_threshold, auroc, by_finding, findings_scores
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Field, TensorDataset, open_source
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
    return Findings(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), torch.tensor([0, 2]), lr=1e-3, **options)


# ---- labels ----------------------------------------------------------------------------------------------


def test_findings_are_the_positive_classes_of_single_labels_and_all_of_several():
    assert findings_of(SINGLE, ["ill"], "x") == ("ill",)
    assert findings_of(SEVERAL, [], "x") == ("a", "b", "c")
    assert findings_of(SEVERAL, ["c", "a"], "x") == ("c", "a")


@pytest.mark.parametrize(
    ("label", "positive", "message"),
    [
        (SINGLE, [], "nothing says which of them are findings"),
        (SINGLE, ["il"], "no class 'il'.*Did you mean 'ill'"),
        (SINGLE, ["ill", "unsure", "healthy"], "names every class"),
        (SEVERAL, ["d"], "no class 'd'.*Its classes: a, b, c"),
    ],
)
def test_labels_that_cannot_tell_findings_are_refused_with_the_remedy(label, positive, message):
    with pytest.raises(UserError, match=message):
        findings_of(label, positive, "x")


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


def test_balanced_weights_make_a_finding_weigh_as_much_as_its_absence():
    target = torch.tensor([[1.0, 1], [0, 1], [0, 0], [0, 0]])
    assert balanced(target).tolist() == [3.0, 1.0]


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


def test_the_predictor_gives_the_tasks_probabilities_and_knows_what_is_found():
    plain = classifier_config("resnet20", 8, 1, ("a", "c"), True, None, [0.5], [0.5])
    predictor = build_findings(findings_config(plain, WEIGHTS, [0.0, 1.0])).eval()
    ours = Findings(predictor.net, torch.tensor([0, 2]), lr=1e-3, pos_weight=WEIGHTS)
    images = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    probability = predictor.predict({"image": images})["probability"]
    torch.testing.assert_close(probability, ours.probability(images.float() / 127.5 - 1).detach())
    assert predictor.found(probability).tolist() == [[True, False]] * 3


def test_the_predictor_exports_whole_for_any_number_of_rows():
    plain = classifier_config("resnet20", 8, 1, ("a", "c"), True, None, [0.5], [0.5])
    check_predictor(build_findings(findings_config(plain, WEIGHTS, [0.0, 1.0])))


def test_thresholds_edited_to_another_number_than_the_findings_are_refused():
    plain = classifier_config("resnet20", 8, 1, ("a", "c"), True, None, [0.5], [0.5])
    with pytest.raises(AssertionError):
        build_findings(findings_config(plain, WEIGHTS, [0.5]))


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


def test_a_finding_that_no_image_has_is_left_out_of_the_means_and_has_no_sensitivity():
    probability = torch.tensor([[0.9, 0.1], [0.2, 0.3], [0.1, 0.2]])
    target = torch.tensor([[1, 0], [0, 0], [0, 0]])
    assert findings_scores(probability, target)["auroc"] == 1.0
    assert np.isnan(findings_scores(probability[:, 1:], target[:, 1:])["auroc"])
    _, row = by_finding(probability, target, ("a", "b"), (0.5, 0.5))
    assert row["positives"] == 0
    assert np.isnan(row["auroc"])
    assert np.isnan(row["sensitivity"])
    assert row["specificity"] == 1.0


@torch.no_grad()
def test_the_trainings_scores_agree_with_the_reports():
    ours, data = task(), batch(40)
    for half in (slice(20), slice(20, 40)):
        given = ours.evaluate({name: value[half] for name, value in data.items()})
    expected = findings_scores(ours.probability(data["image"]), data["label"][:, [0, 2]].long())
    assert given["scores"].compute() == pytest.approx(expected, abs=1e-6)


# ---- parts -----------------------------------------------------------------------------------------------


def test_rare_findings_are_held_out_in_their_share_and_equal_images_stay_on_one_side():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (200, 1, 8, 8), generator=generator, dtype=torch.uint8)
    images[100:110] = images[:10]
    target = torch.zeros(200, 2)
    target[::2, 0] = 1
    target[::20, 1] = 1
    data = TensorDataset({"image": images, "label": target.to(torch.uint8)})
    rest, valid = held_out(data, target, 0.2, seed=0)
    assert sorted(rest + valid) == list(range(200))
    assert target[valid].sum(0).tolist() == pytest.approx([20, 2], abs=3)
    assert target[valid, 1].sum() >= 1
    assert not {images[i].numpy().tobytes() for i in rest} & {images[i].numpy().tobytes() for i in valid}


@pytest.mark.parametrize(("column", "word"), [([0, 0, 0], "none"), ([1, 1, 1], "all")])
def test_a_finding_that_a_part_cannot_measure_is_named_before_the_training(column, word):
    good, bad = torch.tensor([[1.0], [0], [1]]), torch.tensor(column).float()[:, None]
    with pytest.raises(UserError, match=f"'cyst' cannot be learnt and measured: {word} of the 3 validation images"):
        check_parts(("cyst",), {"training": good, "validation": bad, "test": good})


def test_thresholds_on_few_images_and_findings_of_few_are_said():
    few = torch.zeros(400, 1)
    few[:2] = 1
    (note,) = check_parts(("cyst",), {"training": few, "validation": few, "test": few})
    assert "only 2 validation images" in note
    (note,) = rare_findings(("cyst",), few)
    assert "0.50%" in note
    assert "--class-weights balanced" in note


# ---- the planted lesions ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def patches():
    """(photograph, images, masks) of a small test part."""
    photo = lesions._photograph()
    return photo, *lesions.draw_patches(photo, (lesions.BORDER, len(photo)), 40, np.random.default_rng(0))


def test_patches_of_the_two_parts_share_no_pixel():
    border, end = lesions.BORDER, 1411
    above = lesions._places((0, border), 300, np.random.default_rng(0))
    below = lesions._places((border, end), 300, np.random.default_rng(0))
    assert above[:, 0].max() + lesions.SIDE <= border <= below[:, 0].min()


def test_every_patch_lies_within_the_lit_field_of_view(patches):
    _, images, _ = patches
    assert images.max(-1).min() > 40


def test_each_kind_is_in_its_share_of_patches_and_its_mask_is_never_empty(patches):
    _, _, masks = patches
    assert masks.shape == (40, 3, 48, 48)
    assert masks.any((2, 3)).sum(0).tolist() == [6, 6, 6]


def test_the_same_seed_draws_the_same_patches_and_another_seed_others(patches):
    photo, images, _ = patches
    rows = (lesions.BORDER, len(photo))
    again, _ = lesions.draw_patches(photo, rows, 40, np.random.default_rng(0))
    other, _ = lesions.draw_patches(photo, rows, 40, np.random.default_rng(1))
    assert np.array_equal(images, again)
    assert not np.array_equal(images, other)


def test_lesions_are_what_the_mask_says(patches):
    """Exudates are lighter than the tissue around them in the green, the others darker."""
    _, images, masks = patches
    for k, sign in ((0, 1), (1, -1), (2, -1)):
        inside, around = [], []
        for i in np.flatnonzero(masks[:, k].any((1, 2)) & (masks.any((2, 3)).sum(1) == 1)):
            inside.append(images[i, ..., 1][masks[i, k]].mean())
            around.append(images[i, ..., 1][~masks[i, k]].mean())
        assert sign * (np.mean(inside) - np.mean(around)) > 0


def test_the_source_is_found_by_its_name_and_fits_the_size_asked_for(monkeypatch):
    monkeypatch.setattr(lesions, "TRAIN", 20)
    monkeypatch.setattr(lesions, "TEST", 14)
    source = open_source("lesions", LoaderConfig(image_size=24, channels=1))
    label = source.schema["label"]
    assert (label.shape, label.classes) == ((3,), ("exudate", "microaneurysm", "haemorrhage"))
    sample = source.test[0]
    assert sample["image"].shape == (1, 24, 24)
    assert sample["label"].dtype == torch.uint8
    masks = source.test.tensors["mask"]
    assert masks.shape == (14, 3, 24, 24)
    assert torch.equal(masks.amax((2, 3)), source.test.tensors["label"])
    assert source.fingerprint == open_source("lesions", LoaderConfig(image_size=48)).fingerprint


def test_an_unknown_source_is_told_of_those_that_packages_offer():
    with pytest.raises(UserError, match=r"Did you mean 'lesions'\? Known: digits, .*lesions"):
        open_source("lesion", LoaderConfig())
    with pytest.raises(UserError, match="takes nothing after a colon"):
        open_source("lesions:mine", LoaderConfig())
