"""GPT and recurrent language models are generators: a service can keep their state, row by row."""

import pytest
import torch

from torchworks.seq_models.generation.generators import (
    attention_generator,
    encoder_decoder_generator,
    gpt_generator,
    recurrent_generator,
)
from torchworks.seq_models.models.gpt import GPT
from torchworks.seq_models.models.recurrent_lm import RecurrentLM
from torchworks.seq_models.models.seq2seq import AttentionSeq2Seq
from torchworks.seq_models.models.t5 import T5, T5Size
from torchworks.seq_models.models.transformer import Transformer
from torchworks.shared.models.generator import Generator
from torchworks.shared.testing_generation import check_generator


def build(name: str) -> Generator:
    torch.manual_seed(0)
    if name == "gpt":
        return gpt_generator(GPT(13, context=32, depth=2, embed_dim=16, num_heads=2).eval(), end=2)
    return recurrent_generator(RecurrentLM(13, kind=name, depth=2, embed_dim=8, hidden_dim=12).eval(), end=2)


@pytest.mark.parametrize("name", ["gpt", "rnn", "lstm", "gru"])
def test_prompts_and_steps_of_one_graph_are_the_plain_forward(name):
    generator = build(name)
    assert generator.generation.end == 2
    check_generator(generator, export=False)  # float32, 1e-4 of the largest logit


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt", "rnn", "lstm", "gru"])
def test_the_graph_is_exported_for_all_sizes_twice_in_a_process(name):
    check_generator(build(name))


def answering(name: str) -> Generator:
    """An encoder–decoder."""
    torch.manual_seed(0)
    if name == "transformer":
        return encoder_decoder_generator(Transformer(13, 13, embed_dim=16, num_heads=2, ff_dim=24).eval(), end=2)
    if name == "t5":
        return encoder_decoder_generator(T5(13, T5Size(16, 2, 6, 24), depth=1, decoder_depth=2).eval(), end=2)
    return attention_generator(AttentionSeq2Seq(13, 13, kind=name, hidden_dim=12, attention_dim=8).eval(), end=2)  # ty: ignore[invalid-argument-type]


def check(name: str, *, export: bool) -> None:
    generator = answering(name)

    def plain(source: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
        begin = torch.full((1, 1), generator.net.begin)
        return generator.net(source, torch.cat([begin, answer], 1))[:, -1]

    assert generator.generation.answers
    check_generator(generator, plain, export=export)  # float32, 1e-4 of the largest logit


@pytest.mark.parametrize("name", ["transformer", "t5", "gru", "lstm"])
def test_sources_and_steps_of_one_graph_are_the_plain_forward(name):
    check(name, export=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["transformer", "t5", "gru", "lstm"])
def test_the_graph_of_an_encoder_decoder_is_exported_for_all_sizes_twice_in_a_process(name):
    check(name, export=True)
