"""Attention: the fused operator is the equation, masks say who sees whom, and padding changes nothing."""

import pytest
import torch
from torch import Tensor
from transformers.models.roformer.modeling_roformer import RoFormerSelfAttention

from torchworks.seq_models.models.attention import (
    BufferedCache,
    ConcatenatedCache,
    MultiHeadAttention,
    attention,
    attention_equations,
    attention_weights,
    newest,
    positions_of,
    rotary,
    visible,
    with_room,
)
from torchworks.shared.testing import check_model, randomize


def tensors(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_() for shape in shapes]


def mask_with_blind_rows() -> Tensor:
    """(2, 1, 5, 7): queries 1 and 4 of the first row may look at nothing."""
    mask = torch.rand(2, 1, 5, 7, generator=torch.Generator().manual_seed(1)) > 0.4
    mask[0, :, [1, 4]] = False
    mask[0, :, [0, 2, 3], 0] = True
    mask[1, :, :, 0] = True
    return mask


@pytest.mark.parametrize("heads", [4, 2, 1])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_the_fused_operator_is_the_equation_with_gradients(heads: int, masked: bool, biased: bool):
    q, k, v, bias = tensors((2, 4, 5, 8), (2, heads, 7, 8), (2, heads, 7, 8), (2, 4, 5, 7))
    mask = mask_with_blind_rows() if masked else None
    options = {"bias": bias if biased else None, "scale": 0.7}
    fused, readable = attention(q, k, v, mask, **options), attention_equations(q, k, v, mask, **options)
    torch.testing.assert_close(fused, readable, atol=1e-9, rtol=1e-9)
    inputs = [q, k, v, *([bias] if biased else [])]
    grads = [torch.autograd.grad((out * out.detach().cos()).sum(), inputs) for out in (fused, readable)]
    torch.testing.assert_close(grads[0], grads[1], atol=1e-9, rtol=1e-9)


def test_a_query_that_may_look_at_nothing_takes_zero():
    q, k, v = tensors((2, 4, 5, 8), (2, 4, 7, 8), (2, 4, 7, 8))
    for function in (attention, attention_equations):
        answer = function(q, k, v, mask_with_blind_rows())
        assert torch.equal(answer[0, :, [1, 4]], torch.zeros(4, 2, 8, dtype=torch.float64))
        assert answer[0, :, [0, 2, 3]].abs().min() > 0


def test_causal_is_the_lower_triangle():
    q, k, v = tensors((2, 4, 6, 8), (2, 4, 6, 8), (2, 4, 6, 8))
    triangle = torch.ones(6, 6, dtype=torch.bool).tril()
    torch.testing.assert_close(attention(q, k, v, causal=True), attention(q, k, v, triangle), atol=1e-9, rtol=1e-9)


def test_weights_sum_to_one_where_there_is_anything_to_look_at():
    q, k = tensors((2, 4, 5, 8), (2, 2, 7, 8))
    sums = attention_weights(q, k, mask_with_blind_rows()).sum(-1)
    wanted = torch.ones(2, 4, 5, dtype=torch.float64)
    wanted[0, :, [1, 4]] = 0
    torch.testing.assert_close(sums, wanted)


# ------------------------------------------------------------------------------------------- who sees whom


def bits(mask: Tensor) -> list[str]:
    return ["".join("x" if value else "." for value in row) for row in mask]


def test_masks_of_encoder_decoder_and_window():
    real = torch.ones(1, 4, dtype=torch.bool)
    assert bits(visible(real)[0, 0]) == ["xxxx"] * 4
    assert bits(visible(real, causal=True)[0, 0]) == ["x...", "xx..", "xxx.", "xxxx"]
    assert bits(visible(real, causal=True, window=2)[0, 0]) == ["x...", "xx..", ".xx.", "..xx"]
    assert bits(visible(real, window=2)[0, 0]) == ["xx..", "xxx.", ".xxx", "..xx"]
    assert bits(visible(real, 1, causal=True)[0, 0]) == ["xxxx"]


def test_nobody_looks_at_padding_and_padding_looks_at_itself():
    real = torch.tensor([[False, True, False, True]])
    assert bits(visible(real, causal=True)[0, 0]) == ["xx..", ".x..", ".xx.", ".x.x"]
    assert positions_of(real).tolist() == [[0, 0, 0, 1]]


