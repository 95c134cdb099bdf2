"""The density of a series, step by step, from what came before.

van den Oord et al. 2016, "WaveNet: A Generative Model for Raw Audio" (arXiv:1609.03499), equation 1 and sections 2.1,
2.3 and 2.4; Bai, Kolter & Koltun 2018 (arXiv:1803.01271) for such nets on series. A mixture of normal distributions
(`gaussian_mixture.py`) replaces WaveNet's 256 levels.

    p(x) = Π_t p(x_t | x_1, …, x_{t−1})        z = tanh(W_f ∗ x) ⊙ σ(W_g ∗ x)        (equation 2)

The idea: convolutions that look back alone, with holes that double from layer to layer, see hundreds of steps with few
weights. What each step's density says of the value that came is the step's surprise.

What differs from the papers: a second input channel is 1 within the series and 0 before its beginning, so that the net
knows where it begins; channels of a series are independent of each other within a step, given the past.

The state is what later steps need of the past: the last step with its mark, and of each layer the inputs that its
holes reach back to. It begins as zeros.

Shape letters: N series, T steps, C channels, H hidden units, K components, B steps that all layers reach back to.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.seq_models.models.gaussian_mixture import log_density
from torchworks.seq_models.models.padding import last_before

State = tuple[Tensor, ...]


class CausalDensity(nn.Module):
    """Series x (N, T, C), about standardized → the surprise −log p(x_t | x_<t) of each value, (N, T, C), in nats. No
    step depends on a later one. `depth` layers with kernels of `kernel` steps see 1 + (kernel − 1)·(2^depth − 1)."""

    def __init__(self, channels: int, *, hidden_dim: int = 32, depth: int = 6, kernel: int = 3, components: int = 4):
        super().__init__()
        self.channels, self.hidden_dim, self.components = channels, hidden_dim, components
        self.into = nn.Conv1d(channels + 1, hidden_dim, 1)
        self.layers = nn.ModuleList(CausalLayer(hidden_dim, kernel, 2**i) for i in range(depth))
        self.back = [(kernel - 1) * 2**i for i in range(depth)]
        self.out = nn.Conv1d(hidden_dim, channels * 3 * components, 1)

    @property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """Of the tensors of a state, without their rows: (1, C + 1) and (B, H)."""
        return [(1, self.channels + 1), (sum(self.back), self.hidden_dim)]

    def forward(self, x: Tensor) -> Tensor:
        state = tuple(x.new_zeros(x.shape[0], *shape) for shape in self.state_shapes)
        return self.advance(x, state)[0]

    def advance(self, x: Tensor, state: State, length: Tensor | None = None) -> tuple[Tensor, State]:
        """The surprise of these steps, given the `state` that those before left, and the state after them, or after the
        first `length` (N,) of each row."""
        rows, steps, channels = x.shape
        end = torch.full_like(x[:, 0, 0], steps, dtype=torch.int64) if length is None else length
        marked = torch.cat([state[0].to(x.dtype), F.pad(x, (0, 1), value=1.0)], 1)  # (N, 1 + T, C + 1)
        hidden = self.into(marked[:, :-1].transpose(1, 2))  # each step sees the one before
        total, pasts = torch.zeros_like(hidden), []
        for layer, past in zip(self.layers, state[1].split(self.back, 1), strict=True):
            whole = torch.cat([past.transpose(1, 2).to(hidden.dtype), hidden], 2)
            pasts.append(last_before(whole.transpose(1, 2), end, past.shape[1]))
            hidden, skip = layer(whole)
            total = total + skip
        answers = self.out(total.relu()).float().transpose(1, 2)  # (N, T, C · 3 · K)
        surprise = -log_density(answers.view(rows, steps, channels, 3 * self.components), x.float())
        return surprise, (last_before(marked, end, 1), torch.cat(pasts, 1))


class CausalLayer(nn.Module):
    """x (N, H, R + T), the R steps that it reaches back to and T more → the next layer's input and what goes to the
    end, (N, H, T) each."""

    def __init__(self, hidden_dim: int, kernel: int, dilation: int):
        super().__init__()
        self.back = (kernel - 1) * dilation
        self.conv = nn.Conv1d(hidden_dim, 2 * hidden_dim, kernel, dilation=dilation)
        self.skip = nn.Conv1d(hidden_dim, hidden_dim, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        content, gate = self.conv(x).chunk(2, 1)
        skip = self.skip(content.tanh() * gate.sigmoid())
        return x[..., self.back :] + skip, skip
