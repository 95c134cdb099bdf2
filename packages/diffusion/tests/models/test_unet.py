"""The U-Net: diffusers' net, for any image size, with or without classes."""

import pytest
import torch
import torch.nn.functional as F

from torchworks.diffusion.models.unet import UNet
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_model, randomize

SMALL = {"widths": (8, 16), "groups": 4, "head_dim": 4}


def inputs(size: int = 8, channels: int = 1, rows: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(size)
    x = torch.randn(rows, channels, size, size, generator=generator)
    return x, torch.linspace(0.5, 999, rows), torch.arange(rows)


@pytest.mark.parametrize("attention", [False, True])
def test_it_keeps_the_models_contract(attention: bool):
    def build() -> UNet:
        return UNet(
            1, num_classes=3, fold=2, attention=(False, attention), mid_attention=attention, zero_output=False, **SMALL
        )

    # what a key's bias adds to the score of a query is the same for all keys, so softmax takes it away
    check_model(build, inputs(), shapes=(3, 1, 8, 8), unused=["*.to_k.bias"], export=False)


@pytest.mark.parametrize("size", [1, 8, 15, 28, 31])
@pytest.mark.parametrize("fold", [1, 2, 4])
def test_images_of_any_size_keep_it(size: int, fold: int):
    x, time, _ = inputs(size)
    assert UNet(1, out_channels=2, fold=fold, **SMALL)(x, time).shape == (3, 2, size, size)


def test_an_image_of_another_height_than_width_keeps_its_shape():
    assert UNet(1, **SMALL)(torch.randn(2, 1, 5, 12), torch.zeros(2)).shape == (2, 1, 5, 12)


def test_folding_makes_neighbors_channels_and_nothing_else():
    """Exactly."""
    x, time, _ = inputs(16)
    folded, plain = randomize(UNet(1, fold=2, **SMALL)).eval(), UNet(4, **SMALL).eval()
    plain.load_state_dict(folded.state_dict())
    assert torch.equal(folded(x, time), F.pixel_shuffle(plain(F.pixel_unshuffle(x, 2), time), 2))


def test_images_are_padded_by_their_last_row_and_column():
    """Exactly."""
    x, time, _ = inputs(15)
    net = randomize(UNet(1, fold=2, **SMALL)).eval()
    assert torch.equal(net(x, time), net(F.pad(x, (0, 1, 0, 1), mode="replicate"), time)[:, :, :15, :15])


def test_a_new_net_answers_zero():
    x, time, label = inputs()
    assert not UNet(1, num_classes=3, fold=2, **SMALL)(x, time, label).any()


def test_no_label_is_the_class_behind_the_last():
    x, time, _ = inputs()
    net = randomize(UNet(1, num_classes=3, **SMALL)).eval()
    assert torch.equal(net(x, time), net(x, time, torch.full((3,), 3)))
    assert not torch.allclose(net(x, time), net(x, time, torch.zeros(3, dtype=torch.long)))


def test_a_label_for_a_net_without_classes_is_refused():
    x, time, label = inputs()
    with pytest.raises(ValueError, match="built without classes"):
        UNet(1, **SMALL)(x, time, label)


def test_times_are_floats():
    x, _, _ = inputs()
    net = randomize(UNet(1, **SMALL)).eval()
    near = [net(x, torch.full((3,), t)) for t in (500.0, 500.25)]
    assert not torch.equal(*near)


def test_the_default_for_digits_has_seven_hundred_thousand_parameters():
    assert sum(p.numel() for p in UNet(1, fold=2, num_classes=10).parameters()) == pytest.approx(0.7e6, rel=0.02)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="cannot split 30 channels into 8 groups"):
        UNet(1, widths=(30, 64), groups=8)
    with pytest.raises(UserError, match=r"2 levels, --net\.attention 1"):
        UNet(1, attention=(True,))
    with pytest.raises(UserError, match="64 channels into heads of 7"):
        UNet(1, mid_attention=True, head_dim=7)
