"""The Transformer: positions, what attention to the source says, options."""

import math

import pytest
import torch

from torchworks.seq_models.models.transformer import EncoderStack, LayerSize, Transformer, sinusoids
from torchworks.shared.testing import check_model, randomize

SIZES = {"embed_dim": 16, "num_heads": 2, "ff_dim": 24}


def tokens(rows: int, length: int, high: int = 30) -> torch.Tensor:
    return torch.randint(0, high, (rows, length), generator=torch.Generator().manual_seed(length))


@pytest.mark.parametrize("norm_first", [True, False])
def test_it_keeps_the_contract_of_models(norm_first: bool):
    inputs = (tokens(4, 9), tokens(4, 5, 20))
    check_model(lambda: Transformer(30, 20, norm_first=norm_first, **SIZES), inputs, shapes=(4, 5, 20))


def test_sinusoids_are_the_papers():
    found = sinusoids(torch.tensor([[0, 3, 500]]), 6, torch.float64)[0]
    for row, position in enumerate((0, 3, 500)):
        for i in range(3):
            angle = position / 10_000 ** (2 * i / 6)
            assert found[row, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-12)
            assert found[row, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-12)


def test_a_tokens_embedding_is_scaled_and_the_position_is_added():
    embed = Transformer(30, 20, **SIZES).eval().source_embedding
    positions = torch.tensor([[4, 0]])
    wanted = 4.0 * embed.tokens(torch.tensor([[7, 8]])) + sinusoids(positions, 16)
    torch.testing.assert_close(embed(torch.tensor([[7, 8]]), positions), wanted)


@pytest.mark.parametrize("norm_first", [True, False])
def test_attention_to_the_source_is_what_the_decoder_does(norm_first: bool):
    net = randomize(Transformer(30, 20, norm_first=norm_first, **SIZES)).double().eval()
    assert isinstance(net, Transformer)
    source, target = tokens(2, 6), tokens(2, 4, 20)
    weights = net.attention_to_source(source, target)
    assert weights.shape == (2, 2, 2, 4, 6)  # rows, layers, heads, tokens of the answer, tokens of the source
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 2, 4, dtype=torch.float64))
    # With the weights and the values at hand, the first layer's answer follows
    layer, keys_values = net.decoder.layers[0], net.read(source)
    x = net.target_embedding(target, torch.arange(4)[None])
    around = x + layer.look_around(layer.norm1(x) if norm_first else x, None, True, None)
    asks = layer.norm2(around) if norm_first else layer.norm1(around)
    by_hand = layer.multihead_attn.out_proj((weights[:, 0] @ keys_values[:, 0, 1]).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer.look_at_source(asks, keys_values[:, 0], None), by_hand, atol=1e-9, rtol=0)


def test_learned_positions_need_a_limit():
    with pytest.raises(ValueError, match="Learned positions need a limit"):
        Transformer(30, 20, positions="learned", **SIZES)


def test_post_norm_ends_without_a_further_norm():
    assert EncoderStack(LayerSize(**SIZES), 1).norm is not None
    assert EncoderStack(LayerSize(**SIZES, norm_first=False), 1).norm is None
