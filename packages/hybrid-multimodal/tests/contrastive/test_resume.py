"""CLIP killed and resumed, and trained by two processes whose batch is one."""

import pytest
import torch
from safetensors.torch import load_file

from torchworks.shared.testing_runs import BETWEEN_TWO, finish, killed_and_resumed, start
from torchworks.shared.training.metrics import read_lines

TRAIN = [
    "-m", "torchworks.hybrid_multimodal", "train", "clip", "--data", "digit-scenes:train=120,test=8",
    "--device", "cpu", "--precision", "fp32", "--trainer.log-every", "1", "--loader.image-size", "32",
    "--net.widths", "8", "16", "--net.blocks", "1", "--net.embed-dim", "16", "--net.text-width", "16",
    "--net.text-depth", "1", "--net.num-heads", "2", "--hard-negatives", "2", "--valid-fraction", "0.2",
]  # fmt: skip


@pytest.mark.slow
def test_clip_killed_and_resumed_ends_with_the_very_same_weights(tmp_path):
    options = ("--trainer.batch-size", "16", "--trainer.steps", "40", "--trainer.checkpoint-every", "4")
    killed_and_resumed([*TRAIN, *options], tmp_path)


@pytest.mark.slow
def test_two_processes_train_clip_like_one_with_the_whole_batch(tmp_path):
    """Each image is told from the captions of both processes, and their wrong ones."""
    common = [*TRAIN, "--trainer.steps", "6", "--optim.schedule", "constant", "--optim.lr", "1e-3"]
    finish(start(*common, "--trainer.batch-size", 8, "--out", tmp_path / "two", launcher=BETWEEN_TWO))
    finish(start(*common, "--trainer.batch-size", 16, "--out", tmp_path / "one"))
    one, two = (read_lines(tmp_path / name / "metrics.jsonl") for name in ("one", "two"))
    losses, theirs = ([line["train/loss"] for line in lines if line["kind"] == "train"] for lines in (one, two))
    assert len(losses) == 6
    assert losses == pytest.approx(theirs, rel=1e-5)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    apart = torch.cat([(one[name] - two[name]).flatten() for name in one]).norm()
    assert apart < 1e-3 * 6 * 1e-3 * sum(value.numel() for value in one.values()) ** 0.5  # of what six steps can move
