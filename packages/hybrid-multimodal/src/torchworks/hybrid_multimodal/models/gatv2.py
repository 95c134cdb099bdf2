"""Graph attention that can rank neighbors differently for each node (Brody, Alon and Yahav 2022, "How attentive are
graph attention networks?", https://arxiv.org/abs/2105.14491). Keys and numbers are those of torch_geometric's
`GATv2Conv`."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.hybrid_multimodal.models.gat import SLOPE
from torchworks.hybrid_multimodal.models.message_passing import gathered, is_loop, softmax_incoming, with_loops


class GATv2Layer(nn.Module):
    """As GAT, but the vector of attention comes after the nonlinearity (equation 7):

        αᵢⱼ = softmaxⱼ a · leaky_relu(Wₗ xⱼ + Wᵣ xᵢ)        xᵢ′ = Σ_{j ∈ N(i) ∪ i} αᵢⱼ Wₗ xⱼ + b

    Heads stand side by side. It reads no features of edges."""

    def __init__(self, in_channels: int, head_channels: int, num_heads: int = 1):
        super().__init__()
        self.num_heads = num_heads
        self.lin_l = nn.Linear(in_channels, num_heads * head_channels)
        self.lin_r = nn.Linear(in_channels, num_heads * head_channels)
        self.att = nn.Parameter(torch.empty(1, num_heads, head_channels))
        self.bias = nn.Parameter(torch.zeros(num_heads * head_channels))
        for weight in (self.lin_l.weight, self.lin_r.weight, self.att):
            nn.init.xavier_uniform_(weight)

    def forward(self, x: Tensor, edges: Tensor, bonds: Tensor | None = None) -> Tensor:
        """x (n, in_channels), edges (2, E) → (n, H · head_channels)."""
        count = x.shape[0]
        edges = with_loops(edges, count)
        left, right = (lin(x).unflatten(1, (self.num_heads, -1)) for lin in (self.lin_l, self.lin_r))  # (n, H, d)
        sums = F.leaky_relu(left[edges[0]] + right[edges[1]], SLOPE)
        logits = (sums * self.att).sum(2).masked_fill(is_loop(edges, count)[:, None], float("-inf"))
        weights = softmax_incoming(logits, edges[1], count).to(left.dtype)
        return gathered(left[edges[0]] * weights[..., None], edges[1], count).flatten(1) + self.bias
