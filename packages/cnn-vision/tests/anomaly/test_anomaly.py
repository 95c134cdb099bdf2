"""Anomaly detection: metrics against scikit-learn's, thresholds, and runs on the user's own folders."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score

from torchworks.cnn_vision.anomaly.config import AnomalyConfig
from torchworks.cnn_vision.anomaly.metrics import AnomalyScores, region_overlap
from torchworks.cnn_vision.anomaly.one_class import one_class
from torchworks.cnn_vision.anomaly.predictor import Pyramid
from torchworks.cnn_vision.anomaly.recipes import anomaly
from torchworks.cnn_vision.anomaly.task import calibrate
from torchworks.cnn_vision.commands import COMMANDS
from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.patchcore import PatchCore
from torchworks.cnn_vision.models.vgg_features import small_layers
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig, UserError, from_dict, to_dict
from torchworks.shared.data import open_source
from torchworks.shared.models.predictor import check_golden, load_predictor


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture
def normal():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


class Plain(torch.nn.Module):
    """Images as they are and at half the size."""

    def forward(self, images):
        return {"fine": images, "coarse": torch.nn.functional.avg_pool2d(images, 2)}


def test_as_many_good_images_as_was_asked_are_above_the_threshold(normal):
    net = PatchCore(Plain(), 1, 5, 6)
    net.memory.data = normal(5, 6)
    batches = [{"image": normal(20, 3, 8, 8)} for _ in range(5)]
    calibrate(net, batches, 0.1)
    with torch.no_grad():
        scores = torch.cat([net(batch["image"])[0] for batch in batches])
    assert (scores > net.threshold).float().mean() == pytest.approx(0.1)


def test_auroc_is_that_of_scikit_learn(normal):
    score, heat, mask = normal(20), normal(20, 6, 6), (normal(20, 6, 6) > 1).to(torch.uint8)
    target = torch.arange(20) % 3 == 0
    scores = AnomalyScores()
    for part in (slice(0, 8), slice(8, 20)):
        scores.update(score[part], target[part], score[part] > 0, heat[part], mask[part])
    found = scores.compute()
    assert found["image_auroc"] == pytest.approx(roc_auc_score(target, score), abs=1e-6)
    assert found["pixel_auroc"] == pytest.approx(roc_auc_score(mask.flatten(), heat.flatten()), abs=1e-5)
    assert found["false_alarms"] == pytest.approx(float((score[~target] > 0).float().mean()))


def test_overlap_by_region_is_1_for_perfect_heat_and_counts_small_defects_like_large_ones():
    mask = np.zeros((1, 20, 20), np.uint8)
    mask[0, 2:12, 2:12] = mask[0, 17, 17] = 1
    assert region_overlap(mask.astype(float), mask) == pytest.approx(1, abs=0.01)
    only_large = mask.astype(float)
    only_large[0, 17, 17] = -1
    assert region_overlap(only_large, mask) == pytest.approx(0.5, abs=0.01)


def test_good_images_alone_give_no_score_rather_than_a_wrong_one(normal):
    scores = AnomalyScores()
    scores.update(normal(3), torch.zeros(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool), normal(3, 4, 4), None)
    assert scores.compute() == {}


def test_any_backbone_of_the_package_gives_two_maps():
    net = Pyramid(create_model("resnet18", num_classes=0))
    maps = net(torch.rand(1, 3, 64, 64))
    assert [tuple(x.shape) for x in maps.values()] == [(1, 128, 8, 8), (1, 256, 4, 4)]
    assert sum(net.channels.values()) == 384


# ---------------------------------------------------------------------------------------------------- whole runs


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """A run of the recipe features, as far as other recipes look at it, with weights that were never trained."""
    folder = tmp_path_factory.mktemp("features")
    torch.manual_seed(0)
    save_file(small_layers().state_dict(), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Grey noise, some with a bright square, in MVTec's folders."""
    base, rng = tmp_path_factory.mktemp("own") / "plates", np.random.default_rng(0)
    for part, count in (("train/good", 12), ("test/good", 4), ("test/dent", 4)):
        (base / part).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(90, 130, (40, 40), dtype=np.uint8)
            if part == "test/dent":
                pixels[10:20, 12:24] = 250
                (base / "ground_truth" / "dent").mkdir(parents=True, exist_ok=True)
                mask = np.zeros((40, 40), np.uint8)
                mask[10:20, 12:24] = 255
                Image.fromarray(mask).save(base / "ground_truth" / "dent" / f"{i:03}_mask.png")
            Image.fromarray(pixels).save(base / part / f"{i:03}.png")
    return base


