"""A recurrent net that reads a series in both directions, and tells its class.

Graves & Schmidhuber 2005, "Framewise Phoneme Classification with Bidirectional LSTM"; Cho et al. 2014
(arXiv:1406.1078) for the GRU, see `recurrent.py`.

The idea: each step's features know all that comes before the step and all that comes after it. Their mean over time
tells the class, so that, unlike with the last state alone, a gradient reaches every step directly.

    f_t = [h→_t, h←_t]        logits = W · 1/T Σ_t f_t + b

Shape letters: N series, T steps, C channels, H size of a state.
"""

from torch import Tensor

from torchworks.seq_models.models.recurrent import new_layers
from torchworks.seq_models.models.series_classifier import SeriesClassifier


class RecurrentSeriesClassifier(SeriesClassifier):
    """See `SeriesClassifier`. `kind` is gru, lstm or rnn."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        kind: str = "gru",
        hidden_dim: int = 64,
        depth: int = 1,
        drop_rate: float = 0.0,
    ):
        super().__init__(2 * hidden_dim, num_classes, drop_rate)
        between = drop_rate if depth > 1 else 0.0
        self.layers = new_layers(kind, in_channels, hidden_dim, num_layers=depth, dropout=between, bidirectional=True)

    def features(self, x: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
        return self.layers(x, None, lengths)[0]  # (N, T, 2·H)
