"""GRU4Rec: a recurrent network over the items of a user, whose last state is compared with all items.

Hidasi, Karatzoglou, Baltrunas and Tikk 2016, "Session-based Recommendations with Recurrent Neural Networks",
https://arxiv.org/abs/1511.06939, with a softmax over all items in place of the paper's drawn ones, and scores by the
items' own vectors, as in RecBole:

    h_t = GRU(dropout(e_item), h_{t-1})
    s_t = (W h_t + b) · e_item

Rows are padded on the left. The network has no biases, as in RecBole, so that zeros leave a state of 0 as it is:
padding changes nothing.

Shape letters: N users, T items of a row, I items (numbers 1 to I; 0 is padding), D size of a vector.
"""

from torch import Tensor, nn


class GRU4Rec(nn.Module):
    """States of rows of items (N, T), and their scores of all items."""

    def __init__(
        self, num_items: int, *, embed_dim: int = 64, hidden: int = 128, layers: int = 1, longest: int = 50,
        drop_rate: float = 0.3,
    ):  # fmt: skip
        super().__init__()
        self.longest = longest
        self.item_embedding = nn.Embedding(num_items + 1, embed_dim)
        self.emb_dropout = nn.Dropout(drop_rate)
        self.gru_layers = nn.GRU(embed_dim, hidden, layers, bias=False, batch_first=True)
        self.dense = nn.Linear(hidden, embed_dim)
        nn.init.xavier_normal_(self.item_embedding.weight)

    def forward(self, items: Tensor) -> Tensor:
        """States (N, T, D); those at padding mean nothing."""
        x = self.emb_dropout(self.item_embedding(items)) * (items > 0)[..., None]
        return self.dense(self.gru_layers(x)[0])

    def scores(self, states: Tensor) -> Tensor:
        """Scores (…, I + 1) of states (…, D)."""
        return states @ self.item_embedding.weight.T
