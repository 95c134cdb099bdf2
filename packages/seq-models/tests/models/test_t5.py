"""T5: buckets of distances, tied weights, published configurations."""

import pytest
import torch
from transformers.models.t5.modeling_t5 import T5Attention

from torchworks.seq_models.models.t5 import T5, T5Size, bucket_of, options_of
from torchworks.shared.testing import check_model

VOCABULARY = 37
SIZE = T5Size(embed_dim=16, num_heads=2, head_dim=6, ff_dim=24, buckets=8, max_distance=10)


def tokens(rows: int, length: int) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(length))


def test_t5_keeps_the_contract_of_models():
    inputs = (tokens(4, 9), tokens(4, 5))
    check_model(lambda: T5(VOCABULARY, SIZE, depth=2, decoder_depth=2), inputs, shapes=(4, 5, VOCABULARY))


@pytest.mark.parametrize("causal", [False, True])
def test_buckets_of_distances_are_transformers(causal: bool):
    distances = torch.arange(-300, 301)[None]
    theirs = T5Attention._relative_position_bucket(distances, not causal, 32, 128)
    assert torch.equal(bucket_of(distances, 32, 128, causal=causal), theirs)


def test_the_tied_tensors_are_saved_once():
    net = T5(VOCABULARY, SIZE, depth=1, decoder_depth=1)
    names = set(net.reference_state()) - set(net.state_dict())
    assert names == {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}
    untied = T5(VOCABULARY, SIZE, depth=1, decoder_depth=1, tied_head=False)
    assert "lm_head.weight" in untied.state_dict()


def test_a_published_configuration_of_version_1_1_has_a_head_of_its_own_and_no_scaling():
    published = {
        "d_model": 512, "d_kv": 64, "d_ff": 1024, "num_heads": 6, "num_layers": 8, "num_decoder_layers": 8,
        "vocab_size": 32128, "relative_attention_num_buckets": 32, "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False, "decoder_start_token_id": 0, "dropout_rate": 0.1, "layer_norm_epsilon": 1e-06,
    }  # fmt: skip
    options = options_of(published)
    assert (options["scale_outputs"], options["tied_head"], options["size"].gated) == (False, False, True)
    with pytest.raises(ValueError, match="feed_forward_proj 'relu' or 'gated-gelu', but the configuration says 'silu'"):
        options_of(published | {"feed_forward_proj": "silu"})
