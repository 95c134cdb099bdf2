"""Detection: metrics against examples worked by hand, training, predictions and reports."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from math import isnan
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.cnn_vision.detection.build import new_net, normalization, options_of
from torchworks.cnn_vision.detection.config import DetectorConfig
from torchworks.cnn_vision.detection.predictor import build_detector, instance_map
from torchworks.cnn_vision.detection.recipes import detect, instances
from torchworks.cnn_vision.detection.task import Detection, target_of
from torchworks.cnn_vision.inference.commands import Evaluate, Predict
from torchworks.cnn_vision.inference.dispatch import evaluate, predict
from torchworks.cnn_vision.models.dense import create_detector
from torchworks.cnn_vision.models.faster_rcnn import leave_out_ignored
from torchworks.shared.cli import main
from torchworks.shared.config import UserError, from_dict, to_dict
from torchworks.shared.data import TensorDataset, open_source
from torchworks.shared.data.boxes.regions import lie_within
from torchworks.shared.data.boxes.sample import IGNORED, NOTHING, padded
from torchworks.shared.detection.baselines import constant_prediction, typical
from torchworks.shared.detection.metrics import AveragePrecision, precision_by_class, truths_of
from torchworks.shared.detection.mistakes import mistakes
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.runs.opening import open_run

TINY = [
    "--data", "scenes:easy,train=12,test=4", "--loader.image-size", "64", "--trainer.steps", "2",
    "--trainer.batch-size", "4", "--valid-fraction", "0.25", "--trainer.eval-every", "0",
    "--device", "cpu", "--precision", "fp32",
]  # fmt: skip
A, B, FAR = [10.0, 10.0, 30.0, 30.0], [40.0, 40.0, 60.0, 60.0], [70.0, 70.0, 90.0, 90.0]


def vision(*words: object) -> int:
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


def truth(boxes: list, labels: list, ignored: list = ()) -> dict[str, Tensor]:
    return {
        "boxes": torch.tensor(boxes).view(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.long),
        "ignored": torch.tensor(ignored).view(-1, 4),
    }


def found(boxes: list, scores: list, labels: list) -> dict[str, Tensor]:
    return {
        "boxes": torch.tensor(boxes).view(-1, 4),
        "scores": torch.tensor(scores).float(),
        "labels": torch.tensor(labels, dtype=torch.long),
    }


def scored(pairs: list[tuple[dict, dict]], classes: int = 2) -> dict[str, float]:
    metric = AveragePrecision(classes)
    metric.update(*map(list, zip(*pairs, strict=True)))
    return metric.compute()


# --------------------------------------------------------------------------------------------------- metrics


def test_average_precision_of_an_example_worked_by_hand():
    """One class, two objects; detections by score: right, wrong, right. Precision is 1 up to recall ½, then ⅔: of
    COCO's 101 recalls, 51 have precision 1 and 50 have ⅔."""
    scores = scored([(found([A, FAR, B], [0.9, 0.8, 0.7], [0, 0, 0]), truth([A, B], [0, 0]))], classes=1)
    assert scores["map_50"] == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-4)
    assert scores["map"] == pytest.approx(scores["map_50"], abs=1e-4)  # the boxes are exact
    assert scores["mar_1"] == pytest.approx(0.5)
    assert scores["mar_10"] == 1
    assert "map_large" not in scores, "there are no large objects"


def test_a_box_of_iou_0_6_is_right_at_0_5_and_0_55_and_0_6_alone():
    narrow = [10.0, 10.0, 30.0, 22.1]  # 12.1 of 20 rows
    scores = scored([(found([narrow], [0.9], [0]), truth([A], [0]))])
    assert (scores["map_50"], scores["map_75"]) == (1, 0)
    assert scores["map"] == pytest.approx(0.3, abs=1e-4)


def test_what_is_found_in_a_region_to_ignore_is_neither_right_nor_wrong():
    inside = found([A, B], [0.9, 0.8], [0, 1])
    assert scored([(inside, truth([B], [1]))])["map_50"] == 1, "class 0 is nowhere, so it has no score"
    both = [(inside, truth([B], [1])), (found([A], [0.5], [0]), truth([A], [0]))]
    assert scored(both)["map_50"] == pytest.approx(0.75)
    both[0] = (inside, truth([B], [1], [A]))
    assert scored(both)["map_50"] == 1


