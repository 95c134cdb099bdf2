"""The training of BigGAN: the orthogonal penalty is the generator's alone, and a resume changes nothing."""

import math
from pathlib import Path

import pytest
import torch

from torchworks.gans import BigGANDiscriminator, BigGANGenerator, BigGANTask
from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.models.biggan import orthogonal_penalty
from torchworks.gans.noise.sample import within
from torchworks.shared.config import TrainerConfig
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.training.checkpoint import Checkpoint, load, path_of
from torchworks.shared.training.trainer import Trainer


def task(orthogonal: float = 1e-2) -> BigGANTask:
    torch.manual_seed(0)
    small = {"width": 4, "max_channels": 8, "attention": 8}
    made = BigGANTask(
        BigGANGenerator(3, 16, 1, latent_dim=6, embed_dim=4, **small),
        BigGANDiscriminator(3, 16, 1, **small),
        AdversarialConfig(),
        orthogonal=orthogonal,
        latent_dim=6,
        num_classes=3,
        lr=1e-3,
    )
    made.random = StepRandom(0)
    return made


def batch(n: int = 8) -> dict[str, torch.Tensor]:
    x = torch.randn(n, 1, 16, 16, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)
    return {"image": x, "label": torch.arange(n) % 3}


def test_the_generator_minimizes_the_orthogonal_penalty_besides():
    free, bound = task(0.0), task(0.25)
    penalty = orthogonal_penalty(bound.generator).detach()
    a, b = (made.loss("g", batch()) for made in (free, bound))
    torch.testing.assert_close(b.loss, a.loss + 0.25 * penalty)
    torch.testing.assert_close(b.logs["orthogonal"], penalty)
    assert "orthogonal" not in a.logs
    assert "orthogonal" not in task().loss("d", batch()).logs


def test_a_threshold_cuts_the_normal_distribution_off_and_keeps_the_order_of_images():
    z = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0))
    cut = within(z, 0.7)
    assert cut.abs().max() <= 0.7
    assert torch.equal(cut.flatten().argsort(stable=True), z.flatten().argsort(stable=True))
    kept = z[z.abs() <= 0.7]  # as if numbers beyond were drawn again
    assert cut.std().item() == pytest.approx(kept.std().item(), rel=0.02)
    assert torch.equal(within(z, math.inf), z)


def trained(made: BigGANTask, folder: Path, steps: int, resume: Checkpoint | None = None) -> Checkpoint:
    """The last checkpoint of a training of `steps` steps."""
    settings = TrainerConfig(steps=steps, batch_size=8, device="cpu", precision="fp32", ema=0.5)
    Trainer(made, [batch()] * 20, None, settings, folder=folder).fit(resume)
    return load(path_of(folder / "checkpoints", steps))


def test_a_training_that_is_resumed_ends_like_a_whole_one_bit_for_bit(tmp_path):
    whole = trained(task(), tmp_path / "whole", 4)
    half = trained(task(), tmp_path / "half", 2)
    resumed = trained(task(), tmp_path / "resumed", 4, half)
    for name, net in whole.nets.items():
        assert all(torch.equal(value, resumed.nets[name][key]) for key, value in net.items()), name


@pytest.mark.long
def test_a_killed_run_ends_like_a_whole_one_bit_for_bit(tmp_path):
    words = [
        "train", "biggan", "--trainer.steps", "40", "--trainer.log-every", "1", "--trainer.checkpoint-every", "5",
        "--trainer.batch-size", "24", "--trainer.eval-every", "20", "--device", "cpu", "--precision", "fp32",
    ]  # fmt: skip
    killed_and_resumed(["-m", "torchworks.gans", *words], tmp_path)
