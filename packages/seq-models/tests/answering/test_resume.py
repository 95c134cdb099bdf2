"""A model that writes answers, through the command line: killed and resumed."""

import pytest

from torchworks.shared.testing_runs import killed_and_resumed

TRAIN = [
    "-m", "torchworks.seq_models", "train", "answer-generated", "--data", "facts:train=200,test=10",
    "--device", "cpu", "--precision", "fp32", "--trainer.log-every", "1", "--trainer.batch-size", "8",
    "--trainer.steps", "40", "--trainer.eval-every", "15", "--trainer.checkpoint-every", "4", "--trainer.ema", "0.9",
    "--net.depth", "1", "--net.embed-dim", "16", "--net.num-heads", "2", "--net.ff-dim", "24", "--net.drop-rate", "0.1",
    "--vocabulary", "300",
]  # fmt: skip


@pytest.mark.long
def test_a_writer_killed_and_resumed_ends_with_the_very_same_weights_and_samples(tmp_path):
    """With dropout, averaged weights, batches by length, and answers written between steps."""
    killed, whole = killed_and_resumed(TRAIN, tmp_path)
    samples = [(run / "samples" / "sample-00000040.txt").read_text() for run in (killed, whole)]
    assert samples[0] == samples[1]
