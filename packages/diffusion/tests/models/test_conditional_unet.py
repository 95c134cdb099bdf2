"""The U-Net that reads a text: diffusers' net, for any image size, length of text and padding."""

import pytest
import torch
from torch import Tensor, nn

from torchworks.diffusion.models.conditional_unet import ConditionalUNet, Text, TextAttention
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_model, randomize

SMALL = {"widths": (8, 16), "groups": 4, "head_dim": 4}
STATE_DIM, VECTOR_DIM = 6, 5


def inputs(size: int = 8, rows: int = 3) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Images, times, texts of 4 tokens, of which 1 to 3 count, and vectors."""
    generator = torch.Generator().manual_seed(size)
    x = torch.randn(rows, 1, size, size, generator=generator)
    states = torch.randn(rows, 4, STATE_DIM, generator=generator)
    vector = torch.randn(rows, VECTOR_DIM, generator=generator)
    mask = torch.arange(4) < torch.arange(1, rows + 1)[:, None]
    return x, torch.linspace(0.5, 999, rows), states, mask, vector


@pytest.mark.parametrize("positions", [0, 8])
def test_it_keeps_the_models_contract(positions: int):
    def build() -> ConditionalUNet:
        return ConditionalUNet(
            1, STATE_DIM, vector_dim=VECTOR_DIM, fold=2, positions=positions, zero_output=False, **SMALL
        )

    check_model(build, inputs(), shapes=(3, 1, 8, 8), export=False)


@pytest.mark.parametrize("size", [1, 8, 15, 28, 31])
@pytest.mark.parametrize("fold", [1, 2])
def test_images_of_any_size_keep_it(size: int, fold: int):
    x, time, states, mask, _ = inputs(size)
    net = ConditionalUNet(1, STATE_DIM, out_channels=2, fold=fold, positions=16, **SMALL)
    assert net(x, time, states, mask).shape == (3, 2, size, size)


def test_a_new_net_answers_zero():
    assert not ConditionalUNet(1, STATE_DIM, vector_dim=VECTOR_DIM, **SMALL)(*inputs()).any()


def test_padding_of_a_text_changes_nothing():
    x, time, states, mask, _ = inputs()
    net = randomize(ConditionalUNet(1, STATE_DIM, **SMALL)).double().eval()
    x, states = x.double(), states.double()
    longer = torch.cat([states, torch.full((3, 2, STATE_DIM), 7.0)], 1)
    padded = net(x, time, longer, torch.cat([mask, torch.zeros(3, 2, dtype=torch.bool)], 1))
    assert torch.allclose(net(x, time, states, mask), padded, atol=1e-12)


def test_a_text_without_tokens_that_count_is_read_whole():
    x, time, states, mask, _ = inputs()
    net = randomize(ConditionalUNet(1, STATE_DIM, **SMALL)).eval()
    assert torch.equal(net(x, time, states, torch.zeros_like(mask)), net(x, time, states, torch.ones_like(mask)))


def test_attention_knows_places_by_the_map_alone():
    states = inputs()[2][:1]
    h = torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    for positions in (4, 0):
        attention = randomize(TextAttention(16, STATE_DIM, head_dim=4, positions=positions)).eval()
        moved = attention(h.roll(1, 3), Text(states, None)).roll(-1, 3)
        assert torch.allclose(attention(h, Text(states, None)), moved, atol=1e-5) == (positions == 0)


def test_a_vector_belongs_to_a_net_that_was_built_for_it():
    x, time, states, mask, vector = inputs()
    with pytest.raises(ValueError, match="vector_dim"):
        ConditionalUNet(1, STATE_DIM, **SMALL)(x, time, states, mask, vector)
    with pytest.raises(ValueError, match="vector_dim"):
        ConditionalUNet(1, STATE_DIM, vector_dim=VECTOR_DIM, **SMALL)(x, time, states, mask)


def test_heads_that_leave_a_rest_are_refused():
    with pytest.raises(UserError, match="heads of 7"):
        ConditionalUNet(1, STATE_DIM, head_dim=7)


@pytest.mark.slow
def test_an_exported_map_of_places_takes_any_size():
    """In float32; diffusers has no such map, so `test_parity.py` exports none."""
    attention = randomize(TextAttention(16, STATE_DIM, head_dim=4, positions=4)).eval()
    texts = Text(torch.randn(1, 3, STATE_DIM), None)

    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = attention

        def forward(self, x: Tensor) -> Tensor:
            return self.attention(x, texts)

    sides = {2: torch.export.Dim("H", min=2), 3: torch.export.Dim("W", min=2)}
    with torch.no_grad():
        program = torch.export.export(Attend(), (torch.randn(1, 16, 5, 6),), dynamic_shapes=(sides,)).module()
        for size in [(2, 2), (4, 4), (7, 14)]:
            x = torch.randn(1, 16, *size)
            assert torch.allclose(program(x), attention(x, texts), atol=1e-4)
