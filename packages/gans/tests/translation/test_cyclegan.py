"""CycleGAN: the nets' receptive field, the loss by hand, the pool, its resume."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from torchworks.gans import Critics, CycleGANTask, ImagePool, PatchDiscriminator, ResnetGenerator, Translators
from torchworks.gans.models.translators import patch_layers
from torchworks.gans.translation.config import CycleGANConfig
from torchworks.gans.translation.metrics import LabelKept
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.testing import check_model


def test_the_generator_keeps_the_models_contract():
    check_model(
        lambda: ResnetGenerator(3, 1, width=8, blocks=1, downsamplings=1),
        torch.randn(3, 3, 16, 16),
        shapes=(3, 1, 16, 16),
    )


@pytest.mark.parametrize("norm", ["instance", "spectral"])
def test_the_patch_discriminator_keeps_the_models_contract(norm):
    check_model(
        lambda: PatchDiscriminator(2, width=8, layers=1, norm=norm), torch.randn(3, 2, 16, 16), shapes=(3, 1, 6, 6)
    )


@pytest.mark.parametrize(("layers", "side"), [(1, 16), (2, 34), (3, 70)])
def test_a_patch_logit_sees_as_many_pixels_as_stated(layers, side):
    torch.manual_seed(0)
    net = PatchDiscriminator(1, width=2, layers=layers)
    net = nn.Sequential(*(m for m in net.layers if not isinstance(m, nn.InstanceNorm2d)))  # sees the whole image
    for module in net:
        if isinstance(module, nn.Conv2d):
            nn.init.uniform_(module.weight, 0.1, 1)
    x = torch.rand(1, 1, 160, 160, requires_grad=True)
    logits = net(x)
    (gradient,) = torch.autograd.grad(logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2], x)
    seen = gradient[0, 0].abs() > 0
    assert (seen.any(1).sum(), seen.any(0).sum()) == (side, side)
    assert PatchDiscriminator(1, width=2, layers=layers).receptive_field == side


def test_patches_are_the_papers_70_pixels_where_images_are_large_enough():
    assert [patch_layers(size) for size in (16, 32, 64, 128, 256)] == [1, 1, 2, 3, 3]


class Gain(nn.Module):
    """A translator that multiplies."""

    def __init__(self, gain: float):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, x):
        return self.gain * x


class Level(nn.Module):
    """A critic that says the image's mean, one patch a pixel."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        return self.scale * x.mean(1, keepdim=True)


def task(**options) -> CycleGANTask:
    config = replace(CycleGANConfig(), **options)
    made = CycleGANTask(Translators(Gain(0.5), Gain(3.0)), Critics(Level(), Level()), config)
    made.random = StepRandom(0)
    return made


def batch(a: float = 0.4, b: float = -0.2, n: int = 4) -> dict[str, torch.Tensor]:
    return {"a_image": torch.full((n, 1, 4, 4), a), "b_image": torch.full((n, 1, 4, 4), b)}


def test_the_translators_loss_is_the_papers_sum():
    out = task().loss("g", batch())
    fake_b, fake_a = 0.5 * 0.4, 3 * -0.2
    fooling = (fake_b - 1) ** 2 + (fake_a - 1) ** 2
    cycle = abs(3 * fake_b - 0.4) + abs(0.5 * fake_a + 0.2)
    identity = abs(3 * 0.4 - 0.4) + abs(0.5 * -0.2 + 0.2)
    assert out.loss.item() == pytest.approx(fooling + 10 * cycle + 5 * identity, rel=1e-5)
    assert out.logs["cycle"].item() == pytest.approx(cycle, rel=1e-5)


def test_the_critics_loss_is_half_the_squared_error():
    out = task(pool_size=0).loss("d", batch())
    fake_b, fake_a = 0.5 * 0.4, 3 * -0.2
    expected = ((0.4 - 1) ** 2 + fake_a**2 + (-0.2 - 1) ** 2 + fake_b**2) / 2
    assert out.loss.item() == pytest.approx(expected, rel=1e-5)


def test_without_identity_loss_the_images_are_not_translated_into_their_own_domain():
    out = task(identity_weight=0.0).loss("g", batch())
    assert set(out.logs) == {"fooling", "cycle"}
    assert out.loss.item() == pytest.approx((out.logs["fooling"] + 10 * out.logs["cycle"]).item(), rel=1e-5)


class Witness(nn.Module):
    """A critic that remembers the class maps it was shown."""

    def __init__(self):
        super().__init__()
        self.scale, self.seen = nn.Parameter(torch.tensor(1.0)), []

    def forward(self, x):
        self.seen.append(x[:, 1:])
        return self.scale * x[:, :1]


