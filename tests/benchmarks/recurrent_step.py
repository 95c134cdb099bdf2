"""Recurrent layers beside torch.nn's: forward, and forward with backward, of the same weights and inputs."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from torchworks.seq_models.models import recurrent
from torchworks.seq_models.models.recurrent_base import Recurrent

OURS, THEIRS, TEXTBOOK = "ours", "torch.nn", "ours, by equations"


@dataclass(frozen=True)
class Layer:
    """A layer and what it reads."""

    kind: str
    batch: int
    length: int
    inputs: int
    hidden: int
    lengths: bool = False
    """Rows of lengths from a half on, in both directions."""

    def __str__(self) -> str:
        rest = ", both directions, lengths" if self.lengths else ""
        return f"{self.kind}, {self.batch}×{self.length}×{self.inputs} → {self.hidden}{rest}"


LAYERS = (
    Layer("LSTM", 32, 128, 64, 256),
    Layer("LSTM", 32, 128, 64, 128, lengths=True),
    Layer("LSTM", 1, 128, 64, 256),
    Layer("GRU", 32, 128, 64, 256),
    Layer("RNN", 32, 128, 64, 256),
)


def steps(layer: Layer, *, backward: bool) -> dict[str, Callable[[], object]]:
    """One pass by each implementation; all give the same numbers (`difference`)."""
    ours, theirs = nets(layer)
    x, lengths = batch(layer)
    passes = {OURS: lambda: ours(x, None, lengths)[0], THEIRS: lambda: reference(theirs, x, lengths)}
    if not layer.lengths:
        passes[TEXTBOOK] = lambda: ours.by_equations(x)[0]
    owners = {OURS: ours, THEIRS: theirs, TEXTBOOK: ours}
    act = _backward if backward else _forward
    return {name: lambda net=owners[name], run=run: act(net, run) for name, run in passes.items()}


def nets(layer: Layer) -> tuple[Recurrent, nn.Module]:
    options = {"batch_first": True, "bidirectional": layer.lengths}
    torch.manual_seed(0)
    ours, theirs = (
        getattr(module, layer.kind)(layer.inputs, layer.hidden, **options) for module in (recurrent, nn)
    )  # fmt: skip
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def batch(layer: Layer) -> tuple[Tensor, Tensor | None]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(layer.batch, layer.length, layer.inputs, generator=generator)
    some = torch.randint(layer.length // 2, layer.length + 1, (layer.batch,), generator=generator)
    return x, some if layer.lengths else None


def reference(net: nn.Module, x: Tensor, lengths: Tensor | None) -> Tensor:
    """The outputs of torch.nn's layer, of a packed sequence if there are lengths."""
    if lengths is None:
        return net(x)[0]
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return nn.utils.rnn.pad_packed_sequence(net(packed)[0], batch_first=True, total_length=x.shape[1])[0]


def difference(layer: Layer) -> float:
    """Of the largest gradient, after one pass of ours and of torch.nn's."""
    found = []
    for name, step in steps(layer, backward=True).items():
        if name != TEXTBOOK:
            gradients = step()
            assert isinstance(gradients, list)
            found.append(gradients)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(*found, strict=True))


def _forward(net: nn.Module, run: Callable[[], Tensor]) -> Tensor:
    with torch.no_grad():
        return run()


def _backward(net: nn.Module, run: Callable[[], Tensor]) -> list[Tensor]:
    net.zero_grad()
    run().square().mean().backward()
    return [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
