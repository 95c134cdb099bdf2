"""Nets that write as services run them: one graph that reads prompts and further tokens.

    generator = gpt_generator(net, end=tokenizer.special("<end>"))       # a `Predictor` whose text can be served

`torchworks.shared.models.generation` says what such a graph takes and gives.

Encoder–decoders answer their prompts, and yet need one graph only. In the growing state, places of the source come
first: they hold what the source says to the decoder. Places of the answer follow. `source_length` tells where one ends
and the other begins. A row whose `past_length` is 0 reads its source and is at the token `begin` of its answer; any
other is at its newest token. Both are computed for all rows, and each takes what concerns it, so rows of both kinds can
share a batch and the graph has no branches. In a step, what is computed in vain is an encoder's look at one token.

Shape letters: N rows, T new tokens, P earlier tokens, L depth of the decoder, h heads, d channels of a head, H channels
of a state, A attention_dim.
"""

import itertools
from typing import Any, NamedTuple

import torch
from torch import Tensor

from torchworks.seq_models.models.attention import ConcatenatedCache
from torchworks.seq_models.models.encoder_decoder import EncoderDecoder
from torchworks.seq_models.models.gpt import GPT
from torchworks.seq_models.models.pointer_generator import PointerGenerator
from torchworks.seq_models.models.recurrent_lm import RecurrentLM
from torchworks.seq_models.models.seq2seq import AttentionSeq2Seq
from torchworks.shared.models.generation import GenerationSpec, StateSpec
from torchworks.shared.models.generator import Generator, first


class GPTGenerator(Generator):
    """A `GPT` whose keys and values go in, (N, h, P, d) each for each layer, and those of the new tokens come out. They
    are states of their own, since a graph that cuts one state into layers copies all of it in each step."""

    net: GPT

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        tokens, length, past_length, *past = inputs
        real, past_real = first(length, tokens.shape[1]), first(past_length, past[0].shape[2])
        logits, new = self.net.cached(tokens, real, list(zip(past[::2], past[1::2], strict=True)), past_real)
        return logits, *itertools.chain.from_iterable(new)


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
    _, depth, _, heads, _, channels = net.empty_cache(1).shape
    names = [f"{what}_{layer}" for layer in range(depth) for what in ("keys", "values")]
    past = tuple(StateSpec(name, ("N", heads, "P", channels)) for name in names)
    spec = GenerationSpec(past, block=net.longest, **options)
    return GPTGenerator(net, spec, vocabulary=net.vocabulary)


def recurrent_generator(net: RecurrentLM, **options: Any) -> RecurrentGenerator:
    """`options` are those of `GenerationSpec`, such as `end` and `sampling`."""
    states = net.empty_state(torch.zeros(1, 1, dtype=torch.int64))
    specs = tuple(StateSpec(name, ("N", *value.shape[1:])) for name, value in states.items())
    return RecurrentGenerator(net, GenerationSpec(specs, **options), vocabulary=net.vocabulary)


# ------------------------------------------------------------------------------------------ encoder–decoders


class Step(NamedTuple):
    """What a call of an encoder–decoder reads and looks at, in rows that read their source and rows at an answer's
    token. Of places, those in the state come first, then the T new ones."""

    at_source: Tensor
    """Which rows read their source, (N,)."""
    new_real: Tensor
    """Which new tokens are of a source, (N, T)."""
    source_real: Tensor
    """Which places are of the source, (N, P + T)."""
    answer_real: Tensor
    """Of `begin`, places in the state, and the newest token: which are of the answer, (N, 1 + P + 1)."""
    newest: Tensor
    """The answer's newest token, (N, 1)."""

    @classmethod
    def of(cls, begin: int, tokens: Tensor, length: Tensor, past_length: Tensor, source_length: Tensor, places: int):
        reads, real = past_length == 0, first(length, tokens.shape[1])
        of_source = first(source_length, places)
        return cls(
            at_source=reads,
            new_real=real,
            source_real=torch.cat([of_source, real & reads[:, None]], 1),
            answer_real=torch.cat(
                [~reads[:, None], first(past_length, places) & ~of_source, torch.ones_like(reads)[:, None]], 1
            ),
            newest=torch.where(reads, begin, tokens[:, 0])[:, None],
        )

    def kept(self, source: Tensor, layers: list[ConcatenatedCache], begun: Tensor) -> tuple[Tensor, Tensor]:
        """What is new in `past`, (N, L, 2, h, T, d), and `begun`: of the `source`, or of the newest token."""
        newest = torch.stack([layer.past[:, :, :, -1] for layer in layers], 1)  # (N, L, 2, h, d)
        reads = self.at_source[:, None, None, None, None]
        return torch.where(reads[..., None], source, newest[:, :, :, :, None]), torch.where(reads, newest, begun)


