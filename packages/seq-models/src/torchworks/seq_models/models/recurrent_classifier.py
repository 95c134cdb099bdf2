"""A recurrent net that reads a text in both directions, and tells its class.

Graves & Schmidhuber 2005, "Framewise Phoneme Classification with Bidirectional LSTM"; the maximum over time after
Conneau et al. 2017 (arXiv:1705.02364), section 3.2.3 "BiLSTM with mean/max pooling".

The idea: one net reads a text from its beginning, another from its end. Together they know for each token what stands
before it and after it. What speaks for a class is then looked for at all places.

    h→_t = recurrent(x_t, h→_{t-1})        h←_t = recurrent(x_t, h←_{t+1})        equations: see `recurrent.py`
    u = max_t [h→_t, h←_t],  or their mean, or the states at the two ends
    logits = W u + b

What differs from the papers: the embeddings are learned, with dropout on them and on u.

Padding, of token 0 at a text's end, changes nothing: each row is read to its own end, and begun there from behind.

Shape letters: N texts, T tokens, E size of the embedding, D directions, H size of a state, K classes.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from torchworks.seq_models.models.padding import lengths_of
from torchworks.seq_models.models.recurrent import new_layers

Pooling = Literal["max", "mean", "last"]


class RecurrentClassifier(nn.Module):
    """Tokens, int64 (N, T) in [0, `vocabulary`), padded with 0 at their end → logits (N, K), K = `num_classes`."""

    def __init__(
        self,
        vocabulary: int,
        num_classes: int,
        *,
        kind: str = "lstm",
        embed_dim: int = 32,
        hidden_dim: int = 64,
        depth: int = 1,
        bidirectional: bool = True,
        pooling: Pooling = "max",
        drop_rate: float = 0.5,
    ):
        super().__init__()
        if pooling not in ("max", "mean", "last"):
            raise ValueError(f"pooling must be 'max', 'mean' or 'last', but it is {pooling!r}")
        self.pooling = pooling
        self.embedding = nn.Embedding(vocabulary, embed_dim)
        dropout = drop_rate if depth > 1 else 0.0
        self.layers = new_layers(
            kind, embed_dim, hidden_dim, num_layers=depth, dropout=dropout, bidirectional=bidirectional
        )
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(hidden_dim * self.layers.directions, num_classes)

    def forward(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`lengths`, int64 (N,), are those without padding, if they are known."""
        lengths = lengths_of(tokens) if lengths is None else lengths
        outputs, state = self.layers(self.dropout(self.embedding(tokens)), None, lengths)  # (N, T, D·H)
        return self.classifier(self.dropout(self._pooled(outputs, state, lengths)))

    def _pooled(self, outputs: Tensor, state: Tensor | tuple[Tensor, ...], lengths: Tensor) -> Tensor:
        """One vector (N, D·H) of each text; 0 for a text without tokens."""
        if self.pooling == "last":
            h = state if isinstance(state, Tensor) else state[0]  # (L·D, N, H)
            return torch.cat(h[-self.layers.directions :].unbind(0), 1)
        lengths = lengths.to(outputs.device)
        if self.pooling == "mean":
            return outputs.sum(1) / lengths.clamp(min=1)[:, None]  # what is padding counts as 0
        real = torch.arange(outputs.shape[1], device=outputs.device) < lengths[:, None]  # (N, T)
        largest = outputs.masked_fill(~real[..., None], torch.finfo(outputs.dtype).min).amax(1)
        return largest * (lengths > 0)[:, None]
