"""Mult-DAE: an autoencoder of the items that a user had, with a multinomial likelihood.

Liang, Krishnan, Hoffman and Jebara 2018, "Variational Autoencoders for Collaborative Filtering",
https://arxiv.org/abs/1802.05814.

    h = x / |x|₂                            x: 0 or 1 for each item, (N, I)
    z = tanh(W₁ dropout(h) + b₁)            (N, D)
    log p = log softmax(W₂ z + b₂)          (N, I)
    loss = -Σ_i x_i log p_i                 their eq. 2, without the KL term of Mult-VAE

Dropping inputs is the noise: whatever is dropped must be predicted from the rest. A user without items gets b₂ alone,
which begins as the logarithm of the popularity.

Shape letters: N users, T items of the longest history, I items (numbers 1 to I; 0 is padding), D size of the code.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MultiDAE(nn.Module):
    """Scores of all items from the items a user had."""

    def __init__(self, num_items: int, *, embed_dim: int = 256, drop_rate: float = 0.6):
        super().__init__()
        self.num_items = num_items
        self.dropout = nn.Dropout(drop_rate)
        self.encoder = nn.Linear(num_items + 1, embed_dim)
        self.decoder = nn.Linear(embed_dim, num_items + 1)
        for layer in (self.encoder, self.decoder):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    @torch.no_grad()
    def start_from(self, counts: Tensor) -> None:
        """Begin with the popularity of each item, (I + 1,)."""
        self.decoder.bias.copy_(counts.float().add(1).log())

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, I + 1) of rows (N, I + 1) that are 0 or 1; those of padding mean nothing."""
        hidden = torch.tanh(self.encoder(self.dropout(F.normalize(x))))
        return self.decoder(hidden)


def multinomial_loss(logits: Tensor, x: Tensor) -> Tensor:
    """Mean over users of -Σ_i x_i log softmax(logits)_i, 0-d; both (N, I + 1), whose column 0 does not count."""
    logs = F.log_softmax(logits.float()[:, 1:], 1)
    return -(logs * x[:, 1:]).sum(1).mean()
