"""Segmentation: the loss and the scores by hand, a run from its data to its report, and the user's own masks."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchmetrics.functional.classification import multiclass_f1_score, multiclass_jaccard_index

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.cnn_vision.models.dense import create_segmenter
from torchworks.cnn_vision.models.normalization import expected
from torchworks.cnn_vision.segmentation.baselines import baselines
from torchworks.cnn_vision.segmentation.build import expect_frequencies
from torchworks.cnn_vision.segmentation.config import SegmentConfig
from torchworks.cnn_vision.segmentation.frequencies import balanced, pixel_counts
from torchworks.cnn_vision.segmentation.losses import mask_losses
from torchworks.cnn_vision.segmentation.metrics import SegmentationScores, image_iou
from torchworks.cnn_vision.segmentation.recipes import cells
from torchworks.cnn_vision.segmentation.task import Segmentation
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig, UserError, from_dict, to_dict
from torchworks.shared.data import TensorDataset
from torchworks.shared.data.fields import open_fields
from torchworks.shared.models.predictor import check_golden, load_predictor

VOID = 255


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


def example(n=3, g=4, size=6):
    """Logits and masks with pixels that do not count."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, g, size, size, generator=generator)
    mask = torch.randint(0, g, (n, size, size), generator=generator, dtype=torch.uint8)
    mask[0, :2] = mask[1, :, 4] = VOID
    return logits, mask


# ---------------------------------------------------------------------------------------------------------- loss


def test_each_image_has_its_own_cross_entropy_over_the_pixels_that_count():
    logits, mask = example()
    weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    for given in (None, weights):
        entropy, _ = mask_losses(logits, mask, given)
        for i in range(3):
            one = F.cross_entropy(logits[i : i + 1], mask[i : i + 1].long(), weight=given, ignore_index=VOID)
            torch.testing.assert_close(entropy[i], one)


def test_dice_is_what_it_is_by_hand():
    p = torch.tensor([[[[0.9, 0.2]], [[0.1, 0.8]]]])  # two pixels, of class 0 and 1
    _, dice = mask_losses(p.log(), torch.tensor([[[0, 1]]]))
    of_0, of_1 = 2 * 0.9 / (1.1 + 1), 2 * 0.8 / (0.9 + 1)
    torch.testing.assert_close(dice, torch.tensor([1 - (of_0 + of_1) / 2]))
    _, one = mask_losses(p.log(), torch.tensor([[[0, 0]]]))  # class 1 is not there, and no part of the mean
    torch.testing.assert_close(one, torch.tensor([1 - 2 * 1.1 / (1.1 + 2)]))


def test_pixels_that_do_not_count_teach_nothing():
    logits, mask = example()
    logits.requires_grad_()
    entropy, dice = mask_losses(logits, mask)
    (entropy + dice).sum().backward()
    void = (mask == VOID)[:, None].expand_as(logits)
    assert (logits.grad[void] == 0).all()
    assert (logits.grad[~void] != 0).all()


def test_an_image_without_pixels_that_count_has_a_finite_loss():
    logits, mask = example()
    entropy, dice = mask_losses(logits, torch.full_like(mask, VOID))
    assert (entropy == 0).all()
    assert dice.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_losses_are_those_of_float32(dtype):
    logits, mask = example()
    half = logits.to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype):
        found = mask_losses(half, mask)
    for ours, exact in zip(found, mask_losses(half.float(), mask), strict=True):
        torch.testing.assert_close(ours, exact)
    sum(found).sum().backward()
    assert half.grad.isfinite().all()


def test_the_loss_of_micro_batches_adds_up_to_that_of_the_batch_and_the_auxiliary_head_counts_its_share():
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return {"out": self.net(x), "aux": 2 * self.net(x)} if self.training else self.net(x)

    task = Segmentation(Heads(), 4, lr=1e-3, aux_weight=0.4)
    images, (_, mask) = torch.randn(3, 3, 6, 6), example()
    whole = task.loss("train", {"image": images, "mask": mask}).loss
    parts = [task.loss("train", {"image": images[i : i + 1], "mask": mask[i : i + 1]}).loss for i in range(3)]
    torch.testing.assert_close(whole, torch.stack(parts).mean())
    logits = task.model.net(images)
    out, aux = (sum(mask_losses(one, mask)).mean() for one in (logits, 2 * logits))
    torch.testing.assert_close(whole, out + 0.4 * aux)


@pytest.mark.parametrize("model", ["unet", "deeplabv3_resnet20"])
def test_an_untrained_net_expects_classes_as_common_as_they_are(model):
    options = {"width": 4} if model == "unet" else {"aux_loss": True}
    net = create_segmenter(model, num_classes=3, in_channels=1, **options)
    expect_frequencies(net, torch.tensor([900, 90, 10]))
    given = net(torch.zeros(2, 1, 32, 32))
    heads = given.values() if isinstance(given, dict) else [given]
    for logits in heads:
        shares = logits.log_softmax(1).mean((0, 2, 3)).exp()
        assert shares[0] > 0.7 > 0.3 > shares[1] > 2 * shares[2]


