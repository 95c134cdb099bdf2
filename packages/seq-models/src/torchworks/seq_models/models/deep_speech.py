"""A recogniser of one recurrent layer between layers that see a frame at a time.

Hannun et al. 2014, "Deep Speech: Scaling up end-to-end speech recognition" (arXiv:1412.5567).

The idea: with enough data and a loss that needs no alignment (CTC), a simple net is enough. Three layers look at each
frame, a recurrent one reads all frames in both directions, and a fifth looks at the sum of both (section 2):

    h1..h3 = g(W h + b)        g(z) = min(max(0, z), 20)        h4 = h_forward + h_backward        h5 = g(W5 h4 + b5)

What differs from the paper: a frame's context comes in by its features, and the recurrent units are max(0, z) without
the limit, as in torchaudio, whose keys the parameters have.

Shape letters: N sounds, T frames, C features of a frame, H width, V letters with the blank.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.recurrent import RNN

LIMIT = 20.0


class FullyConnected(nn.Module):
    """(…, C) → (…, H) in 0..20."""

    def __init__(self, in_features: int, out_features: int, dropout: float):
        super().__init__()
        self.fc = nn.Linear(in_features, out_features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.fc(x).clamp(0.0, LIMIT))


class DeepSpeech(nn.Module):
    """Features (N, T, C) and, if rows differ, their frames (N,) → log-probabilities (N, T, V)."""

    def __init__(self, n_feature: int, n_hidden: int = 2048, n_class: int = 40, *, dropout: float = 0.0):
        super().__init__()
        self.fc1 = FullyConnected(n_feature, n_hidden, dropout)
        self.fc2 = FullyConnected(n_hidden, n_hidden, dropout)
        self.fc3 = FullyConnected(n_hidden, n_hidden, dropout)
        self.bi_rnn = RNN(n_hidden, n_hidden, nonlinearity="relu", bidirectional=True, batch_first=True)
        self.fc4 = FullyConnected(n_hidden, n_hidden, dropout)
        self.out = nn.Linear(n_hidden, n_class)

    def forward(self, x: Tensor, frames: Tensor | None = None) -> Tensor:
        x = self.fc3(self.fc2(self.fc1(x)))
        forward, backward = self.bi_rnn(x, None, frames)[0].chunk(2, 2)
        return F.log_softmax(self.out(self.fc4(forward + backward)), 2)
