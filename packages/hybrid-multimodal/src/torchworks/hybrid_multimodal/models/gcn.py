"""Graph convolution (Kipf and Welling 2017, "Semi-supervised classification with graph convolutional networks",
https://arxiv.org/abs/1609.02907). Keys and numbers are those of torch_geometric's `GCNConv`."""

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.message_passing import gathered, is_loop, with_loops


class GCNLayer(nn.Module):
    """A mean of each node and its neighbors, in which a neighbor of many nodes counts less (equation 2):

        xᵢ′ = Σ_{j ∈ N(i) ∪ i} W xⱼ / √(dᵢ dⱼ) + b,   dᵢ = 1 + number of neighbors

    It reads no features of edges. A loop that the graph has already counts once."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.lin = nn.Linear(in_channels, out_channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, edges: Tensor, bonds: Tensor | None = None) -> Tensor:
        """x (n, in_channels), edges (2, E) → (n, out_channels)."""
        count = x.shape[0]
        edges = with_loops(edges, count)
        x = self.lin(x)
        weight = (~is_loop(edges, count)).to(x.dtype)
        scale = gathered(weight, edges[1], count).rsqrt()
        messages = x[edges[0]] * (scale[edges[0]] * weight * scale[edges[1]])[:, None]
        return gathered(messages, edges[1], count) + self.bias
