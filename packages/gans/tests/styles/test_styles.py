"""The training of StyleGAN2: lazy phases, penalties as in the papers, and a resume that changes nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from torchworks.gans import StyleGAN2Discriminator, StyleGAN2Generator, StyleGAN2Task
from torchworks.gans.adversarial.config import AdaConfig, AdversarialConfig
from torchworks.gans.styles.config import StyleConfig
from torchworks.gans.styles.recipes import stylegan2
from torchworks.gans.styles.task import path_lengths
from torchworks.shared.config import TrainerConfig, UserError
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.training.checkpoint import Checkpoint, load, path_of, steps
from torchworks.shared.training.trainer import Trainer

SMALL = {"width": 4, "max_channels": 8}


def task(ada: AdaConfig | None = None, style: StyleConfig | None = None, **options) -> StyleGAN2Task:
    torch.manual_seed(0)
    made = StyleGAN2Task(
        StyleGAN2Generator(16, 1, latent_dim=6, style_dim=8, mapping_layers=2, **SMALL),
        StyleGAN2Discriminator(16, 1, **SMALL),
        AdversarialConfig(**{"loss": "non-saturating", "r1": 0.5, "betas": (0.0, 0.99), **options}),
        style=style or StyleConfig(),
        ada=ada or AdaConfig(p=0.5),
        lr=2.5e-3,
    )
    made.random = StepRandom(0)
    return made


def images(n: int = 8) -> torch.Tensor:
    return torch.randn(n, 1, 16, 16, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)


def test_phases_are_those_of_the_paper_and_leave_out_what_has_no_weight():
    found = [(phase.name, phase.net, phase.every) for phase in task().phases]
    assert found == [
        ("d", "discriminator", 1), ("r1", "discriminator", 16), ("g", "generator", 1), ("pl", "generator", 8),
    ]  # fmt: skip
    assert [phase.name for phase in task(style=StyleConfig(path_weight=0.0), r1=0.0).phases] == ["d", "g"]


def test_adam_is_slowed_for_the_steps_that_are_done_besides():
    found = {net: task().optimizer(net).param_groups[0] for net in ("discriminator", "generator")}
    assert found["discriminator"]["lr"] == pytest.approx(2.5e-3 * 16 / 17)
    assert found["discriminator"]["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert found["generator"]["lr"] == pytest.approx(2.5e-3 * 8 / 9)
    plain = task(style=StyleConfig(path_weight=0.0)).optimizer("generator").param_groups[0]
    assert plain["betas"] == (0.0, 0.99)


@pytest.mark.parametrize("phase", ["d", "r1", "g", "pl"])
def test_every_phase_trains_its_net_and_no_other(phase):
    made = task()
    trained = made.nets()[next(each.net for each in made.phases if each.name == phase)]
    made.random.at("train", 0, phase)
    out = made.loss(phase, {"image": images()})
    gradients = torch.autograd.grad(out.loss, list(trained.parameters()), allow_unused=True, retain_graph=True)
    assert sum(gradient is not None and bool(gradient.any()) for gradient in gradients) > 3
    assert all(torch.isfinite(value).all() for value in out.logs.values())
    if phase != "g":
        other = next(net for net in made.nets().values() if net is not trained)
        with pytest.raises(RuntimeError):
            torch.autograd.grad(out.loss, list(other.parameters()))


def test_the_penalty_on_slopes_is_counted_for_the_steps_without_it():
    made = task(AdaConfig(p=0.0), r1=3.0)
    made.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(256, 1), nn.Flatten(0))
    expected = 16 * 1.5 * made.discriminator[1].weight.square().sum()  # of a linear net the slope is its weights
    torch.testing.assert_close(made.loss("r1", {"image": images()}).loss, expected)


def test_path_lengths_are_the_norms_of_the_jacobian_times_the_noise():
    torch.manual_seed(0)
    weight, styles = torch.randn(2 * 5, 16), torch.randn(3, 2, 5, requires_grad=True)
    made = (styles.flatten(1) @ weight).view(3, 1, 4, 4)
    noise = torch.randn(3, 1, 4, 4)
    slopes = (noise.flatten(1) / 4 @ weight.T).view(3, 2, 5)  # Jᵀy of each layer, y / √16
    expected = slopes.square().sum(2).mean(1).sqrt()
    torch.testing.assert_close(path_lengths(made, styles, noise), expected)


def test_the_mean_path_length_moves_by_a_hundredth_at_each_penalty():
    made = task()
    made.random.at("train", 0, "pl")
    out = made.loss("pl", {"image": images()})
    torch.testing.assert_close(made.path_mean, out.logs["path"] * 0.01)


def test_real_and_generated_images_pass_the_discriminator_apart_and_augmented_alike():
    made, seen = task(), []
    made.discriminator.register_forward_hook(lambda module, given, out: seen.append(len(out)))
    made.random.at("train", 0, "d")
    made.loss("d", {"image": images()})
    assert seen == [8, 8]


def test_probability_of_augmentation_follows_the_discriminator():
    made = task(AdaConfig(images=80, every=1))
    with torch.no_grad():
        made.discriminator.head.bias.fill_(100.0)  # sure that everything is real
    for step in range(6):
        made.step = step
        made.random.at("train", step, "d")
        out = made.loss("d", {"image": images()})
    assert out.logs["p"].item() == pytest.approx(0.5)  # 5 changes of 8 / 80
    assert out.logs["sign"].item() == 1


def test_state_outside_the_nets_is_restored_exactly():
    made, other = task(), task()
    for step, phase in enumerate(("d", "pl", "d", "pl")):
        made.step = step
        made.random.at("train", step, phase)
        made.loss(phase, {"image": images()})
    other.load_state_dict(made.state_dict())
    assert other.state_dict() == made.state_dict()
    assert torch.equal(other.path_mean, made.path_mean)
    assert made.path_mean > 0


def test_a_short_training_tracks_the_mean_of_w_and_its_average():
    made = task(AdaConfig(images=50))
    settings = TrainerConfig(steps=10, batch_size=8, device="cpu", precision="fp32", ema=0.5)
    result = Trainer(made, [{"image": images()}] * 10, None, settings).fit()
    assert result.steps == 10
    assert made.generator.mapping.mean.any()
    assert torch.isfinite(made.generator(torch.randn(2, 6))).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"loss": "relativistic"}, "--adversarial.loss is relativistic"), ({"r2": 1.0}, "leave out --adversarial.r2")],
)
def test_games_that_do_not_fit_are_refused(options, words):
    config = stylegan2()
    with pytest.raises(UserError, match=words):
        replace(config, adversarial=replace(config.adversarial, **options))


def test_compiled_nets_are_refused_where_they_are_differentiated_twice():
    config = stylegan2()
    plain = replace(config, adversarial=replace(config.adversarial, r1=0.0))
    with pytest.raises(UserError, match=r"--style\.path-weight 0"):
        replace(plain, trainer=replace(plain.trainer, compile=True))


def trained(made: StyleGAN2Task, folder: Path, steps: int, resume: Checkpoint | None = None) -> Checkpoint:
    """The last checkpoint of a training of `steps` steps."""
    settings = TrainerConfig(steps=steps, batch_size=8, device="cpu", precision="fp32", ema=0.5)
    Trainer(made, [{"image": images()}] * 20, None, settings, folder=folder).fit(resume)
    return load(path_of(folder / "checkpoints", steps))


def test_a_training_that_is_resumed_ends_like_a_whole_one_bit_for_bit(tmp_path):
    lazy = {"ada": AdaConfig(p=0.3, images=200, every=2), "style": StyleConfig(r1_every=3, path_every=2)}
    whole = trained(task(**lazy), tmp_path / "whole", 9)
    half = trained(task(**lazy), tmp_path / "half", 5)
    resumed = trained(task(**lazy), tmp_path / "resumed", 9, half)
    assert whole.state["task"] == resumed.state["task"] != half.state["task"]
    assert whole.state["task"]["ada"]["p"] not in (0.0, 0.3, 1.0)
    assert whole.state["task"]["path_mean"] > 0
    for name, net in whole.nets.items():
        assert all(torch.equal(value, resumed.nets[name][key]) for key, value in net.items()), name
    assert whole.nets["generator.ema"]["mapping.mean"].any()


@pytest.mark.slow
@pytest.mark.parametrize("size", [16, pytest.param(64, marks=pytest.mark.long)])
def test_a_killed_run_with_augmentation_ends_like_a_whole_one_bit_for_bit(tmp_path, size):
    words = [
        "train", "stylegan2", "--trainer.steps", "40", "--trainer.log-every", "1", "--trainer.checkpoint-every", "5",
        "--trainer.batch-size", "8", "--trainer.eval-every", "20", "--ada.images", "2000", "--ada.p", "0.3",
        "--net.width", "4", "--net.discriminator-width", "4", "--net.max-channels", "8", "--device", "cpu",
        "--precision", "fp32", "--loader.image-size", str(size),
    ]  # fmt: skip
    runs = killed_and_resumed(["-m", "torchworks.gans", *words], tmp_path)
    killed, whole = (load(path_of(run / "checkpoints", steps(run / "checkpoints")[-1])) for run in runs)
    assert killed.state["task"]["ada"] == whole.state["task"]["ada"]
    assert killed.state["task"]["ada"]["p"] not in (0.0, 0.3, 1.0)
    assert killed.state["task"]["path_mean"] == whole.state["task"]["path_mean"] > 0
    for name in ("generator", "generator.ema", "discriminator"):
        assert all(torch.equal(killed.nets[name][key], value) for key, value in whole.nets[name].items())
    assert whole.nets["generator"]["mapping.mean"].any()