def test_images_without_objects_and_without_detections_have_scores():
    nothing = found([], [], [])
    assert isnan(scored([(nothing, truth([], []))])["map"]), "no object, so nothing to score"
    assert scored([(nothing, truth([], [])), (nothing, truth([A], [0]))])["map"] == 0
    assert scored([(nothing, truth([], [])), (found([A], [0.9], [0]), truth([A], [0]))])["map"] == 1


def test_a_test_part_without_objects_costs_the_baseline_its_scores_and_not_the_run():
    def part(labels: list[int]) -> TensorDataset:
        boxes = torch.tensor([A]).repeat(len(labels), 1).view(-1, 1, 4)
        return TensorDataset({"boxes": boxes, "box_label": torch.tensor(labels).view(-1, 1)})

    scores = constant_prediction(part([0, 1, 0]), part([NOTHING, NOTHING]), 2)
    assert list(scores) == ["map_constant_prediction"]
    assert isnan(scores["map_constant_prediction"])
    assert constant_prediction(part([0, 1]), part([0]), 2)["map_50_constant_prediction"] == 1


def test_masks_are_scored_apart_from_boxes():
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[0, 10:30, 10:30] = True
    half = mask.clone()
    half[0, :, 20:] = False
    metric = AveragePrecision(1, masks=True)
    there = {**truth([A], [0]), "masks": mask, "ignored_masks": torch.zeros(0, 64, 64, dtype=torch.bool)}
    metric.update([{**found([A], [0.9], [0]), "masks": half}], [there])
    scores = metric.compute()
    assert (scores["map"], scores["mask_map_50"], scores["mask_map_75"]) == (1, 1, 0)


def test_the_table_has_a_row_for_each_class_that_has_objects():
    rows = precision_by_class([found([A], [0.9], [0])], [truth([A, B], [0, 2])], ("a", "b", "c"))
    assert rows == [
        {"class": "a", "objects": 1, "AP": pytest.approx(1), "AP at 0.5": pytest.approx(1)},
        {"class": "c", "objects": 1, "AP": 0, "AP at 0.5": 0},
    ]


def test_mistakes_are_objects_missed_and_detections_too_many():
    there = truth([A, B], [0, 1])
    assert mistakes(found([A, B], [0.9, 0.8], [0, 1]), there, 0.5) == (0, 0)
    assert mistakes(found([A, B], [0.9, 0.4], [0, 1]), there, 0.5) == (1, 0)
    assert mistakes(found([A, A, B], [0.9, 0.8, 0.7], [0, 0, 0]), there, 0.5) == (1, 2)
    assert mistakes(found([A, FAR], [0.9, 0.8], [0, 0]), truth([A], [0], [FAR]), 0.5) == (0, 0)
    assert mistakes(found([], [], []), truth([], []), 0.5) == (0, 0)


def test_the_constant_prediction_puts_the_majority_class_where_objects_are():
    guess = typical(torch.tensor([A, A, A, B]), torch.tensor([1, 1, 1, 0]), 2)
    best = guess["scores"].argmax()
    assert guess["labels"][best] == 1
    assert guess["boxes"][best].tolist() == A


# ------------------------------------------------------------------------------------------------ the task


def batch_of(boxes: list, labels: list[int], size: int = 64) -> dict[str, Tensor]:
    """One image, whose objects fill their boxes."""
    fields = padded(torch.tensor(boxes).view(-1, 4), labels, 4)
    instance = torch.zeros(size, size, dtype=torch.uint8)
    for i, (x1, y1, x2, y2) in enumerate(torch.tensor(boxes).view(-1, 4).long().tolist()):
        instance[y1:y2, x1:x2] = i + 1
    image = torch.randn(3, size, size, generator=torch.Generator().manual_seed(0))
    return {name: value[None] for name, value in {"image": image, "instance": instance, **fields}.items()}


def test_targets_are_the_objects_of_each_image_with_labels_as_the_net_counts_them():
    batch = batch_of([A, B, [0.0, 0.0, 8.0, 8.0]], [3, IGNORED, 0])
    [there] = truths_of(batch, masks=True)
    assert there["boxes"].tolist() == [A, [0, 0, 8, 8]]
    assert there["ignored"].tolist() == [B]
    assert there["masks"].flatten(1).sum(1).tolist() == [400, 64]
    assert there["ignored_masks"].sum() == 400
    assert target_of(there, 1)["labels"].tolist() == [4, 1]
    assert target_of(there, 0)["labels"].tolist() == [3, 0]


