"""A language model through the command line, killed and resumed."""

import pytest

from torchworks.shared.testing_runs import killed_and_resumed

TRAIN = [
    "-m", "torchworks.seq_models", "train", "lm", "--device", "cpu", "--precision", "fp32",
    "--trainer.log-every", "1", "--trainer.steps", "40", "--trainer.batch-size", "4", "--trainer.eval-every", "15",
    "--trainer.checkpoint-every", "4", "--context", "32", "--net.depth", "1", "--net.embed-dim", "32",
    "--net.drop-rate", "0.1", "--sample-length", "20", "--trainer.ema", "0.9",
]  # fmt: skip


@pytest.mark.slow
def test_a_language_model_killed_and_resumed_ends_with_the_very_same_weights(tmp_path):
    """With dropout, Muon, averaged weights, and samples drawn between steps."""
    killed, whole = killed_and_resumed(TRAIN, tmp_path)
    samples = [(run / "samples" / "sample-00000040.txt").read_text() for run in (killed, whole)]
    assert samples[0] == samples[1]


@pytest.mark.slow
def test_a_recogniser_killed_and_resumed_ends_with_the_very_same_weights(tmp_path):
    """With dropout, and sounds that are made faster, higher and noisier between steps."""
    train = [
        "-m", "torchworks.seq_models", "train", "recognise", "--device", "cpu", "--precision", "fp32",
        "--data", "spoken:train=40,test=6,longest=2", "--trainer.log-every", "1", "--trainer.steps", "24",
        "--trainer.batch-size", "4", "--trainer.eval-every", "10", "--trainer.checkpoint-every", "4",
        "--net.hidden-dim", "16", "--net.channels", "8", "8", "--net.depth", "1",
    ]  # fmt: skip
    killed, whole = killed_and_resumed(train, tmp_path)
    transcripts = [sorted((run / "samples").glob("transcripts-*"))[-1].read_text() for run in (killed, whole)]
    assert transcripts[0] == transcripts[1]
