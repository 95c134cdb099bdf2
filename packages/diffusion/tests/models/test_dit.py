"""DiT: diffusers' net, for any image size, with or without classes."""

import pytest
import torch
from torch import Tensor

from torchworks.diffusion.models.dit import DiT
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_model, randomize

SMALL = {"embed_dim": 16, "depth": 2, "num_heads": 2}


def inputs(size: int = 8, rows: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    x = torch.randn(rows, 1, size, size, generator=torch.Generator().manual_seed(size))
    return x, torch.linspace(0.5, 999, rows), torch.arange(rows)


def test_it_keeps_the_models_contract():
    def build() -> DiT:
        return randomize(DiT(1, num_classes=3, **SMALL))

    # a bias of keys adds the same to all scores of a query, which softmax takes away
    check_model(build, inputs(), shapes=(3, 1, 8, 8), unused=["*.to_k.bias"], export=False)


@pytest.mark.parametrize("size", [1, 8, 15, 28, 31])
@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_images_of_any_size_keep_it(size: int, patch_size: int):
    x, time, _ = inputs(size)
    assert DiT(1, out_channels=2, patch_size=patch_size, **SMALL)(x, time).shape == (3, 2, size, size)


def test_patches_come_back_to_where_they_were():
    """Patch embedding and head as an identity: each pixel of a patch is one of its numbers."""
    net = DiT(3, patch_size=2, embed_dim=12, num_heads=2, depth=1).double()
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    h = net.pos_embed.proj(x).flatten(2).transpose(1, 2)  # (N, L, E)
    with torch.no_grad():
        net.pos_embed.proj.weight.zero_()
        for place in range(12):  # channel, row and column of a patch, in the head's order (row, column, channel)
            row, column, channel = place // 6, place // 3 % 2, place % 3
            net.pos_embed.proj.weight[place, channel, row, column] = 1
        h = net.pos_embed.proj(x).permute(0, 2, 3, 1)  # (N, H/P, W/P, P P C)
    assert torch.equal(net._image_of(h), x)


def test_a_new_net_answers_zero():
    assert not DiT(1, num_classes=3, **SMALL)(*inputs()).any()


def test_a_new_block_passes_on_what_it_got():
    net = DiT(1, **SMALL)
    h = torch.randn(2, 4, 16)
    assert torch.equal(net.transformer_blocks[0](h, torch.randn(2, 256), None)[0], h)


def test_places_of_another_size_are_stretched_to_the_one_trained_on():
    trained = DiT(1, image_size=8, **SMALL).pos_embed
    counted = DiT(1, **SMALL).pos_embed
    counted.load_state_dict(trained.state_dict())
    x, larger = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 16, 16)
    assert torch.equal(trained(x), counted(x))
    assert torch.allclose(trained(larger)[..., ::2, ::2], counted(x), atol=1e-6)


def test_no_label_is_the_class_behind_the_last():
    x, time, _ = inputs()
    net = randomize(DiT(1, num_classes=3, **SMALL)).eval()
    assert torch.equal(net(x, time), net(x, time, torch.full((3,), 3)))
    assert not torch.allclose(net(x, time), net(x, time, torch.zeros(3, dtype=torch.long)))


def test_what_does_not_fit_is_refused():
    x, time, label = inputs()
    with pytest.raises(ValueError, match="built without classes"):
        DiT(1, **SMALL)(x, time, label)
    with pytest.raises(UserError, match="16 channels into heads of 5"):
        DiT(1, embed_dim=16, num_heads=3)
