"""The density of a row of numbers, column by column.

Uria, Murray & Larochelle 2013, "RNADE: The real-valued neural autoregressive density-estimator" (arXiv:1306.0186),
equations 1, 4 and 5.

The idea: a row is as probable as its first number, times its second given the first, and so on. Each conditional is a
mixture of normal distributions, whose parameters a net reads off the columns before:

    log p(x) = Σ_d log p(x_d | x_1, …, x_{d−1})

Each term is a column's own surprise, which says where a row is unusual. It depends on the order: a column is judged by
what stands before it.

What differs from the paper: each column has a two-layer net of its own, and they share no weights. They are computed
together, as batched products with weights that are 0 from columns that a net must not see.

Shape letters: N rows, D columns, H hidden units, K components.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.seq_models.models.gaussian_mixture import log_density


class AutoregressiveDensity(nn.Module):
    """Rows x (N, D), about standardized → the surprise −log p(x_d | x_<d) of each column, (N, D), in nats."""

    visible: Tensor

    def __init__(self, columns: int, *, hidden_dim: int = 64, components: int = 8):
        super().__init__()
        self.first = nn.Parameter(torch.empty(columns, columns, hidden_dim))
        self.second = nn.Parameter(torch.empty(columns, hidden_dim, hidden_dim))
        self.last = nn.Parameter(torch.empty(columns, hidden_dim, 3 * components))
        for weight, inputs in ((self.first, columns), (self.second, hidden_dim), (self.last, hidden_dim)):
            nn.init.uniform_(weight, -1 / math.sqrt(inputs), 1 / math.sqrt(inputs))
        self.biases = nn.ParameterList(
            nn.Parameter(torch.zeros(columns, 1, size)) for size in (hidden_dim, hidden_dim, 3 * components)
        )
        means = torch.linspace(-2, 2, components)  # components begin apart
        with torch.no_grad():
            self.biases[2][..., components : 2 * components] = means
        self.register_buffer("visible", torch.ones(columns, columns).triu(1)[..., None].transpose(0, 1), False)

    def forward(self, x: Tensor) -> Tensor:
        columns = x.shape[1]
        hidden = torch.baddbmm(self.biases[0], x.expand(columns, -1, -1), self.first * self.visible)  # (D, N, H)
        hidden = torch.baddbmm(self.biases[1], F.gelu(hidden), self.second)
        answers = torch.baddbmm(self.biases[2], F.gelu(hidden), self.last).float()
        return -log_density(answers.transpose(0, 1), x.float())