def test_newest_are_the_last_of_each_row():
    assert newest(torch.arange(8).view(2, 4), 2).tolist() == [[2, 3], [6, 7]]


# ------------------------------------------------------------------------------------------------- rotary


def test_rotary_positions_are_roformers():
    q, k = (each.detach() for each in tensors((2, 3, 5, 8), (2, 3, 5, 8)))
    angles = torch.arange(5)[:, None] * 10_000.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    sinusoids = torch.cat([angles.sin(), angles.cos()], -1)[None, None]  # as RoFormer keeps them
    theirs = RoFormerSelfAttention.apply_rotary_position_embeddings(sinusoids, q, k)
    positions = torch.arange(5).expand(2, 5)
    for ours, wanted in zip((rotary(q, positions), rotary(k, positions)), theirs, strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-12, rtol=0)


def test_rotary_products_depend_on_the_distance_only():
    q, k = (each.detach() for each in tensors((1, 1, 1, 8), (1, 1, 1, 8)))

    def product(asks: int, answers: int) -> Tensor:
        return (rotary(q, torch.tensor([[asks]])) * rotary(k, torch.tensor([[answers]]))).sum()

    torch.testing.assert_close(product(3, 1), product(103, 101), atol=1e-12, rtol=0)
    assert (product(3, 1) - product(3, 2)).abs() > 1e-3


# -------------------------------------------------------------------------------------------- many heads


def net(**options) -> MultiHeadAttention:
    made = randomize(MultiHeadAttention(16, 4, **options)).double()
    assert isinstance(made, MultiHeadAttention)
    return made


OPTIONS = [{}, {"num_kv_heads": 2}, {"num_kv_heads": 1, "rotary_base": 10_000.0}, {"rotary_base": 100.0}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("window", [None, 3])
def test_padding_anywhere_changes_no_token(options: dict, window: int | None):
    attend, x = net(**options), tensors((1, 5, 16))[0].detach()
    real = torch.tensor([[False, True, True, False, True, True, True, False]])
    padded = torch.full((1, 8, 16), 9.0, dtype=torch.float64)
    padded[real] = x[0]
    mask = visible(real, causal=True, window=window)
    found = attend(padded, mask, positions=positions_of(real))[real]
    whole = torch.ones(1, 5, dtype=torch.bool)
    alone = attend(x, visible(whole, causal=True, window=window), positions=positions_of(whole))
    torch.testing.assert_close(found, alone[0], atol=1e-9, rtol=0)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["concatenated", "buffered"])
def test_with_a_cache_tokens_are_as_without(options: dict, kind: str):
    attend, x = net(**options), tensors((2, 6, 16))[0].detach()
    real = torch.ones(2, 6, dtype=torch.bool)
    positions = positions_of(real)
    whole = attend(x, causal=True, positions=positions)
    heads = options.get("num_kv_heads", 4)
    empty = x.new_zeros(2, 2, heads, 0 if kind == "concatenated" else 6, 4)
    cache = ConcatenatedCache(empty) if kind == "concatenated" else BufferedCache(empty, 0)
    parts = []
    with torch.no_grad():
        for begin, end in ((0, 3), (3, 4), (4, 6)):
            mask = visible(real[:, :end], end - begin, causal=True)
            parts.append(attend(x[:, begin:end], mask, positions=positions[:, begin:end], cache=cache))
    torch.testing.assert_close(torch.cat(parts, 1), whole.detach(), atol=1e-9, rtol=0)


def test_a_cache_without_room_is_copied_into_a_larger_one():
    cache = torch.randn(1, 2, 2, 3, 5, 4)
    assert with_room(cache, 5) is cache
    larger = with_room(cache, 6, least=1)
    assert larger.shape == (1, 2, 2, 3, 12, 4)
    assert torch.equal(larger[..., :5, :], cache)


def test_grouped_queries_keep_the_contract_of_models():
    check_model(lambda: MultiHeadAttention(16, 4, num_kv_heads=2), torch.randn(3, 5, 16), shapes=(3, 5, 16))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="embed_dim 10 does not divide into 4 heads"):
        MultiHeadAttention(10, 4)
    with pytest.raises(ValueError, match="4 heads of queries cannot share 3 heads"):
        MultiHeadAttention(16, 4, num_kv_heads=3)
