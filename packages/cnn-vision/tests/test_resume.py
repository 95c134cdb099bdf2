"""A classifier through the command line: killed and resumed, and trained by two processes."""

import pytest
import torch
from safetensors.torch import load_file

from torchworks.cnn_vision import create_model
from torchworks.shared.testing_runs import BETWEEN_TWO, finish, killed_and_resumed, start
from torchworks.shared.training.metrics import read_lines

TRAIN = [
    "-m", "torchworks.cnn_vision", "train", "classify",
    "--device", "cpu", "--precision", "fp32", "--trainer.log-every", "1",
]  # fmt: skip
CLASSIFIER = [
    "--model", "resnet20", "--shots", "20", "--augment", "shift", "affine", "randaugment", "--mixing", "cutmix",
    "--valid-fraction", "0.2", "--trainer.batch-size", "16", "--trainer.steps", "40",
    "--trainer.eval-every", "15", "--trainer.checkpoint-every", "4",
]  # fmt: skip


@pytest.mark.slow
def test_a_classifier_killed_and_resumed_ends_with_the_very_same_weights(tmp_path):
    killed_and_resumed((*TRAIN, *CLASSIFIER), tmp_path)


@pytest.mark.slow
def test_two_processes_train_a_classifier_like_one_with_the_doubled_batch(tmp_path):
    """A net without batch norm, which would normalise each process's part of the batch by itself. Adam divides
    gradients by their size, so weights whose gradients are next to nothing may differ by more than rounding."""
    common = [
        "--model", "vit_b_16", "--trainer.steps", "6", "--trainer.ema", "0", "--augment", "shift",
        "--loader.image-size", "8", "--optim.schedule", "constant", "--optim.lr", "1e-3",
    ]  # fmt: skip
    common = (*TRAIN, *common)
    finish(start(*common, "--trainer.batch-size", 8, "--out", tmp_path / "two", launcher=BETWEEN_TWO))
    finish(start(*common, "--trainer.batch-size", 16, "--out", tmp_path / "one"))
    one, two = (read_lines(tmp_path / name / "metrics.jsonl") for name in ("one", "two"))
    losses, theirs = ([line["train/loss"] for line in lines if line["kind"] == "train"] for lines in (one, two))
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert losses == pytest.approx(theirs, rel=1e-5)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    moved, apart = (torch.cat([value.flatten() for value in values]).norm() for values in (
        [one[name] - value for name, value in untrained().items()], [one[name] - two[name] for name in one],
    ))  # fmt: skip
    assert apart < 1e-3 * moved


def untrained():
    torch.manual_seed(0)
    return create_model("vit_b_16", num_classes=10, in_channels=1, small_images=True).state_dict()
