"""The contract of models that generate text: `check_generator(build())`.

As in `testing.py`, what is broken raises `AssertionError` that names it.
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.shared.models.generation import Advance, Arrays, RowStates
from torchworks.shared.models.generator import Generator

LENGTHS = (1, 5, 8)
"""Of prompts. Length 1 is the step."""
ROWS = (1, 3)


@torch.no_grad()
def check_generator(
    generator: Generator, plain: Callable[..., Tensor] | None = None, *, tol: float = 1e-4, export: bool = True
) -> None:
    """One graph reads prompts and further tokens, and its logits are those of the plain forward.

    `plain` maps tokens (1, T) to the logits (1, T, V) of the token after each; the generator's net, if not given.
    Prompts of three lengths, 1 among them, of one row and of several of different lengths, are read into an empty state
    and then further into that, in eager mode and by two captures of one process. Differences are in units of the
    largest logit. A row's answer does not depend on its neighbors, nor on what stands in the unused places.

    Of a generator whose texts are answers, `plain` maps a source (1, R) and the answer's tokens so far (1, T), T ≥ 0,
    to the logits (1, V) of its next token, and has to be given.
    """
    assert plain is not None or not generator.generation.answers, "give the plain forward of an encoder–decoder"
    plain = plain or generator.eval().net
    _check(generator.advance, generator, plain, tol, "the generator")
    for which in ("", " (the second of this process)") if export else ():
        _check(_captured(generator), generator, plain, tol, f"the exported graph{which}")


def _check(advance: Advance, generator: Generator, plain: Callable[..., Tensor], tol: float, what: str) -> None:
    random, answers = np.random.default_rng(0), generator.generation.answers
    for rows, first in product(ROWS, LENGTHS):
        states, texts = RowStates(generator.generation, rows), [np.zeros(0, np.int64)] * rows
        prompts = [first] * rows
        for new in (first, 1, 1 if answers else 3):
            tokens = random.integers(2, generator.vocabulary, (rows, new))
            length = np.maximum(1, new - np.arange(rows))
            prompts = prompts if states.lengths.any() else length.tolist()
            texts = [np.concatenate([text, row[:n]]) for text, row, n in zip(texts, tokens, length, strict=True)]
            outputs = advance({"tokens": tokens, "length": length} | _spoiled(generator, states))
            _check_shapes(generator, outputs, rows, new, what)
            states.extend(outputs, length)
            for row, text in enumerate(texts):
                tokens_ = torch.from_numpy(text)[None]
                parts = tokens_.split([prompts[row], len(text) - prompts[row]], 1)
                wanted = (plain(*parts)[0] if answers else plain(tokens_)[0, -1]).numpy()
                size = float(np.abs(outputs["logits"][row] - wanted).max() / np.abs(wanted).max())
                assert size <= tol, (
                    f"{what} differs from the plain forward by {size:.2g} of the largest logit, at {rows} rows, "
                    f"{new} new tokens and {len(text) - length[row]} earlier ones in row {row}; allowed is {tol:g}"
                )


def _spoiled(generator: Generator, states: RowStates) -> Arrays:
    """The state with large numbers in the places that are not used."""
    inputs = {name: value.copy() for name, value in states.inputs().items()}
    for spec in generator.generation.state:
        if spec.axis is not None:
            places = np.moveaxis(inputs[spec.name], spec.axis, 1)
            for row, length in enumerate(states.lengths[: states.rows]):
                places[row, length:] = 50
    return inputs


def _check_shapes(generator: Generator, outputs: Mapping[str, np.ndarray], rows: int, new: int, what: str) -> None:
    for spec in generator.generation.state:
        sizes: dict[int | str, int] = {"N": rows, "P": new}
        wanted, found = tuple(sizes.get(size, size) for size in spec.shape), outputs[spec.output].shape
        assert found == wanted, (
            f"{what} gives {spec.output} of the shape {found} for {rows} rows and {new} new tokens, but it must be "
            f"{wanted}: a growing state comes out as what the new tokens add, a fixed one as a whole"
        )


def _captured(generator: Generator) -> Advance:
    try:
        program: Any = torch.export.export(
            Positional(generator), generator.example(), dynamic_shapes=(generator.dynamic_shapes(),)
        ).module()
    except Exception as error:  # torch.export's own exceptions share no other base
        raise AssertionError(f"torch.export cannot capture the generator for all sizes: {error}") from error

    def advance(arrays: Arrays) -> Arrays:
        given = [torch.from_numpy(np.ascontiguousarray(arrays[name])) for name in generator.graph_inputs]
        try:
            answers = program(*given)
        except Exception as error:  # an assertion of the program, of any class
            shapes = {name: arrays[name].shape for name in generator.graph_inputs}
            raise AssertionError(f"the exported graph fails at the sizes {shapes}: {error}") from error
        return {name: answer.numpy() for name, answer in zip(generator.graph_outputs, answers, strict=True)}

    return advance


class Positional(torch.nn.Module):
    """A generator whose inputs have no names but an order, whatever its `forward` calls them."""

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.generator(*inputs)
