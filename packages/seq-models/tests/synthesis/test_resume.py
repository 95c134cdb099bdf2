"""A model that speaks through the command line, killed and resumed."""

import pytest

from torchworks.shared.testing_runs import killed_and_resumed

TRAIN = [
    "-m", "torchworks.seq_models", "train", "speak", "--device", "cpu", "--precision", "fp32",
    "--data", "sentences:train=12,test=3", "--trainer.log-every", "1", "--trainer.steps", "40",
    "--trainer.batch-size", "4", "--trainer.eval-every", "15", "--trainer.checkpoint-every", "4", "--heard", "0",
    "--net.embed-dim", "16", "--net.filter-dim", "16", "--net.hidden-dim", "16", "--net.depth", "1",
    "--iterations", "2", "--pictured", "1",
]  # fmt: skip


@pytest.mark.long
def test_a_model_that_speaks_killed_and_resumed_ends_with_the_very_same_weights_and_sound(tmp_path):
    """With dropout, and sentences said between steps."""
    killed, whole = killed_and_resumed(TRAIN, tmp_path)
    sounds = [(run / "samples" / "sentence-1-00000040.wav").read_bytes() for run in (killed, whole)]
    assert sounds[0] == sounds[1]