# -------------------------------------------------------------------------------------------------------- scores


def test_scores_are_those_of_a_worked_example_and_of_torchmetrics():
    truth = torch.tensor([[[0, 0, 1], [1, VOID, 0]]])
    answer = torch.tensor([[[0, 1, 1], [0, 1, 0]]])
    scores = SegmentationScores(3)
    scores.update(answer, truth)
    found = scores.compute()
    assert found["miou"] == pytest.approx((2 / 4 + 1 / 3) / 2)  # class 2 is nowhere, and does not count
    assert found["dice"] == pytest.approx((4 / 6 + 2 / 4) / 2)
    assert found["pixel_accuracy"] == pytest.approx(3 / 5)
    common = {"num_classes": 3, "ignore_index": VOID, "average": "none"}
    iou = multiclass_jaccard_index(answer, truth, **common)[:2]
    dice = multiclass_f1_score(answer, truth, **common)[:2]
    table = scores.table(("a", "b", "c"))
    assert [row["IoU"] for row in table[:2]] == pytest.approx(iou.tolist())
    assert [row["Dice"] for row in table[:2]] == pytest.approx(dice.tolist())
    assert np.isnan(table[2]["IoU"])
    assert image_iou(answer[0], truth[0], 3) == pytest.approx(found["miou"])


def test_a_forest_beats_the_majority_class_where_colors_tell_the_classes_apart():
    mask = torch.zeros(4, 12, 12, dtype=torch.uint8)
    mask[:, 2:7, 3:8] = 1
    images = (mask[:, None] * 150 + 50).expand(-1, 3, -1, -1).to(torch.uint8)
    schema = open_fields("scenes:train=1,test=1", ImageConfig(image_size=12), 0, ("image", "mask")).schema
    data = TensorDataset({"image": images, "mask": mask}, schema)
    found = baselines(data, data, 2)
    assert found["miou_baseline"] > 0.95
    assert found["miou_majority_class"] == pytest.approx((1 - 25 / 144) / 2)


# ---------------------------------------------------------------------------------------------------------- data