NETS = ("yolo_resnet20", "ssd_resnet20", "fasterrcnn_resnet20_fpn", "maskrcnn_resnet20_fpn")


@pytest.mark.parametrize("name", NETS)
def test_each_net_has_a_loss_on_objects_on_regions_to_ignore_and_on_nothing(name: str):
    torch.manual_seed(0)
    classes = 4 if name.startswith("yolo") else 5
    task = Detection(create_detector(name, num_classes=classes).train(), 4, lr=1e-3)
    for boxes, labels in (([A, B], [3, 0]), ([A, B], [1, IGNORED]), ([B], [IGNORED]), ([], [])):
        out = task.loss("train", batch_of(boxes, labels))
        assert torch.isfinite(out.loss)
        assert torch.isclose(sum(out.logs.values()), out.loss.detach())
    task.model.eval()
    with torch.no_grad():
        assert task.evaluate(batch_of([A], [2]))["scores"].compute()[task.watch] >= 0


def test_boxes_in_a_region_to_ignore_are_no_background():
    boxes = torch.tensor([A, [10.0, 10.0, 30.0, 61.0], B])
    assert lie_within(boxes, torch.tensor([[0.0, 0.0, 35.0, 35.0]])).tolist() == [True, False, False]
    assert not lie_within(boxes, torch.zeros(0, 4)).any()
    labels = torch.tensor([0, 0, 2])
    leave_out_ignored(labels, boxes, {"ignored": torch.tensor([[0.0, 0.0, 64.0, 64.0]])})
    assert labels.tolist() == [-1, -1, 2]


# -------------------------------------------------------------------------------------------- the predictor


@pytest.mark.parametrize("name", ["yolo_resnet20", "maskrcnn_resnet20_fpn"])
def test_a_predictor_answers_as_its_signature_says_with_labels_from_0_on(name: str):
    torch.manual_seed(0)
    config = {"model": name, "options": {}, "image_size": 64, "channels": 3, "classes": ["a", "b"]}
    predictor = build_detector({**config, "mean": [0.5] * 3, "std": [0.5] * 3})
    answers = predictor.predict({"image": torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)})
    assert list(answers) == ["boxes", "score", "label", *(["instance"] if name.startswith("mask") else [])]
    assert set(answers["label"].unique().tolist()) <= {-1, 0, 1}
    assert ((answers["score"] == 0) == (answers["label"] == -1)).all()


def test_the_best_detection_is_in_front_of_the_others_on_the_instance_map():
    masks = torch.zeros(1, 3, 1, 4)
    masks[0, 0, 0, 2:] = 0.9
    masks[0, 1, 0, 1:3] = 0.9
    masks[0, 2, 0, 0] = 0.4
    assert instance_map(masks).tolist() == [[[0, 2, 1, 1]]]


# ---------------------------------------------------------------------------------------------- whole runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector") / "run"
    words = ["--augment", "crop", "color", "--normalize", "imagenet", "--out", folder]
    assert vision("train", "instances", *TINY, *words) == 0
    return folder


@pytest.mark.slow
def test_a_run_has_scores_of_boxes_and_masks_and_what_a_guess_reaches(run: Path):
    result = json.loads((run / "result.json").read_text())
    assert {
        "map",
        "map_50",
        "mask_map",
        "mask_map_50",
        "map_constant_prediction",
        "map_50_constant_prediction",
    } <= result.keys()
    assert check_golden(run) < 1e-4


