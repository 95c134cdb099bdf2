"""Language models as services run them: one graph that reads prompts and further tokens.

    generator = gpt_generator(net, end=tokenizer.special("<end>"))       # a `Predictor` whose text can be served

`torchworks.shared.models.generation` says what such a graph takes and gives.

Shape letters: N rows, T new tokens, P earlier tokens, L depth, h heads, d channels of a head, H channels of a state.
"""

from typing import Any

import torch
from torch import Tensor

from torchworks.seq_models.models.gpt import GPT
from torchworks.seq_models.models.recurrent_lm import RecurrentLM
from torchworks.shared.models.generation import GenerationSpec, StateSpec
from torchworks.shared.models.generator import Generator, first


class GPTGenerator(Generator):
    """A `GPT` whose keys and values (N, L, 2, h, P, d) go in, and those of the new tokens come out."""

    net: GPT

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        tokens, length, past_length, past = inputs
        places = past.shape[4]
        real, past_real = first(length, tokens.shape[1]), first(past_length, places)
        logits, cache = self.net.cached(tokens, real, past, past_real)
        return logits, cache[:, :, :, :, places:]


class RecurrentGenerator(Generator):
    """A `RecurrentLM` whose states (N, L, H) go in and come out."""

    net: RecurrentLM

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        tokens, length, *states = inputs
        given = dict(zip((spec.name for spec in self.generation.state), states, strict=True))
        logits, new = self.net.advance(tokens, first(length, tokens.shape[1]), given)
        return logits, *new.values()


def gpt_generator(net: GPT, **options: Any) -> GPTGenerator:
    """`options` are those of `GenerationSpec`, such as `end` and `sampling`."""
    shape = net.empty_cache(1).shape  # (1, L, 2, h, 0, d)
    past = StateSpec("past", ("N", *shape[1:4], "P", shape[5]))
    spec = GenerationSpec((past,), block=net.longest, **options)
    return GPTGenerator(net, spec, vocabulary=net.vocabulary)


def recurrent_generator(net: RecurrentLM, **options: Any) -> RecurrentGenerator:
    """`options` are those of `GenerationSpec`, such as `end` and `sampling`."""
    states = net.empty_state(torch.zeros(1, 1, dtype=torch.int64))
    specs = tuple(StateSpec(name, ("N", *value.shape[1:])) for name, value in states.items())
    return RecurrentGenerator(net, GenerationSpec(specs, **options), vocabulary=net.vocabulary)
