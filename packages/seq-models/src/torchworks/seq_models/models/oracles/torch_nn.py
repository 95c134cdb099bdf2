"""Recurrent layers beside those of torch.nn."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from torchworks.seq_models.models import recurrent
from torchworks.seq_models.models.parity import Comparison, Sizes
from torchworks.shared.testing import randomize

INPUTS, HIDDEN = 5, 7


def rnn() -> Comparison:
    return of_padded("RNN")


def rnn_relu() -> Comparison:
    return of_padded("RNN", nonlinearity="relu")


def rnn_lengths() -> Comparison:
    return of_lengths("RNN")


def lstm() -> Comparison:
    return of_padded("LSTM")


def lstm_projected() -> Comparison:
    return of_padded("LSTM", proj_size=3)


def lstm_lengths() -> Comparison:
    return of_lengths("LSTM")


def gru() -> Comparison:
    return of_padded("GRU")


def gru_lengths() -> Comparison:
    return of_lengths("GRU")


def of_padded(name: str, **options: Any) -> Comparison:
    """Two nets that read all moments."""
    ours, theirs = (getattr(module, name)(INPUTS, HIDDEN, batch_first=True, **options) for module in (recurrent, nn))
    return Comparison(
        f"torch.nn.{name}", ours, randomize(theirs), make=lambda sizes: (moments(sizes),), axes=({0: "N", 1: "T"},)
    )


def of_lengths(name: str) -> Comparison:
    """Two nets of two layers and both directions that read rows of different lengths."""
    options: dict[str, Any] = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    ours, theirs = (getattr(module, name)(INPUTS, HIDDEN, **options) for module in (recurrent, nn))
    return Comparison(
        f"torch.nn.{name}, packed", WithLengths(ours), Packed(randomize(theirs)),
        make=lambda sizes: (moments(sizes), lengths(sizes)), axes=({0: "N", 1: "T"}, {0: "N"}),
    )  # fmt: skip


def moments(sizes: Sizes) -> Tensor:
    """Random inputs (N, T, C)."""
    return torch.randn(sizes["N"], sizes["T"], INPUTS, generator=torch.Generator().manual_seed(0))


def lengths(sizes: Sizes) -> Tensor:
    """From 1 to T, in no order: (N,)."""
    found = torch.randint(1, sizes["T"] + 1, (sizes["N"],), generator=torch.Generator().manual_seed(1))
    found[-1] = sizes["T"]
    return found


class WithLengths(nn.Module):
    """Our layer, with lengths as its second input."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        return self.net(x, None, lengths)


class Packed(nn.Module):
    """torch.nn's layer on a packed sequence; the outputs (N, T, D·P) are 0 beyond each row's end."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Any]:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, state = self.net(packed)
        return pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])[0], state
