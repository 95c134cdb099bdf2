"""A bucketed classifier through the command line: killed and resumed, and trained by two processes."""

import pytest
from safetensors.torch import load_file

from torchworks.shared.testing_runs import BETWEEN_TWO, finish, killed_and_resumed, start
from torchworks.shared.training.metrics import read_lines

TRAIN = [
    "-m", "torchworks.seq_models", "train", "classify-text", "--data", "reviews:pairs=200,test_pairs=20",
    "--device", "cpu", "--precision", "fp32", "--trainer.log-every", "1", "--trainer.batch-size", "16",
    "--trainer.steps", "40", "--trainer.eval-every", "15", "--trainer.checkpoint-every", "4",
    "--net.embed-dim", "8", "--net.filters", "8",
]  # fmt: skip


@pytest.mark.long
def test_a_bucketed_classifier_killed_and_resumed_ends_with_the_very_same_weights(tmp_path):
    killed, whole = killed_and_resumed(TRAIN, tmp_path)
    configs = [(run / "model.json").read_text() for run in (killed, whole)]
    assert configs[0] == configs[1]


@pytest.mark.long
def test_two_processes_train_a_bucketed_classifier_like_one_with_the_doubled_batch(tmp_path):
    """Tokens are hidden by the number of the row, whichever process has it; dropout is each process's own, so there is
    none. Their halves of a batch are padded to lengths of their own, which changes the rounding."""
    common = [*TRAIN, "--net.drop-rate", "0", "--trainer.steps", "12", "--optim.schedule", "constant"]
    finish(start(*common, "--trainer.batch-size", 8, "--out", tmp_path / "two", launcher=BETWEEN_TWO))
    finish(start(*common, "--trainer.batch-size", 16, "--out", tmp_path / "one"))
    lines = [read_lines(tmp_path / name / "metrics.jsonl") for name in ("one", "two")]
    losses, theirs = ([line["train/loss"] for line in each if line["kind"] == "train"] for each in lines)
    assert len(losses) == 12
    assert losses == pytest.approx(theirs, rel=1e-5)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    apart, size = (sum(each.norm() for each in pair) for pair in ([one[k] - two[k] for k in one], [*one.values()]))
    assert apart < 1e-4 * size
