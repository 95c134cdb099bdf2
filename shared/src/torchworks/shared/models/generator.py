"""A trained net that generates text, with everything around it: one graph that reads prompts and further tokens.

    class GPTGenerator(Generator):
        def forward(self, tokens, length, past_length, past):
            real, past_real = first(length, tokens.shape[1]), first(past_length, past.shape[4])
            logits, cache = self.net.cached(tokens, real, past, past_real)       # (N, L, 2, h, P + T, d)
            return logits, cache[:, :, :, :, past.shape[4] :]

    spec = GenerationSpec((StateSpec("past", ("N", L, 2, h, "P", d)),), block=128)
    generator = GPTGenerator(net, spec, vocabulary=V)

`generation.py` beside this file says what the graph takes and gives. Without a state, as `predict` calls it, a
generator answers as any model does: the logits of what comes after each text.

Shape letters: N rows, T new tokens, P earlier tokens, V tokens of the vocabulary.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torchworks.shared.models.generation import Arrays, GenerationSpec, greedy, replay
from torchworks.shared.models.predictor import Predictor
from torchworks.shared.models.signature import Signature, TensorSpec

GOLDEN_TOKENS = 1 << 16
GOLDEN_STEPS = 2
"""Tokens that the golden example is continued by."""
STEPS_TOKENS, STEPS_LOGITS = "steps.tokens", "steps.logits"


class Generator(Predictor):
    """A `net` of a `vocabulary` of V tokens that generates text.

    Subclasses extend `forward`: tokens int64 (N, T), length int64 (N,), then the tensors of `spec.inputs` → logits
    (N, V), then the tensors of `spec.outputs`. It consists of tensor operations only, so that it exports whole.
    """

    generation: GenerationSpec

    def __init__(self, net: nn.Module, spec: GenerationSpec, *, vocabulary: int):
        super().__init__(net, generator_signature(vocabulary, spec.block))
        self.generation, self.vocabulary = spec, vocabulary

    @torch.no_grad()
    def predict(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The logits after each text."""
        sizes = self.signature.check(inputs)
        arrays = {name: value.numpy() for name, value in inputs.items()}
        found = self.advance(self.generation.beginning(arrays))
        outputs = {"logits": torch.from_numpy(found["logits"])}
        self.signature.check_outputs(outputs, sizes)
        return outputs

    @torch.no_grad()
    def advance(self, arrays: Arrays) -> Arrays:
        """The graph by names, on arrays of NumPy, in evaluation mode."""
        given = (torch.from_numpy(np.ascontiguousarray(arrays[name])) for name in self.graph_inputs)
        answers = self.eval()(*given)
        return {name: answer.numpy() for name, answer in zip(self.graph_outputs, answers, strict=True)}

    @property
    def graph_inputs(self) -> list[str]:
        return ["tokens", "length", *self.generation.inputs]

    @property
    def graph_outputs(self) -> list[str]:
        return ["logits", *self.generation.outputs]

    @property
    def graph_shapes(self) -> list[tuple[int | str, ...]]:
        """The shapes of `graph_inputs`."""
        past = [("N",)] if self.generation.grows else []
        return [("N", "T"), ("N",), *past, *(spec.shape for spec in self.generation.state)]

    def example(self, rows: int = 2, new: int = 3, past: int = 4) -> tuple[Tensor, ...]:
        """Inputs of `forward` to capture it by: texts of `past` tokens, and `new` ones."""
        tokens = torch.zeros(rows, new, dtype=torch.int64)
        length = torch.arange(rows) % new + 1
        earlier = [torch.full((rows,), past)] if self.generation.grows else []
        states = [torch.from_numpy(spec.empty(rows, past)) for spec in self.generation.state]
        return (tokens, length, *earlier, *states)

    def dynamic_shapes(self) -> tuple[dict[int, Any], ...]:
        """What torch.export takes for `forward` to be captured for all sizes, an empty state among them."""
        Dim = torch.export.Dim
        dims = {"N": Dim("N", min=1), "T": Dim("T", min=1, max=self.generation.block), "P": Dim("P", min=0)}
        return tuple(
            {i: dims[size] for i, size in enumerate(shape) if isinstance(size, str)} for shape in self.graph_shapes
        )

    def continued(self, inputs: Mapping[str, Tensor], tokens: Tensor | None = None) -> dict[str, Tensor]:
        """The golden example read on: the logits after the prompts and after each of `tokens` (N, K), which are the
        likeliest ones if not given. Prompts that leave no room for these are cut."""
        room = self.generation.room(0)
        most = GOLDEN_TOKENS if room is None else max(1, room - GOLDEN_STEPS)
        prompts, length = inputs["text"].numpy()[:, :most], np.minimum(inputs["length"].numpy(), most)
        if tokens is None:
            tokens = torch.from_numpy(greedy(self.advance, self.generation, prompts, length, GOLDEN_STEPS)[0])
        logits = replay(self.advance, self.generation, prompts, length, tokens.numpy())
        return {STEPS_TOKENS: tokens, STEPS_LOGITS: torch.from_numpy(logits)}


def generator_signature(vocabulary: int, block: int | None) -> Signature:
    """What a generator takes and gives where no state is passed: text (N, T) and length (N,) → logits (N, V)."""
    text = TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=vocabulary - 1, pad=0)
    length = TensorSpec("length", "features", "int64", ("N",), low=1, high=block)
    logits = TensorSpec("logits", "features", "float32", ("N", vocabulary))
    return Signature((text, length), (logits,), {} if block is None else {"T": block})


def first(length: Tensor, size: int) -> Tensor:
    """Which of `size` places are among the first `length` (N,) of each row: bool (N, size)."""
    return torch.arange(size, device=length.device) < length[:, None]
