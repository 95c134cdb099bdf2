"""Trainings through the command line, killed and resumed."""

import json

import pytest

from torchworks.shared.testing_runs import killed_and_resumed

TRAIN = [
    "-m", "torchworks.hybrid_multimodal", "train", "recommend", "--device", "cpu", "--precision", "fp32",
    "--trainer.log-every", "1", "--trainer.steps", "40", "--trainer.batch-size", "32", "--trainer.eval-every", "15",
    "--trainer.checkpoint-every", "4", "--embed-dim", "16",
]  # fmt: skip


@pytest.mark.slow
def test_recommend_killed_and_resumed_ends_with_the_very_same_weights_and_scores(tmp_path):
    """With dropout of the inputs."""
    killed, whole = killed_and_resumed(TRAIN, tmp_path)
    scores = [json.loads((run / "result.json").read_text())["ndcg_at_10"] for run in (killed, whole)]
    assert scores[0] == scores[1]


DETR = [
    "-m", "torchworks.hybrid_multimodal", "train", "detr", "--device", "cpu", "--precision", "fp32",
    "--data", "digit-scenes:train=40,test=4", "--trainer.log-every", "1", "--trainer.steps", "30",
    "--trainer.batch-size", "4", "--trainer.eval-every", "12", "--trainer.checkpoint-every", "4", "--loader.image-size",
    "32", "--net.widths", "8", "16", "--net.width", "16", "--net.num-heads", "2", "--net.hidden", "16",
]  # fmt: skip


@pytest.mark.long
def test_detr_killed_and_resumed_ends_with_the_very_same_weights_and_scores(tmp_path):
    """With moved images and noised boxes, which are drawn anew in each step."""
    killed, whole = killed_and_resumed(DETR, tmp_path)
    scores = [json.loads((run / "result.json").read_text())["map"] for run in (killed, whole)]
    assert scores[0] == scores[1]
