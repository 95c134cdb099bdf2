"""The detector of swapped faces: what it learns from, how it is scored, and its command."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from torchworks.gans.commands import COMMANDS
from torchworks.gans.data.face_drawing import draw_face
from torchworks.gans.data.face_numbers import Pose, person
from torchworks.gans.detecting.baselines import baselines, spectrum
from torchworks.gans.detecting.data import labelled, reduced, swapped_beside, together
from torchworks.gans.detecting.metrics import DetectorScores, curve, threshold
from torchworks.gans.detecting.predictor import build_detector, detector_config, open_detector
from torchworks.gans.models.swapping_config import Meso4Net
from torchworks.gans.swapping.marks import read_mark
from torchworks.gans.swapping.predictor import open_swapper
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig
from torchworks.shared.data import TensorDataset, open_source
from torchworks.shared.testing import check_predictor, randomize
from torchworks.shared.testing_runs import killed_and_resumed


def pair(a: int, b: int) -> str:
    return "+".join(f"generated-faces:person={number},train=12,test=5" for number in (a, b))


TINY = [
    "--data", pair(3, 8), "--unseen", pair(0, 6), "--loader.image-size", "48", "--net.width", "4", "--swap-steps", "2",
    "--trainer.batch-size", "8", "--precision", "fp32",
]  # fmt: skip


def gans(*words) -> int:
    return main("gans", default="cgan-mnist", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("detector") / "run"
    assert gans("train", "swap-detector", *TINY, "--steps", 3, "--out", folder) == 0
    return folder


def test_a_run_has_a_roc_curve_and_says_how_it_does_on_other_faces(run):
    with Image.open(run / "roc.png") as image:
        assert image.width > 400
    card = (run / "README.md").read_text()
    for name in ("auroc", "caught", "auroc_unseen", "auroc_reduced_baseline", "auroc_chance"):
        assert f"| {name} |" in card


def test_the_detector_learns_from_swaps_without_marks():
    source, seen = open_source("generated-faces:train=6,test=2", ImageConfig(image_size=48)), []

    def swap(images, to):
        seen.append((len(images), to))
        return 255 - images

    parts = swapped_beside(source.train, source.test, swap).tensors
    assert seen == [(6, 1), (2, 0)]
    assert parts["label"].tolist() == [0] * 8 + [1] * 8
    assert not any(read_mark(image.float() / 255).found for image in parts["image"])


@pytest.mark.slow
def test_a_finished_swap_gives_its_images_without_marks(tmp_path):
    words = ["--data", pair(3, 8), "--loader.image-size", 48, "--net.width", 4, "--steps", 1, "--precision", "fp32"]
    assert gans("train", "face-swap", *words, "--out", tmp_path / "swap") == 0
    images = torch.from_numpy(draw_face(person(3), Pose(), 48))[None]
    swapper = open_swapper(tmp_path / "swap", "cpu")
    assert not read_mark(swapper.unmarked(images, 1)[0].float() / 255).found
    assert read_mark(swapper.swap(images, "B")[0].float() / 255).found
    words = [*TINY, "--run", tmp_path / "swap", "--unseen-run", tmp_path / "swap", "--steps", 1]
    assert gans("train", "swap-detector", *words, "--out", tmp_path / "detector") == 0


def test_the_curve_and_the_threshold_by_hand():
    scores, labels = torch.tensor([0.1, 0.2, 0.9, 0.8, 0.3]), torch.tensor([0, 0, 0, 1, 1])
    found = curve(scores, labels)
    assert found.area == pytest.approx(4 / 6)
    assert found.at(0.01) == 0  # the best scored is a false alarm
    assert found.at(0.34) == 1
    logits = torch.arange(200.0)
    assert threshold(logits, torch.zeros(200)) == 197  # two of 200 lie above


def test_scores_are_of_each_group_alone():
    metric = DetectorScores()
    batch = {"label": torch.tensor([0, 1, 0, 1]), "group": torch.tensor([0, 0, 2, 2])}
    metric.update(torch.tensor([-1.0, 1.0, 1.0, -1.0]), batch)
    scores = metric.compute()
    assert (scores["auroc"], scores["auroc_unseen"]) == (1, 0)
    assert "auroc_reduced" not in scores


def test_the_spectrum_of_a_wave_is_at_its_frequency():
    x = torch.arange(64)
    wave = (127 + 100 * torch.cos(2 * torch.pi * 9 * x / 64)).expand(1, 3, 64, 64).to(torch.uint8)
    assert spectrum(wave)[0].argmax() == 9


def test_the_regression_tells_sharp_images_from_soft_ones():
    draw = torch.Generator().manual_seed(0)
    sharp = torch.rand(60, 3, 48, 48, generator=draw)
    images = (torch.cat([sharp, reduced(sharp, 0.6)]) * 255).byte()
    labels = torch.arange(120) // 60
    train = labelled(images[::2], labels[::2], 0)
    test: TensorDataset = together(*(labelled(images[1::2], labels[1::2], group) for group in range(3)))
    found, _ = baselines(train, test)
    assert found["auroc_baseline"] > 0.99
    assert found["auroc_chance"] == 0.5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_the_detector_exports():
    predictor = build_detector(detector_config(Meso4Net(width=4), 48))
    randomize(predictor.net)
    check_predictor(predictor)


def test_detect_says_what_images_look_like(run, tmp_path, capsys):
    Image.fromarray(draw_face(person(3), Pose(), 64).transpose(1, 2, 0)).save(tmp_path / "a.png")
    assert gans("detect", run, tmp_path / "a.png", "--csv", tmp_path / "said.csv") == 0
    assert "probability of a swap" in capsys.readouterr().out
    assert (tmp_path / "said.csv").read_text().startswith("path,looks,probability")
    assert gans("detect", run) == 2
    assert gans("swap", run, tmp_path / "a.png") == 2
    assert "swaps no faces" in " ".join(capsys.readouterr().err.split())
    assert np.isfinite(open_detector(run, "cpu")[1].threshold)


@pytest.mark.long
def test_a_killed_run_ends_like_a_whole_one_bit_for_bit(tmp_path):
    words = ["-m", "torchworks.gans", "train", "swap-detector", *TINY, "--steps", "40"]
    words += ["--trainer.log-every", "1", "--trainer.checkpoint-every", "5", "--trainer.eval-every", "10"]
    killed, whole = killed_and_resumed(words, tmp_path)
    assert open_detector(killed)[1].threshold == open_detector(whole)[1].threshold
