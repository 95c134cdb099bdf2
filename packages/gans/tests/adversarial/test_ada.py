"""Adaptive augmentation: identity at p = 0, differentiable twice, and a controller that goes the right way."""

import pytest
import torch

from torchworks.gans import adaptive_augment
from torchworks.gans.adversarial.ada import KINDS, SYM6, Controller, _hue, blit, resample
from torchworks.shared.numbers.stream import StepRandom

IDENTITY = torch.tensor([[1.0, 0, 0], [0, 1, 0]])


def images(n: int = 4, channels: int = 3, size: int = 16) -> torch.Tensor:
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_at_probability_zero_every_image_stays_as_it_is_bit_for_bit(channels):
    x = images(16, channels)
    for step in range(5):
        assert torch.equal(adaptive_augment(x, tuple(KINDS), 0.0, StepRandom(0).at("train", step)), x)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_changes_the_share_of_images_that_was_asked_for_and_all_at_one(kind):
    x, random = images(400, 3), StepRandom(0)
    share = {
        p: (adaptive_augment(x, [kind], p, random.at("train", 0)) != x).flatten(1).any(1).float().mean().item()
        for p in (0.1, 0.5, 1.0)
    }
    single = {"blit": 3, "geometric": 4, "color": 5}[kind]  # changes of the kind
    assert share[0.1] < 1 - (1 - 0.1) ** single + 0.05
    assert 0.05 < share[0.1] < share[0.5] < share[1.0]
    assert share[1.0] > 0.97


def test_images_have_draws_of_their_own_that_follow_from_the_place_in_training_alone():
    x, random = images(1).expand(8, -1, -1, -1), StepRandom(0)
    first = adaptive_augment(x, tuple(KINDS), 1.0, random.at("train", 3))
    assert len(first.unique(dim=0)) == 8
    assert torch.equal(first, adaptive_augment(x, tuple(KINDS), 1.0, random.at("train", 3)))
    assert not torch.equal(first, adaptive_augment(x, tuple(KINDS), 1.0, random.at("train", 4)))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_pass_twice_as_penalties_on_slopes_need(kind):
    x = images(2, 3, 16).double().requires_grad_()

    def augment(given: torch.Tensor) -> torch.Tensor:
        return adaptive_augment(given.float(), [kind], 1.0, StepRandom(3).at("train", 1)).double()

    (slope,) = torch.autograd.grad(augment(x).pow(3).sum(), x, create_graph=True)
    assert torch.isfinite(slope).all()
    slope.square().sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad.any()


def test_blitting_moves_pixels_and_makes_none():
    x = images(50, 1)
    moved = blit(x, torch.tensor(1.0), StepRandom(0).at("train", 0))
    for before, after in zip(x, moved, strict=True):
        assert torch.isin(after, before).all()


def test_the_wavelet_is_orthogonal_to_itself_moved_by_two_taps():
    taps = torch.tensor(SYM6, dtype=torch.float64)
    for shift in range(6):
        product = (taps[2 * shift :] * taps[: 12 - 2 * shift]).sum().item()
        assert product == pytest.approx(1.0 if shift == 0 else 0.0, abs=1e-11)
    assert taps.sum().item() == pytest.approx(2**0.5)


def test_resampling_without_a_move_gives_back_the_image_within_the_edges():
    x = images(3)
    found = resample(x, IDENTITY.expand(3, -1, -1))
    torch.testing.assert_close(found[..., 6:-6, 6:-6], x[..., 6:-6, 6:-6], rtol=0, atol=1e-5)


def test_resampling_by_a_matrix_moves_what_is_smooth_to_where_the_matrix_says():
    side = torch.linspace(-1, 1, 33)[:-1] + 1 / 32
    y, x = torch.meshgrid(side, side, indexing="ij")
    bump = torch.exp(-((x - 0.2) ** 2 + y**2) / 0.08)[None, None]
    shifted = IDENTITY.clone()
    shifted[0, 2] = 0.25  # pixels come from the right
    found = resample(bump, shifted[None])
    wanted = torch.exp(-((x + 0.05) ** 2 + y**2) / 0.08)
    torch.testing.assert_close(found[0, 0, :, :-8], wanted[:, :-8], rtol=0, atol=0.01)  # the rest is a reflection
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0]])
    found = resample(bump, quarter[None])
    wanted = torch.exp(-((-y - 0.2) ** 2 + x**2) / 0.08)
    torch.testing.assert_close(found[0, 0, 3:-3, 3:-3], wanted[3:-3, 3:-3], rtol=0, atol=0.01)


def test_turning_the_hue_keeps_greys_and_a_third_of_a_turn_exchanges_the_colors():
    x = images(1)
    third = torch.full((1, 1, 1, 1), 2 * torch.pi / 3)
    torch.testing.assert_close(_hue(x, third), x.roll(1, 1), rtol=1e-5, atol=1e-5)
    grey = x[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(_hue(grey, third), grey)


def test_half_precision_around_it_changes_nothing():
    x, random = images(8), StepRandom(0)
    with torch.autocast("cpu", torch.bfloat16):
        rough = adaptive_augment(x, tuple(KINDS), 1.0, random.at("train", 3))
    assert torch.equal(rough, adaptive_augment(x, tuple(KINDS), 1.0, random.at("train", 3)))


# ---- the controller --------------------------------------------------------------------------------------


def observed(control: Controller, sign: float, steps: range, batch: int = 10) -> Controller:
    for step in steps:
        control.observe(step, torch.full((batch,), sign))
    return control


def test_probability_rises_where_the_discriminator_is_sure_of_training_images_and_falls_where_it_is_not():
    control = observed(Controller(target=0.6, every=4, images=1000), 5.0, range(41))
    assert control.p.item() == pytest.approx(0.4)  # 400 of 1,000 images
    observed(control, -5.0, range(41, 61))
    assert control.p.item() == pytest.approx(0.2)


def test_probability_stays_within_zero_and_one_and_where_it_is_without_a_target():
    assert observed(Controller(images=50), 1.0, range(41)).p == 1
    assert observed(Controller(images=50), -1.0, range(41)).p == 0
    assert observed(Controller(0.3, target=0.0), 1.0, range(41)).p.item() == pytest.approx(0.3)


def test_micro_batches_of_a_step_count_as_one_batch():
    whole, parts = Controller(images=100), Controller(images=100)
    for step in range(9):
        logits = torch.tensor([1.0, 2.0, -1.0, 3.0])
        whole.observe(step, logits)
        for part in logits.split(1):
            parts.observe(step, part)
    assert whole.state_dict() == parts.state_dict()
    assert whole.p.item() == 0  # 0.5 is below the target


def test_a_resumed_controller_goes_on_exactly():
    whole, first = Controller(images=77), Controller(images=77)
    observed(whole, 1.0, range(30), batch=3)
    observed(first, 1.0, range(17), batch=3)
    second = Controller(images=77)
    second.load_state_dict(first.state_dict())
    assert observed(second, 1.0, range(17, 30), batch=3).state_dict() == whole.state_dict()