class EncoderDecoderGenerator(Generator):
    """A `Transformer` or `T5`. The growing state `past` (N, L, 2, h, P, d) holds the decoder's keys and values: of the
    source, then of the answer's tokens. Those of the token `begin` are `begun` (N, L, 2, h, d)."""

    net: EncoderDecoder

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        tokens, length, past_length, past, begun, source_length = inputs
        places = past.shape[4]
        step = Step.of(self.net.begin, tokens, length, past_length, source_length, places)
        source = self.net.read(tokens, step.new_real)  # (N, L, 2, h, T, d)
        layers = [ConcatenatedCache(each) for each in torch.cat([begun[:, :, :, :, None], past], 4).unbind(1)]
        hidden = self.net.decode(
            step.newest, torch.cat([past, source], 4), step.source_real, step.answer_real, layers, places + 1
        )  # (N, 1, E)
        return (
            self.net.logits(hidden[:, 0]),
            *step.kept(source, layers, begun),
            torch.where(step.at_source, length, source_length),
        )


class PointerGeneratorGenerator(Generator):
    """A `PointerGenerator`. The growing states `memory` (N, P, E) and `source` (N, P) are what the net points into:
    what its encoder makes of the source, and the source's tokens. The others are an encoder–decoder's."""

    net: PointerGenerator

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        tokens, length, past_length, past, begun, source_length, memory, source = inputs
        places = past.shape[4]
        step = Step.of(self.net.begin, tokens, length, past_length, source_length, places)
        new_memory = self.net.encode(tokens, step.new_real)  # (N, T, E)
        keys_values = self.net.decoder.read(new_memory)
        layers = [ConcatenatedCache(each) for each in torch.cat([begun[:, :, :, :, None], past], 4).unbind(1)]
        decoded = self.net.decode(
            step.newest, torch.cat([past, keys_values], 4), step.source_real, step.answer_real, layers, places + 1
        )
        logits = self.net.log_probabilities(
            *decoded, torch.cat([memory, new_memory], 1), torch.cat([source, tokens], 1), step.source_real
        )
        return (
            logits[:, 0],
            *step.kept(keys_values, layers, begun),
            torch.where(step.at_source, length, source_length),
            new_memory,
            torch.where(step.new_real, tokens, 0),
        )


class AttentionGenerator(Generator):
    """An `AttentionSeq2Seq`. The growing states `values` (N, P, 2H) and `keys` (N, P, A) are of the source; nothing of
    the answer is kept but the decoder's state, so the places of its tokens hold what is never looked at."""

    net: AttentionSeq2Seq

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        tokens, length, past_length, values, keys, source_length, *hidden = inputs
        reads, real = past_length == 0, first(length, tokens.shape[1])
        fresh = self.net.read(tokens, real)
        state = {
            "values": torch.cat([values, fresh["values"]], 1),
            "keys": torch.cat([keys, fresh["keys"]], 1),
            "real": torch.cat([first(source_length, values.shape[1]), real & reads[:, None]], 1),
        }
        names = [name for name in ("s", "c") if name in fresh]
        for name, value in zip(names, hidden, strict=True):
            state[name] = torch.where(reads[:, None], fresh[name], value)
        token = torch.where(reads, self.net.begin, tokens[:, 0])
        logits, _, new = self.net.advance(token, state)
        source_length = torch.where(reads, length, source_length)
        return logits, fresh["values"], fresh["keys"], source_length, *(new[name] for name in names)


SOURCE_LENGTH = StateSpec("source_length", ("N",), "int64")


def encoder_decoder_generator(net: EncoderDecoder, **options: Any) -> EncoderDecoderGenerator:
    """`options` are those of `GenerationSpec`, such as `block`, the most tokens of a source, and `end`."""
    depth, heads, channels = net.cache_shape
    past = StateSpec("past", ("N", depth, 2, heads, "P", channels))
    begun = StateSpec("begun", ("N", depth, 2, heads, channels))
    spec = GenerationSpec((past, begun, SOURCE_LENGTH), answers=True, **options)
    return EncoderDecoderGenerator(net, spec, vocabulary=net.vocabulary)


def pointer_generator(net: PointerGenerator, **options: Any) -> PointerGeneratorGenerator:
    """`options` are those of `GenerationSpec`, such as `block`, the most tokens of a source, and `end`."""
    depth, heads, channels = net.cache_shape
    past = StateSpec("past", ("N", depth, 2, heads, "P", channels))
    begun = StateSpec("begun", ("N", depth, 2, heads, channels))
    memory, source = StateSpec("memory", ("N", "P", heads * channels)), StateSpec("source", ("N", "P"), "int64")
    spec = GenerationSpec((past, begun, SOURCE_LENGTH, memory, source), answers=True, **options)
    return PointerGeneratorGenerator(net, spec, vocabulary=net.vocabulary)


def attention_generator(net: AttentionSeq2Seq, **options: Any) -> AttentionGenerator:
    """`options` are those of `GenerationSpec`, such as `block`, the most tokens of a source, and `end`."""
    hidden, keys = net.bridge.in_features, net.attention.keys.out_features
    growing = (StateSpec("values", ("N", "P", 2 * hidden)), StateSpec("keys", ("N", "P", keys)))
    states = tuple(StateSpec(name, ("N", hidden)) for name in ("s", "c")[: net.encoder.states])
    spec = GenerationSpec((*growing, SOURCE_LENGTH, *states), answers=True, **options)
    return AttentionGenerator(net, spec, vocabulary=net.vocabulary)
