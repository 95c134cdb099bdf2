"""The training of WGAN-GP: the penalty as in the paper, clipped weights, a resume that changes nothing; the picture."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from torchworks.gans import DCGANGenerator, WGANCritic, WGANTask, gradient_penalty
from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.commands import COMMANDS
from torchworks.gans.wasserstein.config import WassersteinConfig
from torchworks.gans.wasserstein.recipes import wgan_gp
from torchworks.gans.wasserstein.toy import POINTS, train_critic
from torchworks.shared.cli import main
from torchworks.shared.config import TrainerConfig, UserError
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.training.checkpoint import Checkpoint, load, path_of
from torchworks.shared.training.trainer import Trainer


def task(**bounds) -> WGANTask:
    torch.manual_seed(0)
    made = WGANTask(
        DCGANGenerator(16, 1, latent_dim=6, width=4, max_channels=8, kernel_size=4),
        WGANCritic(16, 1, width=4, max_channels=8, kernel_size=4),
        AdversarialConfig(loss="wasserstein", discriminator_steps=2),
        wasserstein=WassersteinConfig(**bounds),
        latent_dim=6,
        lr=1e-3,
    )
    made.random = StepRandom(0)
    return made


def images(n: int = 8) -> torch.Tensor:
    return torch.randn(n, 1, 16, 16, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)


def test_the_penalty_is_that_of_the_slope_between_real_and_generated_images():
    torch.manual_seed(0)
    critic, real, fake, mix = (
        WGANCritic(16, 1, width=4),
        torch.randn(3, 1, 16, 16),
        torch.randn(3, 1, 16, 16),
        torch.rand(3),
    )
    penalty, slopes = gradient_penalty(critic, real, fake, mix)
    for row in range(3):
        between = (mix[row] * real[row] + (1 - mix[row]) * fake[row])[None].requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between)
        torch.testing.assert_close(slopes[row], slope.norm())
        torch.testing.assert_close(penalty[row], (slope.norm() - 1) ** 2)


def test_the_penalty_of_a_linear_critic_trains_its_weights_to_length_one():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(5, 1, bias=False), nn.Flatten(0))
    weight = critic[1].weight
    penalty, slopes = gradient_penalty(critic, torch.randn(4, 5), torch.randn(4, 5), torch.rand(4))
    torch.testing.assert_close(slopes, weight.norm().expand(4))
    penalty.mean().backward()
    torch.testing.assert_close(weight.grad, 2 * (weight.norm() - 1) * weight.detach() / weight.detach().norm())


def test_a_critic_without_any_slope_still_has_a_gradient_that_is_finite():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(5, 1), nn.Flatten(0))
    nn.init.zeros_(critic[1].weight)
    penalty, _ = gradient_penalty(critic, torch.randn(4, 5), torch.randn(4, 5), torch.rand(4))
    penalty.mean().backward()
    assert torch.isfinite(critic[1].weight.grad).all()


def test_the_critics_loss_is_minus_the_distance_and_lambda_times_the_penalty():
    free, bound = task(penalty=1e-9), task(penalty=4.0)
    a, b = (made.loss("d", {"image": images()}) for made in (free, bound))
    torch.testing.assert_close(a.loss, -a.logs["distance"])
    torch.testing.assert_close(b.logs["distance"], b.logs["real"] - b.logs["fake"])
    assert b.loss > a.loss
    assert b.logs["slope"] > 0
    with pytest.raises(RuntimeError):  # the generator takes no part
        torch.autograd.grad(b.loss, list(bound.generator.parameters()))


def test_clipped_weights_stay_within_their_limit_and_the_generators_are_left_alone():
    made = task(penalty=0.0, clip=0.01)
    settings = TrainerConfig(steps=2, batch_size=8, device="cpu", precision="fp32")
    Trainer(made, [{"image": images()}] * 8, None, settings).fit()
    assert max(parameter.abs().max() for parameter in made.discriminator.parameters()) <= 0.01
    assert max(parameter.abs().max() for parameter in made.generator.parameters()) > 0.5
    assert "slope" not in made.loss("d", {"image": images()}).logs


@pytest.mark.parametrize(
    ("group", "options", "words"),
    [
        ("wasserstein", {"clip": 0.01}, "both are set"),
        ("wasserstein", {"penalty": 0.0}, "neither is"),
        ("adversarial", {"loss": "hinge"}, "leave out --adversarial.loss"),
        ("adversarial", {"r1": 1.0}, "leave out --adversarial.loss"),
        ("trainer", {"compile": True}, "Leave out --trainer.compile"),
    ],
)
def test_games_that_estimate_no_distance_are_refused(group, options, words):
    config = wgan_gp()
    with pytest.raises(UserError, match=words):
        replace(config, **{group: replace(getattr(config, group), **options)})


def trained(made: WGANTask, folder: Path, steps: int, resume: Checkpoint | None = None) -> Checkpoint:
    """The last checkpoint of a training of `steps` steps."""
    settings = TrainerConfig(steps=steps, batch_size=8, device="cpu", precision="fp32", ema=0.5)
    Trainer(made, [{"image": images()}] * 20, None, settings, folder=folder).fit(resume)
    return load(path_of(folder / "checkpoints", steps))


@pytest.mark.parametrize("bounds", [{}, {"penalty": 0.0, "clip": 0.02}])
def test_a_training_that_is_resumed_ends_like_a_whole_one_bit_for_bit(bounds, tmp_path):
    whole = trained(task(**bounds), tmp_path / "whole", 4)
    half = trained(task(**bounds), tmp_path / "half", 2)
    resumed = trained(task(**bounds), tmp_path / "resumed", 4, half)
    for name, net in whole.nets.items():
        assert all(torch.equal(value, resumed.nets[name][key]) for key, value in net.items()), name
    assert any(not torch.equal(value, half.nets["generator"][key]) for key, value in whole.nets["generator"].items())


@pytest.mark.long
def test_a_killed_run_ends_like_a_whole_one_bit_for_bit(tmp_path):
    words = [
        "train", "wgan-gp", "--trainer.steps", "40", "--trainer.log-every", "1", "--trainer.checkpoint-every", "5",
        "--trainer.batch-size", "24", "--trainer.eval-every", "20", "--device", "cpu", "--precision", "fp32",
    ]  # fmt: skip
    killed_and_resumed(["-m", "torchworks.gans", *words], tmp_path)


# ---- critics in the plane --------------------------------------------------------------------------------


@pytest.mark.parametrize("points", POINTS)
def test_points_in_the_plane_are_those_of_a_seed_and_lie_within_the_picture(points):
    draw, noise = POINTS[points]
    first, again = (draw(500, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == (500, 2)
    assert first.abs().max() < 2.4
    assert noise > 0


def test_clipping_lets_gradients_explode_or_vanish_with_depth_and_the_penalty_does_neither():
    def ratio(clip):
        gradients = train_critic("8-gaussians", clip=clip, steps=40, seed=0).gradients
        return gradients[0] / gradients[-1]

    assert ratio(0.3) > 100
    assert ratio(0.01) < 0.01
    assert 0.01 < ratio(None) < 100


def test_the_command_draws_and_refuses_what_makes_no_sense(tmp_path, capsys):
    def gans(*words):
        return main("gans", default="dcgan", commands=COMMANDS, arguments=[str(word) for word in words])

    picture = tmp_path / "critics.png"
    assert gans("critics", "--out", picture, "--steps", 2, "--clips", 0.1) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == str(picture)
    assert "weights clipped to ±0.1" in out
    with Image.open(picture) as image:
        assert min(image.size) > 300
    for words, told in (
        (["--out", picture], "exists already"),
        (["--out", tmp_path / "a.png", "--clips", -1], "each limit must be above 0"),
        (["--out", tmp_path / "a.png", "--steps", 0], "--steps is 0"),
    ):
        assert gans("critics", *words) == 2
        assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "a.png").exists()