def test_critics_are_told_the_class_of_an_image_and_of_a_translation_the_class_of_its_origin():
    critics = Critics(Witness(), Witness())
    config = replace(CycleGANConfig(), pool_size=0)
    made = CycleGANTask(Translators(Gain(0.5), Gain(3.0)), critics, config, num_classes=3)
    made.random = StepRandom(0)
    labels = {"a_label": torch.tensor([0, 1, 2, 0]), "b_label": torch.tensor([1, 1, 0, 2])}
    for phase in "gd":
        made.loss(phase, batch() | labels)
    of_fakes, of_both = critics.a.seen
    assert torch.equal(of_fakes.mean((2, 3)).argmax(1), labels["b_label"])  # what is made from b must look like a
    assert torch.equal(of_both.mean((2, 3)).argmax(1), torch.cat([labels["a_label"], labels["b_label"]]))
    assert torch.equal(of_both.sum(1), torch.ones(8, 4, 4))


def test_each_phase_trains_only_its_own_nets():
    made = task()
    made.loss("d", batch()).loss.backward()
    assert all(parameter.grad is None for parameter in made.translators.parameters())
    assert all(parameter.grad is not None for parameter in made.critics.parameters())


# ---- the pool --------------------------------------------------------------------------------------------


def numbered(start: int, n: int) -> torch.Tensor:
    return torch.arange(start, start + n, dtype=torch.float32).view(-1, 1, 1, 1)


def shown(pool: ImagePool, random: StepRandom, rounds: int, n: int = 4) -> torch.Tensor:
    """What the pool shows of images numbered in the order in which they come, (rounds, n)."""
    return torch.stack(
        [pool.swap(numbered(i * n, n), random.at("train", i, "d", rows=n, total=n)).flatten() for i in range(rounds)]
    )


def test_the_pool_shows_every_image_until_it_is_full():
    assert torch.equal(shown(ImagePool(12), StepRandom(0), 3).flatten(), torch.arange(12.0))


def test_a_pool_of_no_images_shows_the_newest():
    assert torch.equal(shown(ImagePool(0), StepRandom(0), 5).flatten(), torch.arange(20.0))


def test_a_full_pool_shows_half_new_images_and_half_earlier_ones_and_none_twice():
    seen = shown(ImagePool(50), StepRandom(0), 1000)
    new = seen[20:] >= torch.arange(20, 1000)[:, None] * 4
    assert new.float().mean().item() == pytest.approx(0.5, abs=0.03)
    late = seen[20:].flatten()
    late = late[late >= 80]
    assert len(late.unique()) == len(late)


def test_earlier_images_are_about_a_pool_old():
    """An image leaves a pool of P after a geometric number of draws with mean 2P images."""
    seen = shown(ImagePool(20), StepRandom(1), 3000)
    age = torch.arange(3000)[:, None] * 4 - seen
    age = age[1000:][age[1000:] > 0]
    assert age.mean().item() == pytest.approx(2 * 20, rel=0.1)


def test_a_batch_larger_than_the_pool_still_comes_out_whole():
    pool, random = ImagePool(3), StepRandom(0)
    for i in range(5):
        assert pool.swap(numbered(i * 8, 8), random.at("train", i)).shape == (8, 1, 1, 1)


def test_a_pool_that_was_saved_goes_on_as_if_nothing_had_happened():
    whole = shown(ImagePool(10), StepRandom(0), 20)
    made = task(pool_size=10)
    shown(made.pools["a"], StepRandom(0), 9)
    state = {name: {**pool, "images": None if pool["images"] is None else pool["images"].clone()}
             for name, pool in made.state_dict().items()}  # fmt: skip
    other = task(pool_size=10)
    other.load_state_dict(state)
    random = StepRandom(0)
    for i in range(9, 20):
        after = other.pools["a"].swap(numbered(i * 4, 4), random.at("train", i, "d", rows=4, total=4))
        assert torch.equal(after.flatten(), whole[i])


# ---- scores ----------------------------------------------------------------------------------------------


class Reader(nn.Module):
    """Reads a label written in the first pixel."""

    def logits(self, images):
        return torch.nn.functional.one_hot(images[:, 0, 0, 0].long(), 10).float()


def test_kept_labels_are_counted_once_an_image_and_the_smaller_share_is_watched():
    kept = LabelKept(Reader(), Reader())
    labels = torch.tensor([3, 4, 5, 6])
    images = labels.float().view(4, 1, 1, 1)
    wrong = images.clone()
    wrong[0] = 9
    given = {"a_label": labels, "b_label": labels, "a_index": torch.arange(4), "b_index": torch.arange(4)}
    kept.update(given, fake_a=images, fake_b=wrong)
    again = {name: value[:1] for name, value in given.items()}  # the shorter side starts again
    kept.update(again, fake_a=images[:1], fake_b=wrong[:1])
    assert kept.compute() == {"label_kept_ab": 0.75, "label_kept_ba": 1.0, "label_kept": 0.75}
