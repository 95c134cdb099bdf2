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
