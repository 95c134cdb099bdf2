"""The Transformer's encoder as a classifier."""

import pytest
import torch
import torch.nn.functional as F

from torchworks.seq_models.models.transformer_classifier import TransformerClassifier
from torchworks.shared.testing import check_model

KINDS = pytest.mark.parametrize("options", [{}, {"pooling": "max"}, {"positions": "rotary", "pooling": "max"}])


def new_net(**options) -> TransformerClassifier:
    torch.manual_seed(0)
    return TransformerClassifier(20, 3, embed_dim=8, depth=2, num_heads=2, ff_dim=16, **options).eval()


def test_it_keeps_the_models_contract():
    build = lambda: TransformerClassifier(20, 3, embed_dim=8, depth=2, num_heads=2, ff_dim=16)  # noqa: E731
    check_model(build, torch.randint(1, 20, (4, 7)), shapes=(4, 3))


def test_rotary_positions_and_the_maximum_keep_it_too():
    build = lambda: new_net(positions="rotary", pooling="max").train()  # noqa: E731
    check_model(build, torch.randint(1, 20, (4, 7)), shapes=(4, 3))


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="positions must be 'sinusoidal' or 'rotary', but it is 'learned'"):
        TransformerClassifier(20, 3, positions="learned")  # ty: ignore[invalid-argument-type]
    with pytest.raises(ValueError, match="pooling must be 'mean' or 'max', but it is 'last'"):
        TransformerClassifier(20, 3, pooling="last")  # ty: ignore[invalid-argument-type]


@KINDS
def test_padding_changes_nothing(options):
    net, tokens = new_net(**options), torch.tensor([[4, 9, 2]])
    torch.testing.assert_close(net(F.pad(tokens, (0, 5))), net(tokens))


@KINDS
def test_a_row_of_padding_alone_gives_numbers(options):
    assert new_net(**options)(torch.zeros(2, 4, dtype=torch.int64)).isfinite().all()


def test_the_order_of_words_matters_and_it_is_that_of_the_torch_encoder():
    net, tokens = new_net(), torch.tensor([[4, 9, 2, 7]])
    assert not torch.allclose(net(tokens), net(tokens.flip(1)))
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True)
    theirs = torch.nn.TransformerEncoder(layer, 2, torch.nn.LayerNorm(8), enable_nested_tensor=False).eval()
    theirs.load_state_dict(net.encoder.state_dict())
    assert net.embedding is not None
    x = net.embedding(tokens, torch.arange(4)[None])
    torch.testing.assert_close(net(tokens), net.classifier(theirs(x).mean(1)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length", [1, 300])
def test_a_text_may_be_of_any_length(length):
    assert new_net()(torch.ones(1, length, dtype=torch.int64)).isfinite().all()
