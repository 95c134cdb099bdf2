"""A recurrent language model: it reads one token after the other and predicts the next.

Mikolov et al. 2010, "Recurrent Neural Network Based Language Model"; with an LSTM and dropout as in Zaremba et al. 2014
(arXiv:1409.2329), and one matrix for the embeddings of inputs and outputs as in Press & Wolf 2017 (arXiv:1608.05859).

The idea: the state of a recurrent net is all that is kept of what was read. It has one size however long the text is,
so that each further token costs the same, and a text may be as long as one likes.

    h_t = recurrent(√E W[token_t], h_{t-1})                  equations: see `recurrent.py`
    logits_t = (A h_t + a) Wᵀ + b

Dropout is applied to what goes up from layer to layer and never to what goes on in time (Zaremba et al., figure 2).

What differs from the papers: A brings a state to the embeddings' size E, so that the state may be larger. Inputs are
scaled by √E, for the embeddings start small as they serve the logits too.

Shape letters: B rows, T tokens, V vocabulary, E embed_dim, L depth, H hidden_dim.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.generation.protocol import State
from torchworks.seq_models.models.padding import moved_to_front
from torchworks.seq_models.models.recurrent import new_layers


class RecurrentLM(nn.Module):
    """Tokens, int64 (B, T) in [0, `vocabulary`), → logits (B, T, V) of the token after each; `kind` "rnn", "lstm" or
    "gru"."""

    longest = None
    continues = True

    def __init__(
        self,
        vocabulary: int,
        *,
        kind: str = "lstm",
        depth: int = 1,
        embed_dim: int = 128,
        hidden_dim: int = 256,
        drop_rate: float = 0.0,
    ):
        super().__init__()
        self.vocabulary = vocabulary
        self.embedding = nn.Embedding(vocabulary, embed_dim)
        self.layers = new_layers(kind, embed_dim, hidden_dim, num_layers=depth, dropout=drop_rate if depth > 1 else 0.0)
        self.to_embedding = nn.Linear(hidden_dim, embed_dim)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.dropout = nn.Dropout(drop_rate)
        nn.init.normal_(self.embedding.weight, std=embed_dim**-0.5)

    def forward(self, tokens: Tensor, real: Tensor | None = None) -> Tensor:
        """`real`, bool (B, T), is False where rows are padded, at their end: what follows a token does not change its
        logits, so that it is not needed. The state begins at zero."""
        return self.read(tokens, self.empty_state(tokens))[0]

    def read(self, tokens: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Continue from a `state`: logits (B, T, V), and the state at each row's end.

        With the state of one window given to the next, a long text is read piece by piece."""
        outputs, state = self._layers(tokens, state, lengths)
        return self._logits(outputs), state

    def _layers(self, tokens: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        x = self.dropout(self.embedding(tokens) * self.embedding.embedding_dim**0.5)  # (B, T, E)
        given = tuple(each.transpose(0, 1).contiguous() for each in state.values())  # (L, B, H)
        outputs, last = self.layers(x, given if len(given) > 1 else given[0], lengths)  # (B, T, H)
        last = (last,) if isinstance(last, Tensor) else last
        return outputs, {name: each.transpose(0, 1) for name, each in zip(state, last, strict=True)}

    def _logits(self, outputs: Tensor) -> Tensor:
        return F.linear(self.to_embedding(self.dropout(outputs)), self.embedding.weight, self.bias)

    def empty_state(self, tokens: Tensor) -> State:
        """Of rows that have read nothing: `h` (B, L, H), and `c` likewise of an LSTM."""
        shape = (tokens.shape[0], self.layers.num_layers, self.layers.hidden_size)
        return {name: self.bias.new_zeros(shape) for name in ("h", "c")[: self.layers.states]}

    # ------------------------------------------------------------------------------------------ generation

    @torch.no_grad()
    def start(self, tokens: Tensor, real: Tensor) -> tuple[Tensor, State]:
        """See `generation.protocol`. The state is that of `empty_state`."""
        return self.advance(tokens, real, self.empty_state(tokens))

    @torch.no_grad()
    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        """See `generation.protocol`."""
        outputs, state = self._layers(token[:, None], state, None)
        return self._logits(outputs[:, 0]), state

    def advance(self, tokens: Tensor, real: Tensor, state: State) -> tuple[Tensor, State]:
        """`start` and `step` as one function, for export: tokens (B, T), of which the `real` ones (B, T) are read, and
        the state → logits (B, V) of the token after each row's last real one, and the new state."""
        tokens, lengths = moved_to_front(tokens, real)
        _, state = self._layers(tokens, state, lengths)
        return self._logits(state["h"][:, -1]), state  # the top layer's last output is its state