@pytest.fixture(scope="module")
def run(folder, features, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "001"
    words = ["--data", f"mvtec:{folder}", "--pretrained", features, "--loader.image-size", "32", "--device", "cpu"]
    assert vision("train", "anomaly", *words, "--precision", "fp32", "--out", out) == 0
    return out


def test_defects_in_own_folders_are_found(run):
    result = json.loads((run / "result.json").read_text())
    assert result["image_auroc"] == 1
    assert result["pro"] > 0.9  # the backbone was never trained
    assert {"image_auroc_pca", "pixel_auroc_statistics"} <= result.keys()


@pytest.mark.parametrize("data", ["digits", pytest.param("mnist5k", marks=pytest.mark.slow)])
def test_one_class_of_any_data_can_be_the_good_one(data, features, capsys, tmp_path):
    words = ["--data", data, "--pretrained", features, "--loader.image-size", "32", "--device", "cpu"]
    assert vision("train", "anomaly", *words, "--out", tmp_path / "none") == 2
    assert "by --good, such as 0" in " ".join(capsys.readouterr().err.split())
    run = tmp_path / "001"
    assert vision("train", "anomaly", *words, "--good", "1", "--coreset", "0.005", "--out", run) == 0
    result = json.loads((run / "result.json").read_text())
    assert result["image_auroc"] > 0.6  # the backbone was never trained
    assert "pixel_auroc" not in result
    assert vision("inspect", run) == 0


def test_an_unknown_good_class_is_refused_with_the_nearest_name(features):
    with pytest.raises(UserError, match="has no class '11'"):
        one_class(open_source("digits", ImageConfig(image_size=32)), "11")


def test_the_model_is_whole_and_speaks_in_units_of_its_thresholds(run):
    assert check_golden(run) < 1e-4
    predictor = load_predictor(run)
    found = predictor.predict({"image": torch.full((2, 1, 32, 32), 110, dtype=torch.uint8)})
    assert found["score"].shape == (2, 1)
    assert found["heat"].shape == (2, 32, 32)


def test_the_model_exports_whole(run):
    predictor = load_predictor(run).eval()
    images = torch.randint(0, 256, (2, 1, 32, 32), dtype=torch.uint8)
    program = torch.export.export(predictor, (images,), dynamic_shapes=(({0: torch.export.Dim("N", min=1)},),))
    more = torch.randint(0, 256, (3, 1, 32, 32), dtype=torch.uint8)
    for ours, theirs in zip(program.module()(more), predictor(more), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_inspect_gives_verdicts_and_draws_heat(run, folder, capsys, tmp_path):
    (tmp_path / "broken.png").write_text("no image")
    files = [folder / "test" / "dent" / "000.png", tmp_path / "broken.png"]
    assert vision("inspect", run, *files, "--out", tmp_path / "heat.png") == 2
    printed = capsys.readouterr()
    assert "DEFECTIVE" in printed.out
    assert "broken.png" in printed.err
    assert (tmp_path / "heat.png").is_file()
    assert vision("inspect", run) == 0
    assert (run / "heat.png").is_file()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda base: shutil.rmtree(base / "train"), "There are no images in"),
        (lambda base: shutil.rmtree(base / "test" / "dent"), "one for each kind of defect"),
        (lambda base: (base / "ground_truth" / "dent" / "001_mask.png").unlink(), "test/dent/001.png (it has no mask"),
        (lambda base: (base / "train" / "good" / "003.png").write_text("no image"), "003.png"),
        (lambda base: (base / "ground_truth" / "dent" / "001_mask.png").write_text("no"), "cannot be read"),
    ],
)
def test_faults_in_own_folders_are_named(spoil, said, folder, features, capsys, tmp_path):
    base = tmp_path / "plates"
    shutil.copytree(folder, base)
    spoil(base)
    words = ["--data", f"mvtec:{base}", "--pretrained", features, "--loader.image-size", "32"]
    assert vision("train", "anomaly", *words, "--out", tmp_path / "run") == 2
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("count", "fraction", "said"),
    [
        (1, "0.2", "has 1 good training image, of which 1 is held out; PatchCore needs at least 2"),
        (2, "0.9", "has 2 good training images, of which 2 are held out; PatchCore needs at least 2"),
    ],
)
def test_too_few_good_images_are_counted_in_the_message(count, fraction, said, folder, features, capsys, tmp_path):
    base = tmp_path / "plates"
    shutil.copytree(folder, base)
    for file in sorted((base / "train" / "good").iterdir())[count:]:
        file.unlink()
    words = ["--data", f"mvtec:{base}", "--pretrained", features, "--loader.image-size", "32"]
    assert vision("train", "anomaly", *words, "--valid-fraction", fraction, "--out", tmp_path / "run") == 2
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", ["coreset", "false-alarms", "valid-fraction"])
def test_shares_are_above_0_and_below_1(name, capsys):
    assert vision("train", "anomaly", f"--{name}", "0") == 2
    assert f"--{name} must be above 0 and below 1, but it is 0.0" in " ".join(capsys.readouterr().err.split())


def test_configurations_of_earlier_versions_load_under_the_names_of_today():
    old = {"neighbours" if name == "neighbors" else name: value for name, value in to_dict(anomaly()).items()}
    assert from_dict(AnomalyConfig, old) == anomaly()


def test_data_that_say_nothing_of_good_are_refused(features, capsys, tmp_path):
    assert vision("train", "anomaly", "--data", "digits", "--pretrained", features, "--out", tmp_path / "run") == 2
    assert "mvtec:PATH" in " ".join(capsys.readouterr().err.split())


def test_without_masks_images_alone_are_scored(folder, features, tmp_path):
    base = tmp_path / "plates"
    shutil.copytree(folder, base)
    shutil.rmtree(base / "ground_truth")
    words = ["--data", f"mvtec:{base}", "--pretrained", features, "--loader.image-size", "32"]
    assert vision("train", "anomaly", *words, "--out", tmp_path / "run") == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert "image_auroc" in result
    assert "pixel_auroc" not in result
