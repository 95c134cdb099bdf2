"""Graph attention (Veličković et al. 2018, "Graph attention networks", https://arxiv.org/abs/1710.10903). Keys and
numbers are those of torch_geometric's `GATConv`."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.hybrid_multimodal.models.message_passing import gathered, is_loop, softmax_incoming, with_loops

SLOPE = 0.2
"""Of the leaky ReLU (section 2.1)."""


class GATLayer(nn.Module):
    """A mean of each node and its neighbors, weighted by what both are, in each of H heads (equations 3 and 5):

        αᵢⱼ = softmaxⱼ leaky_relu(a · W xⱼ + a′ · W xᵢ)        xᵢ′ = Σ_{j ∈ N(i) ∪ i} αᵢⱼ W xⱼ + b

    Heads stand side by side. It reads no features of edges."""

    def __init__(self, in_channels: int, head_channels: int, num_heads: int = 1):
        super().__init__()
        self.num_heads = num_heads
        self.lin = nn.Linear(in_channels, num_heads * head_channels, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, num_heads, head_channels))
        self.att_dst = nn.Parameter(torch.empty(1, num_heads, head_channels))
        self.bias = nn.Parameter(torch.zeros(num_heads * head_channels))
        for weight in (self.lin.weight, self.att_src, self.att_dst):
            nn.init.xavier_uniform_(weight)

    def forward(self, x: Tensor, edges: Tensor, bonds: Tensor | None = None) -> Tensor:
        """x (n, in_channels), edges (2, E) → (n, H · head_channels)."""
        count = x.shape[0]
        edges = with_loops(edges, count)
        x = self.lin(x).unflatten(1, (self.num_heads, -1))  # (n, H, d)
        source, target = (x * self.att_src).sum(2), (x * self.att_dst).sum(2)
        logits = F.leaky_relu(source[edges[0]] + target[edges[1]], SLOPE)
        logits = logits.masked_fill(is_loop(edges, count)[:, None], float("-inf"))  # a node has one loop
        weights = softmax_incoming(logits, edges[1], count).to(x.dtype)
        return gathered(x[edges[0]] * weights[..., None], edges[1], count).flatten(1) + self.bias
