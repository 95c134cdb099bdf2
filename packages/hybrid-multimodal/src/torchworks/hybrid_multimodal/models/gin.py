"""Graph isomorphism network (Xu et al. 2019, "How powerful are graph neural networks?",
https://arxiv.org/abs/1810.00826). Keys and numbers are those of torch_geometric's `GINConv`."""

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.message_passing import gathered


class GINLayer(nn.Module):
    """A sum of the neighbors, which a mean cannot replace without taking different surroundings for the same, and a
    network of each node (equation 4.1):

        xᵢ′ = MLP((1 + ε) xᵢ + Σ_{j ∈ N(i)} xⱼ)

    It reads no features of edges. `nn` is the MLP; ε stays as it is."""

    eps: Tensor

    def __init__(self, nn: nn.Module, eps: float = 0.0):
        super().__init__()
        self.nn = nn
        self.register_buffer("eps", torch.tensor([eps]))

    def forward(self, x: Tensor, edges: Tensor, bonds: Tensor | None = None) -> Tensor:
        """x (n, in_channels), edges (2, E) → (n, out_channels)."""
        return self.nn((1 + self.eps) * x + gathered(x[edges[0]], edges[1], x.shape[0]))
