"""Random configurations of GPT-2, BERT and T5: weights load strictly both ways, and outputs are equal in float64."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

from torchworks.seq_models.models import bert, gpt, t5
from torchworks.shared.testing import randomize

SEEDS = range(5)


def tokens(vocabulary: int, length: int) -> Tensor:
    return torch.randint(0, vocabulary, (2, length), generator=torch.Generator().manual_seed(0))


def compared(ours: nn.Module, theirs: nn.Module, answer: Callable[[Any], Tensor], inputs: tuple[Tensor, ...]) -> float:
    """The largest difference, in units of the largest output, after both have given the other their weights."""
    theirs, ours = randomize(theirs).double().eval(), ours.double().eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    state = ours.reference_state() if hasattr(ours, "reference_state") else ours.state_dict()
    assert state.keys() == theirs.state_dict().keys()
    theirs.load_state_dict(state, strict=True)
    with torch.no_grad():
        wanted, found = answer(theirs), ours(*inputs)
    return float((found - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("seed", SEEDS)
def test_gpt2(seed: int):
    draw = random.Random(seed)
    heads, vocabulary = draw.choice([1, 2, 3]), draw.randint(5, 60)
    config = transformers.GPT2Config(
        vocab_size=vocabulary,
        n_positions=draw.randint(9, 30),
        n_layer=draw.randint(1, 3),
        n_embd=heads * draw.choice([2, 5, 8]),
        n_head=heads,
        bos_token_id=0,
        eos_token_id=0,
    )
    text = tokens(vocabulary, 9)
    ours = gpt.GPT(**gpt.options_of(config.to_dict()))
    size = compared(ours, transformers.GPT2LMHeadModel(config), lambda net: net(input_ids=text).logits, (text,))
    assert size < 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_bert(seed: int):
    draw = random.Random(seed)
    heads, vocabulary = draw.choice([1, 2, 3]), draw.randint(5, 60)
    config = transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=heads * draw.choice([2, 5, 8]),
        num_hidden_layers=draw.randint(1, 3),
        num_attention_heads=heads,
        intermediate_size=draw.randint(4, 40),
        max_position_embeddings=draw.randint(9, 30),
        type_vocab_size=draw.randint(1, 3),
    )
    text = tokens(vocabulary, 9)
    ours = bert.BERTForMaskedLM(**bert.options_of(config.to_dict()))
    size = compared(ours, transformers.BertForMaskedLM(config), lambda net: net(input_ids=text).logits, (text,))
    assert size < 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_t5(seed: int):
    draw = random.Random(seed)
    vocabulary = draw.randint(5, 60)
    config = transformers.T5Config(
        **{"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1},
        vocab_size=vocabulary,
        d_model=draw.choice([4, 10, 16]),
        d_kv=draw.choice([2, 5, 8]),
        d_ff=draw.randint(4, 40),
        num_layers=draw.randint(1, 3),
        num_decoder_layers=draw.randint(1, 3),
        num_heads=draw.randint(1, 3),
        relative_attention_num_buckets=draw.choice([4, 8, 32]),
        relative_attention_max_distance=draw.choice([9, 20, 128]),
        feed_forward_proj=draw.choice(["relu", "gated-gelu"]),
        tie_word_embeddings=draw.choice([True, False]),
    )
    source, target = tokens(vocabulary, 12), tokens(vocabulary, 15)
    ours = t5.T5(**t5.options_of(config.to_dict()))
    theirs = transformers.T5ForConditionalGeneration(config)
    size = compared(ours, theirs, lambda net: net(input_ids=source, decoder_input_ids=target).logits, (source, target))
    assert size < 2e-6  # theirs computes norms in float32
