"""Differentiable augmentation: what it changes, that gradients pass, that rows keep their draws."""

import pytest
import torch

from torchworks.gans.adversarial.diffaugment import POLICIES, diff_augment
from torchworks.shared.numbers.stream import StepRandom

ALL = tuple(POLICIES)


def images(n: int = 8, channels: int = 3, size: int = 16) -> torch.Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_no_policy_gives_the_same_images():
    x = images()
    assert diff_augment(x, (), StepRandom(0)) is x


@pytest.mark.parametrize("policy", ALL)
def test_gradients_pass_through_every_policy(policy):
    x = images(3, 2, 8).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: diff_augment(y, (policy,), StepRandom(1)), x, fast_mode=True)


@pytest.mark.parametrize("policy", ALL)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_policy_changes_images_and_keeps_shape_and_dtype(policy, channels):
    x = images(channels=channels)
    y = diff_augment(x, (policy,), StepRandom(2))
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert not torch.equal(x, y)
    assert diff_augment(x.bfloat16(), (policy,), StepRandom(2)).dtype == torch.bfloat16


def test_translation_moves_whole_images_by_up_to_an_eighth_and_zeros_come_in():
    x = images(200, 1)
    moved = diff_augment(x, ("translation",), StepRandom(3))
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2))
    seen = set()
    for before, after in zip(padded, moved, strict=True):
        places = [(i, j) for i in range(5) for j in range(5) if torch.equal(before[:, i : i + 16, j : j + 16], after)]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) == 25


def test_cutout_blanks_one_square_of_at_most_half_the_size():
    blank = diff_augment(torch.ones(300, 1, 16, 16), ("cutout",), StepRandom(4))[:, 0] == 0
    heights, widths = blank.any(2).sum(1), blank.any(1).sum(1)
    assert torch.equal(blank.sum((1, 2)), heights * widths)  # a full rectangle
    assert heights.max() == widths.max() == 8
    assert heights.min() == widths.min() == 4  # centred on the border


def test_color_keeps_grey_images_grey_and_their_pattern():
    grey = images(4, 1).expand(-1, 3, -1, -1)
    changed = diff_augment(grey, ("color",), StepRandom(5))
    torch.testing.assert_close(changed[:, 0], changed[:, 2])
    slope = (changed - changed.mean((1, 2, 3), keepdim=True)) / (grey - grey.mean((1, 2, 3), keepdim=True))
    torch.testing.assert_close(slope.amin((1, 2, 3)), slope.amax((1, 2, 3)), rtol=1e-3, atol=1e-3)
    assert ((slope > 0.49) & (slope < 1.51)).all()


@pytest.mark.parametrize("policy", ALL)
def test_a_row_is_changed_alike_in_a_whole_batch_and_in_micro_batches(policy):
    x = images(8)
    whole = diff_augment(x, (policy,), StepRandom(6).at("train", 0, "d", rows=8, total=8))
    random = StepRandom(6)
    parts = [
        diff_augment(part, (policy,), random.at("train", 0, "d", rows=len(part), start=start, total=8))
        for part, start in ((x[:5], 0), (x[5:], 5))
    ]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)
