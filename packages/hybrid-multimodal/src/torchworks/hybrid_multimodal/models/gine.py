"""Graph isomorphism network with features of edges (Hu et al. 2020, "Strategies for pre-training graph neural
networks", https://arxiv.org/abs/1905.12265). Keys and numbers are those of torch_geometric's `GINEConv`."""

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.message_passing import gathered


class GINELayer(nn.Module):
    """As GIN, but a message is of the neighbor and of the edge to it (section A, as torch_geometric has it, with ReLU):

        xᵢ′ = MLP((1 + ε) xᵢ + Σ_{j ∈ N(i)} relu(xⱼ + W eⱼᵢ + b))

    `nn` is the MLP; ε stays as it is."""

    eps: Tensor

    def __init__(self, nn: nn.Module, in_channels: int, edge_dim: int, eps: float = 0.0):
        super().__init__()
        self.nn = nn
        self.register_buffer("eps", torch.tensor([eps]))
        self.lin = torch.nn.Linear(edge_dim, in_channels)

    def forward(self, x: Tensor, edges: Tensor, bonds: Tensor) -> Tensor:
        """x (n, in_channels), edges (2, E), bonds (E, edge_dim) → (n, out_channels)."""
        messages = (x[edges[0]] + self.lin(bonds)).relu()
        return self.nn((1 + self.eps) * x + gathered(messages, edges[1], x.shape[0]))
