"""The text encoder."""

import torch

from torchworks.diffusion.models.text_encoder import TextEncoder
from torchworks.shared.testing import check_model


def test_the_encoder_keeps_the_contract_of_models():
    tokens = torch.tensor([[1, 2, 3, 4, 0], [4, 4, 2, 0, 0], [0, 0, 0, 0, 0]])
    check_model(lambda: TextEncoder(5, 5, width=32, layers=2), tokens, shapes=(3, 5, 32))


def test_a_token_means_something_else_at_another_place_and_beside_another_word():
    encoder = TextEncoder(6, 4, width=32).eval()
    states = encoder(torch.tensor([[1, 2, 3, 0], [2, 1, 3, 0], [1, 2, 4, 0]]))
    assert not torch.allclose(states[0, 0], states[1, 1], atol=1e-3)
    assert not torch.allclose(states[0, 1], states[2, 1], atol=1e-3)


def test_shorter_rows_than_the_longest_are_read():
    encoder = TextEncoder(6, 4, width=32).eval()
    assert encoder(torch.tensor([[1, 2]])).shape == (1, 2, 32)