@pytest.mark.slow
def test_predict_prints_draws_and_writes_and_names_what_it_cannot_read(run: Path, tmp_path: Path, capsys):
    source = open_source("scenes:easy,train=1,test=2", detect().loader)
    for i, side in enumerate((96, 40)):
        pixels = source.test[i]["image"].permute(1, 2, 0).numpy()
        Image.fromarray(pixels[:side]).save(tmp_path / f"{i}.png")
    (tmp_path / "bad.png").write_text("nothing")
    out, table = tmp_path / "drawn", tmp_path / "found.csv"
    with pytest.raises(UserError, match=r"1 of the images could not be used.*bad\.png"):
        predict(Predict(run, (tmp_path,), least_score=0.001, out=out, csv=table, device="cpu"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [str(tmp_path / "0.png"), str(tmp_path / "1.png"), str(out)]
    assert sorted(path.name for path in out.iterdir()) == ["0.png", "1.png"]
    with Image.open(out / "1.png") as drawn:
        assert drawn.size == (96 * 3, 40 * 3)
    assert table.read_text().startswith("path,label,score,x1,y1,x2,y2")


@pytest.mark.slow
def test_evaluate_repeats_the_runs_own_scores_and_reports_the_worst_images(run: Path, tmp_path: Path, capsys):
    assert evaluate(Evaluate(run, out=tmp_path, device="cpu")) == 0
    assert "AP at 0.5" in capsys.readouterr().out
    again, before = (json.loads((folder / name).read_text()) for folder, name in (
        (tmp_path, "evaluation.json"), (run, "result.json"),
    ))  # fmt: skip
    for name in ("map", "mask_map", "map_constant_prediction"):
        assert again[name] == pytest.approx(before[name], abs=1e-6)
    with Image.open(tmp_path / "worst.png") as worst:
        assert worst.width > 100
    assert "data:image/png" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_other_data_must_have_the_same_classes(run: Path):
    with pytest.raises(UserError, match="not those that the run was trained on"):
        evaluate(Evaluate(run, data="scenes:shapes,train=1,test=1", device="cpu"))


@pytest.mark.slow
def test_pretrained_weights_bring_their_normalization_and_go_on_with_other_classes(run: Path):
    config = replace(instances(), pretrained=str(run))
    mean, std = normalization(config, 3)
    assert (mean, std) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert normalization(replace(config, pretrained=""), 3) == ([0.5] * 3, [0.5] * 3)
    net = new_net(config, {"classes": ["a", "b"], "channels": 3, "options": options_of(config)})
    trained = open_run(run, "cnn-vision", "cpu").predictor.net.state_dict()
    assert torch.equal(net.state_dict()["backbone.body.conv1.weight"], trained["backbone.body.conv1.weight"])


# ------------------------------------------------------------------------------------------ users' mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["detect", "--data", "digits"], "digits has no boxes"),
        (["detect", "--model", "yolo_resnet21"], "Did you mean 'yolo_resnet20'"),
        (["detect", "--loader.image-size", "100"], "a multiple of 32"),
        (["detect", "--valid-fraction", "1"], "--valid-fraction must be"),
        (
            ["detect", "--pretrained", "coco", "--data", "scenes:train=8,test=4"],
            "no published weights of yolo_resnet20",
        ),
    ],
)
def test_a_users_mistake_is_named_before_training(words: list[str], message: str, tmp_path: Path, capsys):
    assert vision("train", *words, "--out", tmp_path / "run", "--device", "cpu") == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_configurations_of_earlier_versions_load_under_the_names_of_today():
    old = {**to_dict(instances()), "augment": ["crop", "colour"], "normalise": "imagenet"}
    del old["normalize"]
    config = from_dict(DetectorConfig, old)
    assert config == replace(instances(), augment=("crop", "color"), normalize="imagenet")


# ------------------------------------------------------------------------------------------ killed and resumed


@pytest.mark.long
def test_a_detector_killed_and_resumed_ends_with_the_very_same_weights(tmp_path: Path):
    """Faster R-CNN, which draws proposals at random, with augmentation and moving averages."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    words = ["--trainer.steps", "8", "--trainer.checkpoint-every", "2", "--augment", "crop", "--out"]
    finish(start("detect-faster-rcnn", *TINY, *words, whole))
    process, log = start("detect-faster-rcnn", *TINY, *words, killed), killed / "metrics.jsonl"
    while process.poll() is None and (not log.exists() or log.read_text().count('"kind": "train"') < 5):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    finish(start("--resume", killed))
    ours, theirs = (load_file(run / "model.safetensors") for run in (killed, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def start(*words: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "torchworks.cnn_vision", "train", *map(str, words), "--trainer.log-every", "1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen) -> None:
    printed, _ = process.communicate(timeout=600)
    assert process.returncode == 0, printed
