"""A recurrent encoder–decoder with attention: the first net that looked where it needed to.

Bahdanau et al. 2015, "Neural Machine Translation by Jointly Learning to Align and Translate" (arXiv:1409.0473).

The idea: an encoder reads the source in both directions, which gives each of its places j an annotation h_j. Before
each token of the answer, the decoder weighs all places by how well they go with its state s_{i-1}, and takes the mean
of their annotations. No state of fixed size has to hold a whole sentence.

    e_ij = v · tanh(W_a s_{i-1} + U_a h_j)                   section 3.1 and appendix A.1.2
    α_ij = exp(e_ij) / Σ_k exp(e_ik)                         equation 6
    c_i  = Σ_j α_ij h_j                                      equation 5
    s_i  = recurrent([E y_{i-1}, c_i], s_{i-1})              equations: see `recurrent.py`
    p(y_i) = softmax(W_o tanh(W_t [s_i, c_i, E y_{i-1}]))    equation 4, whose g is left open there
    s_0  = tanh(W_s h←_1)                                    appendix A.2.2

`attention="general"` takes e_ij = s_{i-1} · W_a h_j instead (Luong et al. 2015, arXiv:1508.04025, section 3.1),
which needs no tanh for each pair of places. W_a is the product of two smaller matrices here, and e_ij is divided by
√A.

What differs: the answer comes from tanh where the appendix has maxout; the cell is a GRU or an LSTM of this package;
and dropout is applied to embeddings and to what the answer is read from. Luong's decoder weighs by s_i and this one by
s_{i-1}, as Bahdanau's does.

Padding of the source has weight 0, and the encoder begins at each row's own end.

Shape letters: B rows, R tokens of the source, T of the answer, V vocabulary of the answer, E embed_dim, H hidden_dim,
A attention_dim.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from torchworks.seq_models.generation.protocol import State
from torchworks.seq_models.models.padding import moved_to_front
from torchworks.seq_models.models.recurrent import new_layers
from torchworks.seq_models.models.recurrent_base import State as Hidden


class AttentionSeq2Seq(nn.Module):
    """Source tokens, int64 (B, R), and the answer's tokens, each moved one place on behind `begin`, int64 (B, T), →
    logits (B, T, V) of the answer's tokens."""

    longest = None
    continues = False

    def __init__(
        self,
        source_vocabulary: int,
        vocabulary: int,
        *,
        kind: Literal["gru", "lstm"] = "gru",
        attention: Literal["additive", "general"] = "additive",
        embed_dim: int = 64,
        hidden_dim: int = 128,
        attention_dim: int = 128,
        drop_rate: float = 0.1,
        begin: int = 0,
    ):
        super().__init__()
        if kind not in ("gru", "lstm"):
            raise ValueError(f"kind must be 'gru' or 'lstm', but it is {kind!r}")
        if attention not in _ATTENTIONS:
            raise ValueError(f"attention must be one of {', '.join(_ATTENTIONS)}, but it is {attention!r}")
        self.vocabulary, self.begin = vocabulary, begin
        self.source_embedding = nn.Embedding(source_vocabulary, embed_dim)
        self.target_embedding = nn.Embedding(vocabulary, embed_dim)
        self.encoder = new_layers(kind, embed_dim, hidden_dim, bidirectional=True)
        self.bridge = nn.Linear(hidden_dim, self.encoder.states * hidden_dim)
        self.attention = _ATTENTIONS[attention](hidden_dim, 2 * hidden_dim, attention_dim)
        self.cell = new_layers(kind, embed_dim + 2 * hidden_dim, hidden_dim)
        self.readout = nn.Linear(3 * hidden_dim + embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, vocabulary)
        self.dropout = nn.Dropout(drop_rate)

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        source_real: Tensor | None = None,
        target_real: Tensor | None = None,
    ) -> Tensor:
        """`source_real`, bool (B, R), is False where the source is padded. Answers are padded at their end, where it
        changes nothing before, so `target_real` is not needed."""
        return self.attend(source, target, source_real)[0]

    def attend(self, source: Tensor, target: Tensor, source_real: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, T, V), and the weights α (B, T, R) of the source's places at each token of the answer, whose sums
        are 1. Where a row is padded at its beginning, its weights begin at its first real token."""
        real = torch.ones_like(source, dtype=torch.bool) if source_real is None else source_real
        state = self.read(source, real)
        embedded = self.dropout(self.target_embedding(target))  # (B, T, E)
        features, weights = [], []
        for y in embedded.unbind(1):
            feature, weight, state = self._moment(y, state)
            features.append(feature)
            weights.append(weight)
        return self._logits(torch.stack(features, 1)), torch.stack(weights, 1)

    def read(self, source: Tensor, real: Tensor) -> State:
        """Encode the source: `values` (B, R, 2H), the annotations h_j; `keys` (B, R, A), what states are compared with;
        `real` (B, R); and the decoder's first state, `s` (B, H), with `c` (B, H) of an LSTM."""
        source, lengths = moved_to_front(source, real)
        values, last = self.encoder(self.dropout(self.source_embedding(source)), None, lengths)
        backward = (last if isinstance(last, Tensor) else last[0])[1]  # (B, H): from the end to the first token
        hidden = self.bridge(backward).tanh().chunk(self.encoder.states, 1)
        places = torch.arange(source.shape[1], device=source.device)
        memory = {"values": values, "keys": self.attention.keys(values), "real": places < lengths[:, None]}
        return memory | dict(zip(("s", "c"), hidden, strict=False))

    def _moment(self, y: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """One token of the answer: its predecessor's embedding y (B, E) and the state → what the answer is read from
        (B, 3H + E), the weights (B, R), the new state."""
        hidden: Hidden = tuple(state[name] for name in ("s", "c") if name in state)
        weight = self.attention(hidden[0], state["keys"], state["real"])  # (B, R)
        context = (weight[:, None] @ state["values"])[:, 0]  # (B, 2H)
        cell = self.cell.weights(0)
        inputs = self.cell.input_part(torch.cat([y, context], 1), cell)
        hidden = self.cell.equations(inputs, hidden, cell)
        feature = torch.cat([hidden[0], context, y], 1)
        return feature, weight, state | dict(zip(("s", "c"), hidden, strict=False))

    def _logits(self, features: Tensor) -> Tensor:
        return self.output(self.dropout(self.readout(features).tanh()))

    # ------------------------------------------------------------------------------------------ generation

    @torch.no_grad()
    def start(self, tokens: Tensor, real: Tensor) -> tuple[Tensor, State]:
        """See `generation.protocol`. The state is that of `read`."""
        return self.step(tokens.new_full((tokens.shape[0],), self.begin), self.read(tokens, real))

    @torch.no_grad()
    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        """See `generation.protocol`."""
        logits, _, state = self.advance(token, state)
        return logits, state

    def advance(self, token: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """The answer's latest token (B,) and the state → logits (B, V) of the next, the weights (B, R) with which it
        looked at the source, and the new state."""
        feature, weight, state = self._moment(self.dropout(self.target_embedding(token)), state)
        return self._logits(feature), weight, state


class Attention(nn.Module):
    """States (B, H) and keys (B, R, A) of the source → weights (B, R), 0 where `real` (B, R) is False."""

    def __init__(self, state_dim: int, value_dim: int, attention_dim: int):
        super().__init__()
        self.query = nn.Linear(state_dim, attention_dim, bias=False)
        self.keys = nn.Linear(value_dim, attention_dim, bias=False)

    def forward(self, state: Tensor, keys: Tensor, real: Tensor) -> Tensor:
        energy = self.energy(state, keys).masked_fill(~real, torch.finfo(keys.dtype).min)
        return energy.softmax(1)

    def energy(self, state: Tensor, keys: Tensor) -> Tensor:
        """How well the state goes with each place: e (B, R)."""
        raise NotImplementedError


class AdditiveAttention(Attention):
    """Bahdanau's: v · tanh(W s + U h)."""

    def __init__(self, state_dim: int, value_dim: int, attention_dim: int):
        super().__init__(state_dim, value_dim, attention_dim)
        self.v = nn.Linear(attention_dim, 1, bias=False)

    def energy(self, state: Tensor, keys: Tensor) -> Tensor:
        return self.v((self.query(state)[:, None] + keys).tanh())[..., 0]


class GeneralAttention(Attention):
    """Luong's "general": s · W h."""

    def energy(self, state: Tensor, keys: Tensor) -> Tensor:
        return (keys @ self.query(state)[..., None])[..., 0] / keys.shape[2] ** 0.5


_ATTENTIONS: dict[str, type[Attention]] = {"additive": AdditiveAttention, "general": GeneralAttention}
