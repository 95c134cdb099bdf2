"""The text encoder: states of a prompt's tokens."""

import pytest
import torch

from torchworks.diffusion.models.text_encoder import TextEncoder
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_model, randomize

SMALL = {"longest": 8, "embed_dim": 16, "num_heads": 2}
TOKENS = torch.tensor([[1, 2, 3, 0], [4, 1, 0, 0], [5, 6, 7, 8]])
MASK = TOKENS > 0


def test_it_keeps_the_models_contract():
    check_model(lambda: TextEncoder(9, **SMALL), (TOKENS, MASK), shapes=(3, 4, 16), export=False)


def test_padding_changes_no_state():
    net = randomize(TextEncoder(9, **SMALL)).double().eval()
    longer = torch.cat([TOKENS, torch.full((3, 2), 8)], 1)
    padded = net(longer, torch.cat([MASK, torch.zeros(3, 2, dtype=torch.bool)], 1))
    assert torch.allclose(net(TOKENS, MASK), padded[:, :4], atol=1e-12)


def test_a_text_that_is_all_padding_has_finite_states():
    net = TextEncoder(9, **SMALL)
    assert torch.isfinite(net(TOKENS, torch.zeros_like(MASK))).all()


def test_order_matters():
    net = randomize(TextEncoder(9, **SMALL)).eval()
    assert not torch.allclose(net(TOKENS.flip(1)).flip(1), net(TOKENS), atol=1e-3)


def test_texts_longer_than_the_longest_are_refused():
    with pytest.raises(UserError, match="up to 8 tokens, but one has 9"):
        TextEncoder(9, **SMALL)(torch.zeros(1, 9, dtype=torch.long))


def test_with_zero_output_each_word_is_read_by_itself_at_first():
    torch.manual_seed(0)
    net = TextEncoder(9, **SMALL, token_std=0.5, zero_output=True).eval()
    other = TOKENS.clone()
    other[:, 0] = 8
    assert torch.equal(net(TOKENS)[:, 1:], net(other)[:, 1:])
    assert not torch.allclose(net(TOKENS)[:, 0], net(other)[:, 0], atol=0.1)