def test_balanced_weights_let_all_classes_count_alike():
    mask = torch.tensor([[[0, 0, 0, 0], [0, 0, 1, VOID]]], dtype=torch.uint8)
    counts = pixel_counts(TensorDataset({"mask": mask}), 3)
    assert counts.tolist() == [6, 1, 0]
    shares = (balanced(counts) * counts)[:2]
    torch.testing.assert_close(shares[0], shares[1])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dice_weight": -1.0}, "--dice-weight must be at least 0"),
        ({"valid_fraction": 1.0}, "--valid-fraction must be at least 0 and below 1"),
        ({"depth": 0}, "--depth must be from 1 to 8"),
        ({"model": "deeplabv3_resnet20", "width": 8}, "apply to unet only"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        SegmentConfig(**options)


def test_configurations_of_earlier_versions_load_under_the_names_of_today():
    old = {"colours" if name == "colors" else name: value for name, value in to_dict(cells()).items()}
    assert from_dict(SegmentConfig, old) == cells()


def test_published_weights_want_the_pixels_of_imagenet():
    assert expected("coco", 3)[0] == [0.485, 0.456, 0.406]
    assert expected("", 1) == ([0.5], [0.5])


# ----------------------------------------------------------------------------------------------------------- runs

TINY = [
    "--width", "4", "--depth", "2", "--loader.image-size", "24", "--trainer.batch-size", "8",
    "--trainer.eval-every", "0", "--trainer.ema", "0", "--device", "cpu", "--precision", "fp32"]  # fmt: skip


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Sixteen DICOM pictures of 40 × 30 pixels with a bright disc, whose mask is a PNG; and one of pure noise."""
    pydicom = pytest.importorskip("pydicom")
    root = tmp_path_factory.mktemp("own") / "scans"
    random = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    (root / "classes.txt").write_text("tissue\nlesion\n")
    row, column = np.mgrid[:30, :40]
    for i in range(16):
        y, x = random.uniform(8, 22), random.uniform(8, 32)
        disc = np.hypot(row - y, column - x) < random.uniform(4, 8)
        pixels = (random.integers(300, 900, (30, 40)) + 2500 * disc).astype(np.uint16)
        header = pydicom.Dataset()
        header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", f"1.2.{i}"
        header.set_pixel_data(pixels, "MONOCHROME2", 12)
        header.save_as(root / "images" / f"{i}.dcm", enforce_file_format=True)
        Image.fromarray(disc.astype(np.uint8)).save(root / "masks" / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def run(scans, tmp_path_factory):
    """A segmenter that learnt the scans."""
    out = tmp_path_factory.mktemp("runs") / "001"
    words = ["--data", f"masks:{scans}", "--steps", "60", "--optim.lr", "0.02"]
    assert vision("train", "segment", *TINY, *words, "--out", out) == 0
    return out


def result(run):
    return json.loads((run / "result.json").read_text())


def test_a_folder_of_dicom_pictures_with_masks_is_learnt(run):
    found = result(run)
    assert found["miou"] > 0.85
    assert found["miou_majority_class"] < 0.6
    check_golden(run)


def test_the_model_says_what_it_takes_and_gives(run):
    predictor = load_predictor(run)
    (image,), (mask, confidence) = predictor.signature.inputs, predictor.signature.outputs
    assert (image.shape, image.dtype) == (("N", 1, 24, 24), "uint8")
    assert (mask.kind, mask.dtype, mask.shape, mask.labels) == ("mask", "uint8", ("N", 24, 24), ("tissue", "lesion"))
    assert (confidence.kind, confidence.dtype, confidence.low, confidence.high) == ("mask", "float32", 0.0, 1.0)
    manifest = json.loads((run / "model.json").read_text())
    assert manifest["preprocessing"]["image"]["fit"] == "letterbox"
    answers = predictor.predict({"image": torch.randint(0, 256, (3, 1, 24, 24), dtype=torch.uint8)})
    assert answers["confidence"].min() >= 0.5  # the likelier of two


def test_pictures_of_any_shape_are_drawn_as_large_as_they_are(run, scans, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (90, 50), (20, 20, 20)).save(tmp_path / "in" / "dark.jpg")
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    table, out = tmp_path / "shares.csv", tmp_path / "out"
    words = ["predict", run, tmp_path / "in", scans / "images" / "0.dcm", "--out", out, "--csv", table]
    assert vision(*words) == 2
    said = capsys.readouterr()
    assert "broken.png (it is not an image)" in " ".join(said.err.split())
    assert "dark.jpg" in said.out
    assert "tissue 100.0%" in said.out
    with Image.open(out / "dark.png") as drawn:
        assert drawn.width == 90
        assert drawn.height >= 50
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [Path(row["path"]).name for row in rows] == ["dark.jpg", "0.dcm"]
    truth = np.asarray(Image.open(scans / "masks" / "0.png")).mean()
    assert float(rows[1]["lesion"]) == pytest.approx(truth, abs=0.05)
    assert float(rows[1]["tissue"]) + float(rows[1]["lesion"]) == pytest.approx(1, abs=1e-5)


def test_a_picture_that_is_read_is_never_replaced(run, tmp_path, capsys):
    Image.new("L", (30, 30)).save(tmp_path / "a.png")
    assert vision("predict", run, tmp_path / "a.png", "--out", tmp_path) == 2
    assert "would be replaced" in capsys.readouterr().err


def test_evaluate_prints_the_table_and_writes_the_report(run, tmp_path, capsys):
    assert vision("evaluate", run, "--out", tmp_path / "e") == 0
    said = capsys.readouterr().out
    assert "lesion" in said
    assert "IoU" in said
    written = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    assert written["miou"] == pytest.approx(result(run)["miou"])
    assert written["miou_majority_class"] == result(run)["miou_majority_class"]
    assert [row["class"] for row in written["classes"]] == ["tissue", "lesion"]
    assert (tmp_path / "e" / "worst.png").stat().st_size > 1000
    assert "data:image/png" in (tmp_path / "e" / "report.html").read_text()


def test_other_data_must_have_the_same_classes(run, capsys):
    assert vision("evaluate", run, "--data", "cells") == 2
    assert "color" in capsys.readouterr().err  # the run is in grey
    assert vision("evaluate", run, "--data", "digits") == 2
    assert "digits has no mask" in capsys.readouterr().err


def test_another_training_starts_from_the_weights_of_a_run(run, scans, tmp_path):
    words = ["--data", f"masks:{scans}", "--pretrained", run, "--steps", "1", "--optim.lr", "1e-9"]
    assert vision("train", "segment", *TINY, *words, "--out", tmp_path / "b") == 0
    assert result(tmp_path / "b")["miou"] > 0.8


def test_data_without_masks_are_refused(capsys):
    assert vision("train", "segment", "--data", "digits") == 2
    assert "digits has no mask" in capsys.readouterr().err


@pytest.mark.slow
def test_deeplab_trains_by_both_heads_and_is_saved_with_them(tmp_path):
    words = [
        "--data",
        "scenes:train=8,test=2",
        "--loader.image-size",
        "32",
        "--trainer.batch-size",
        "4",
        "--steps",
        "2",
    ]
    more = ["--trainer.eval-every", "0", "--device", "cpu", "--out", tmp_path / "d"]
    assert vision("train", "segment-deeplab", *words, *more) == 0
    predictor = load_predictor(tmp_path / "d")
    assert any(key.startswith("aux_classifier") for key in predictor.net.state_dict())
    program = torch.export.export(predictor, (torch.zeros(2, 3, 32, 32, dtype=torch.uint8),))
    mask, confidence = program.module()(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    assert mask.shape == confidence.shape == (2, 32, 32)
