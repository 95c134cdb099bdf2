"""A recurrent net on piano rolls: which of 88 notes sound next, each by itself.

Chung, Gulcehre, Cho and Bengio 2014, "Empirical Evaluation of Gated Recurrent Neural Networks on Sequence Modeling"
(arXiv:1412.3555), section 4, which compares tanh units, LSTM and GRU on polyphonic music.

The idea: a frame is 88 numbers, 1 for a note that sounds. The net reads them and gives 88 probabilities for the next:

    P(frame t | before) = Π_n P(note n sounds | h_t),    P(note n sounds) = σ(w_n · h_t + b_n)

Notes of a frame are independent given the past, which is what such a net cannot do better: it knows that C major or F
minor may come, and so gives each of six notes its share. `rnn_nade.py` does not have that limit.

What differs from the paper: dropout, and a learned vector stands before the first frame.

Shape letters: N pieces, L frames, V notes of a frame, H hidden_dim.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.recurrent import new_layers
from torchworks.seq_models.music.frames import LOWEST, NOTES


def as_roll(frames: Tensor) -> Tensor:
    """MIDI numbers (…, V), 0 for none → 1 for each note that sounds, float (…, 88)."""
    choices = (frames - (LOWEST - 1)).clamp(min=0)
    return F.one_hot(choices, NOTES + 1).amax(-2)[..., 1:].float()


class RollModel(nn.Module):
    """What nets on rolls have in common: frames, int64 (N, L, V) → logits (N, L, 88), at [:, t] of the notes of frame t
    if those before it are as given. A subclass has `over_time`, from (N, L, E) to (N, L, H), causal."""

    def __init__(self, embed_dim: int, hidden_dim: int, drop_rate: float):
        super().__init__()
        self.embedding = nn.Linear(NOTES, embed_dim)
        self.begin = nn.Parameter(torch.zeros(embed_dim))
        self.to_notes = nn.Linear(hidden_dim, NOTES)
        self.dropout = nn.Dropout(drop_rate)

    def over_time(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, frames: Tensor) -> Tensor:
        return self.after(frames)[:, :-1]

    def after(self, frames: Tensor) -> Tensor:
        """Logits (N, L + 1, 88): also of the frame that follows the last one."""
        x = self.embedding(as_roll(frames))
        x = torch.cat([self.begin.expand(frames.shape[0], 1, -1).to(x.dtype), x], 1)
        return self.to_notes(self.dropout(self.over_time(self.dropout(x))))

    def loss(self, frames: Tensor) -> Tensor:
        """The negative log-likelihood (nats) of each frame, given those before it, (N, L)."""
        logits = self(frames).float()
        return F.binary_cross_entropy_with_logits(logits, as_roll(frames), reduction="none").sum(-1)


class RollRNN(RollModel):
    """With recurrent layers of `kind` "rnn", "lstm" or "gru"."""

    def __init__(
        self,
        *,
        kind: str = "gru",
        depth: int = 1,
        embed_dim: int = 128,
        hidden_dim: int = 256,
        drop_rate: float = 0.3,
    ):
        super().__init__(embed_dim, hidden_dim, drop_rate)
        self.layers = new_layers(kind, embed_dim, hidden_dim, num_layers=depth, dropout=drop_rate if depth > 1 else 0.0)

    def over_time(self, x: Tensor) -> Tensor:
        return self.layers(x)[0]
