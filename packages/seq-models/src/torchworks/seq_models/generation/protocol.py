"""What a net must offer so that tokens can be generated from it, one at a time.

    logits, state = net.start(tokens, real)      # read the prompts
    while …:
        logits, state = net.step(token, state)   # one more token of each row

`GPT` reads a prompt and continues it. `Transformer` and `T5` read a source text and begin their answer. A recurrent net
keeps its hidden state. All look alike from here.

Rows never answer to each other: a row's logits are the same in any batch, whatever padding stands beside it, up to
rounding. So positions come from `real`, not from the place in the tensor.

Shape letters: B rows, T tokens of the longest prompt, V tokens of the vocabulary.
"""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

State = dict[str, Tensor]
"""All that `step` needs besides the token. The first size of each tensor is B: rows can be selected, repeated and
reordered by indexing each of them, and nothing else is row-dependent."""


class Autoregressive(Protocol):
    """A net that gives the logits of the next token."""

    vocabulary: int
    """V: tokens are whole numbers in [0, V)."""
    longest: int | None
    """Most tokens that a sequence can have; None if there is no limit. Where generated tokens continue the prompt, both
    are one sequence. Else the source and the generated tokens are one each."""
    continues: bool
    """Whether generated tokens continue the prompt (a language model), or answer it (an encoder–decoder)."""

    def start(self, tokens: Tensor, real: Tensor) -> tuple[Tensor, State]:
        """Read prompts, int64 (B, T). `real`, bool (B, T), is False where a row is padded, at its beginning or end;
        each row has at least one real token. Returns float logits (B, V) of the token after each row, and the state."""
        ...

    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one more token of each row, int64 (B,). Returns logits (B, V) of the token after it, and the new state.
        The old state may have been overwritten: use the new one only."""
        ...


def select(state: Mapping[str, Tensor], rows: Tensor) -> State:
    """The state of `rows`, int64 (N,), in this order; a row may stand several times. The result is a copy."""
    return {name: value[rows] for name, value in state.items()}
