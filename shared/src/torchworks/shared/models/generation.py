"""What is written down about a model that generates text, and the state of the texts that it generates. Imports no
torch, as services need it too.

A generator is one pure graph, used to read a prompt (prefill) and to read one more token (step):

    tokens (N, T) int64, length (N,) int64, state …  →  logits (N, V), new state …

Of each row the first `length` tokens are read, 1 to T of them; the others are padding at its end. `logits` are those of
the token after its last one. There are two kinds of state, and a model may have both:

| state | goes in | comes out |
|---|---|---|
| fixed, as of a recurrent net | (N, …) | the whole new state (N, …) |
| growing, as keys and values | (N, …, P, …), P ≥ 0 | only what the new tokens add, (N, …, T, …) |

With a growing state the graph also takes `past_length` (N,) int64: of each row the first `past_length` of P places hold
tokens, and the first `length` of T places that come out do. So texts of different lengths share a step, a text can join
or leave between two steps, and whoever keeps the state writes what is new into a buffer and copies nothing else.

A model may answer its prompts instead of continuing them, as encoder–decoders do (`GenerationSpec.answers`). Then a
row whose `past_length` is 0 reads its prompt, the source, whole; `logits` are those of the answer's first token. Every
later call reads one token of the answer, so that `length` is 1.

A text that continues its prompt may outgrow what the model reads (`GenerationSpec.block`). It goes on by one rule
everywhere: before the token that no longer fits, the state is thrown away and the last half of the text, block // 2
tokens, is read anew as if it were a prompt; what came before is forgotten. That is the same for learned and for
rotary positions. To drop the oldest places of a state instead would cost nothing, but a graph takes positions from
`past_length`, and keys and values that were computed in sight of what was dropped are none that training has shown:
models go astray once the first tokens leave (Xiao et al. 2023, arXiv:2309.17453, section 3.1).

Shape letters: N rows, T new tokens, P earlier tokens, V tokens of the vocabulary, K steps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from torchworks.shared.config import UserError
from torchworks.shared.models.signature import DType, check_name
from torchworks.shared.text.sampling import Sampling

Arrays = dict[str, np.ndarray]
Advance = Callable[[Arrays], Mapping[str, np.ndarray]]
"""Runs the graph: `tokens`, `length` and the state in; `logits` and the new state, by `StateSpec.output`, out."""
PAST_LENGTH = "past_length"
ROWS, PAST = "N", "P"


@dataclass(frozen=True)
class StateSpec:
    """A tensor of the state. The first size is "N"; one other may be "P", along which it grows. A text that has read
    nothing has `fill` everywhere."""

    name: str
    shape: tuple[int | str, ...]
    dtype: DType = "float32"
    fill: float = 0.0

    def __post_init__(self) -> None:
        check_name("state", self.name)
        later = [size for size in self.shape[1:] if isinstance(size, str)]
        if self.shape[:1] != (ROWS,) or later not in ([], [PAST]):
            raise UserError(
                f"The state '{self.name}' must have the shape (N, …), all other sizes numbers but one, P, along which "
                f"it may grow; its shape is ({', '.join(map(str, self.shape))})."
            )

    @property
    def axis(self) -> int | None:
        """Along which it grows."""
        return self.shape.index(PAST) if PAST in self.shape else None

    @property
    def output(self) -> str:
        """The name of what comes out."""
        return f"new_{self.name}"

    def empty(self, rows: int, places: int = 0) -> np.ndarray:
        """Of texts that have read nothing, with room for so many tokens."""
        sizes = {ROWS: rows, PAST: places}
        shape = [sizes[size] if isinstance(size, str) else size for size in self.shape]
        return np.full(shape, self.fill, self.dtype)


@dataclass(frozen=True)
class ChatTemplate:
    """How a conversation becomes one text: each message by `message`, in which {role} and {content} are replaced, and
    `reply` at the end, after which the model answers. The answer ends where one of `stop` begins."""

    message: str = "{role}: {content}\n"
    reply: str = "assistant:"
    stop: tuple[str, ...] = ("\nuser:",)

    def prompt(self, messages: Sequence[tuple[str, str]]) -> str:
        """The text of messages (role, content)."""
        return "".join([*(self._written(*each) for each in messages), self.reply])

    def _written(self, role: str, content: str) -> str:
        parts = self.message.split("{content}")  # so that no content is taken for a part of the template
        return content.join(part.replace("{role}", role) for part in parts)


@dataclass(frozen=True)
class GenerationSpec:
    """What is needed to generate text by a graph."""

    state: tuple[StateSpec, ...]
    tokenizer: str = "tokenizer.json"
    """The file of the tokenizer."""
    block: int | None = None
    """Most tokens that the model reads, so that a longer text is continued from its last half; None if there is no
    limit. Where texts are answers, most tokens of the prompt."""
    begin: int | None = None
    """The id that is put before each prompt."""
    end: int | None = None
    """The id that ends a text."""
    sampling: Sampling = field(default_factory=Sampling)
    """How tokens are chosen unless a request says otherwise."""
    max_tokens: int = 128
    """Tokens that are generated unless a request says otherwise."""
    chat: ChatTemplate = field(default_factory=ChatTemplate)
    answers: bool = False
    """Whether what is generated answers the prompt, which is read once as a whole, instead of continuing it."""
    copies_numbers: bool = False
    """Whether every number of a text that is generated greedily must be one of the prompt's."""

    def __post_init__(self) -> None:
        if not self.state:
            raise UserError("A generator must have a state: without one, each step would read the whole text again.")
        if self.max_tokens < 1 or (self.block is not None and self.block < 1):
            raise UserError("`max_tokens` and `block` of a generator must be at least 1.")
        if self.answers and not self.grows:
            raise UserError(
                "A generator whose texts are answers must keep its prompts in a state that grows: by `past_length` it "
                "knows whether a row has read its prompt."
            )

    @property
    def longest_prompt(self) -> int | None:
        """Most tokens of a prompt; None if there is no limit."""
        return self.block

    def room(self, prompt: int) -> int | None:
        """Tokens that can be generated after a prompt of so many before any of it is forgotten; None if nothing ever
        is."""
        return None if self.block is None or self.answers else self.block - prompt

    def outgrown(self, tokens: int) -> bool:
        """Whether so many tokens are more than the model reads, so that only the last `kept` of them are."""
        return self.block is not None and not self.answers and tokens > self.block

    @property
    def kept(self) -> int:
        """Tokens, the last ones, from which a text that has outgrown the model is continued."""
        return max(1, (self.block or 0) // 2)

    def read_again(self, tokens: int, left: int) -> int:
        """Tokens that will be read once more until a text of which the model has read `tokens` has `left` more."""
        if self.block is None or not self.outgrown(tokens + left - 1):
            return 0
        times = 1 + (tokens + left - 2 - self.block) // (self.block + 1 - self.kept)
        return times * self.kept

    @property
    def grows(self) -> bool:
        return any(spec.axis is not None for spec in self.state)

    @property
    def inputs(self) -> list[str]:
        """Names of the graph's inputs behind `tokens` and `length`, in their order."""
        return [*([PAST_LENGTH] if self.grows else []), *(spec.name for spec in self.state)]

    @property
    def outputs(self) -> list[str]:
        """Names of the graph's outputs behind `logits`, in their order."""
        return [spec.output for spec in self.state]

    def empty(self, rows: int) -> Arrays:
        """The inputs of `inputs` for texts that have read nothing."""
        return RowStates(self, rows).inputs()

    def beginning(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """All inputs of the graph for texts that begin: `text` (N, T) and `length` (N,), as `predict` takes them."""
        return {"tokens": inputs["text"], "length": inputs["length"]} | self.empty(len(inputs["text"]))


class RowStates:
    """The state of the texts that are generated together, one row each, in buffers that have room for more.

    `places` is the room along P, a multiple of `STEP` or 0; the graph gets all of it, so that nothing is copied when a
    token comes. Places beyond a row's length always hold finite numbers: a mask does not undo NaN.
    """

    STEP = 64

    def __init__(self, spec: GenerationSpec, rows: int = 0):
        self.spec, self.rows, self.places = spec, rows, 0
        self.lengths = np.zeros(rows, np.int64)
        """Tokens that each row has read, (rows,)."""
        self.buffers = {each.name: each.empty(rows) for each in spec.state}

    def inputs(self) -> Arrays:
        """What the graph takes besides `tokens` and `length`; views, to be used before the next change."""
        past = {PAST_LENGTH: self.lengths[: self.rows]} if self.spec.grows else {}
        return past | {name: buffer[: self.rows] for name, buffer in self.buffers.items()}

    def row(self, row: int) -> "RowStates":
        """A copy of one row."""
        alone = RowStates(self.spec, 0)
        alone.places = self.places
        alone.rows, alone.lengths = 1, self.lengths[row : row + 1].copy()
        alone.buffers = {name: buffer[row : row + 1].copy() for name, buffer in self.buffers.items()}
        return alone

    def extend(self, outputs: Mapping[str, np.ndarray], length: np.ndarray) -> None:
        """All rows have read `length` (rows,) tokens, and these are the graph's outputs."""
        before, after = self.lengths[: self.rows].copy(), self.lengths[: self.rows] + length
        self._make_room(int(after.max(initial=0)))
        for spec in self.spec.state:
            buffer, new = self.buffers[spec.name], outputs[spec.output]
            if spec.axis is None:
                buffer[: self.rows] = new
            else:
                _write(np.moveaxis(buffer, spec.axis, 1), np.moveaxis(new, spec.axis, 1), before, length)
        self.lengths[: self.rows] = after

    def append(self, others: "RowStates") -> None:
        """Put the rows of `others` behind these."""
        self._make_room(int(others.lengths[: others.rows].max(initial=0)))
        total = self.rows + others.rows
        if total > len(self.lengths):
            self._make_rows(max(total, 2 * len(self.lengths)))
        for spec in self.spec.state:
            target, source = self.buffers[spec.name][self.rows : total], others.buffers[spec.name][: others.rows]
            if spec.axis is not None:  # whatever stood here before is gone
                source = _with_room(spec, source, self.places, self.places)
            target[...] = source
        self.lengths[self.rows : total] = others.lengths[: others.rows]
        self.rows = total

    def remove(self, row: int) -> None:
        """Take a row out; the last one comes in its place."""
        last = self.rows - 1
        for values in (self.lengths, *self.buffers.values()):
            values[row] = values[last]
        self.rows = last
        needed = _rounded(int(self.lengths[:last].max(initial=0)), self.STEP)
        if 2 * needed < self.places:
            self._set_places(needed)

    def _make_room(self, longest: int) -> None:
        if self.spec.grows and longest > self.places:
            self._set_places(_rounded(longest, self.STEP))

    def _set_places(self, places: int) -> None:
        kept = min(places, self.places)
        for spec in self.spec.state:
            if spec.axis is not None:
                self.buffers[spec.name] = _with_room(spec, self.buffers[spec.name], kept, places)
        self.places = places

    def _make_rows(self, rows: int) -> None:
        for spec in self.spec.state:
            wider = spec.empty(rows, self.places)
            wider[: self.rows] = self.buffers[spec.name][: self.rows]
            self.buffers[spec.name] = wider
        lengths = np.zeros(rows, np.int64)
        lengths[: self.rows] = self.lengths[: self.rows]
        self.lengths = lengths


def _with_room(spec: StateSpec, values: np.ndarray, kept: int, places: int) -> np.ndarray:
    """The first `kept` places of a growing state, at most, in one that has so many."""
    assert spec.axis is not None
    wider = spec.empty(len(values), places)
    source = np.moveaxis(values, spec.axis, 1)[:, :kept]
    np.moveaxis(wider, spec.axis, 1)[:, : source.shape[1]] = source
    return wider


def _write(buffer: np.ndarray, new: np.ndarray, before: np.ndarray, length: np.ndarray) -> None:
    """Into `buffer` (rows, places, …), behind the first `before` places of each row, the first `length` of `new` (rows,
    T, …)."""
    if new.shape[1] == 1:
        buffer[np.arange(len(new)), before] = new[:, 0]
        return
    for row, (start, count) in enumerate(zip(before, length, strict=True)):
        buffer[row, start : start + count] = new[row, :count]


def _rounded(number: int, step: int) -> int:
    return -(-number // step) * step


# ---------------------------------------------------------------------------------------- without a service


def replay(
    advance: Advance, spec: GenerationSpec, tokens: np.ndarray, length: np.ndarray, following: np.ndarray
) -> np.ndarray:
    """The logits (N, K + 1, V) after prompts (N, T) of `length` (N,) tokens, and after each of the tokens `following`
    (N, K), read one at a time."""
    states = RowStates(spec, len(tokens))
    found = [_read(advance, states, tokens, length)]
    found += [_read(advance, states, token[:, None], np.ones_like(length)) for token in following.T]
    return np.stack(found, 1)


def greedy(
    advance: Advance, spec: GenerationSpec, tokens: np.ndarray, length: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The `count` likeliest tokens (N, K) after prompts, one after the other, and by how much each was likelier than
    the second, in units of the logits, (N, K)."""
    states, chosen, margins = RowStates(spec, len(tokens)), [], []
    logits = _read(advance, states, tokens, length)
    for _ in range(count):
        best = np.sort(logits, 1)[:, -2:]
        chosen.append(logits.argmax(1))
        margins.append(best[:, 1] - best[:, 0])
        logits = _read(advance, states, chosen[-1][:, None], np.ones_like(length))
    return np.stack(chosen, 1), np.stack(margins, 1)


def _read(advance: Advance, states: RowStates, tokens: np.ndarray, length: np.ndarray) -> np.ndarray:
    outputs: Mapping[str, Any] = advance({"tokens": tokens, "length": length} | states.inputs())
    states.extend(outputs, length)
    return outputs["logits"]
