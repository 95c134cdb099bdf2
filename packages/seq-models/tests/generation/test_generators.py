"""GPT and recurrent language models are generators: a service can keep their state, row by row."""

import pytest
import torch

from torchworks.seq_models.generation.generators import gpt_generator, recurrent_generator
from torchworks.seq_models.models.gpt import GPT
from torchworks.seq_models.models.recurrent_lm import RecurrentLM
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
