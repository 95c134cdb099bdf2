"""A trained recommender as it is used: a user, or items that a stranger likes, to the items to recommend.

Shape letters: N requests, T items that are liked, E items that are left out, K ranks, U users, I items, G genres.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.data.interactions import Catalogue
from torchworks.hybrid_multimodal.models.matrix_factorization import MatrixFactorization
from torchworks.hybrid_multimodal.models.multi_dae import MultiDAE
from torchworks.hybrid_multimodal.recommendation.metrics import marked
from torchworks.hybrid_multimodal.recommendation.scoring import item_scores
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

CATALOGUE = "catalogue.json"
BUILDER = "hybrid-multimodal-recommendation"
MOST, USUAL = 50, 10
"""Most items of an answer, and how many are given if nothing is said."""
ANY = "any"
NOTHING = -1
LOWEST = torch.finfo(torch.float32).min


class Recommender(nn.Module):
    """A net with what it must know of the data: `history` int64 (U + 1, T), all items that each user had, the oldest
    first, and `counts` (I + 1,), how often each item was chosen."""

    history: Tensor
    counts: Tensor

    def __init__(self, net: nn.Module, history: Tensor, counts: Tensor):
        super().__init__()
        self.net = net
        self.register_buffer("history", history)
        self.register_buffer("counts", counts)


class RecommendationPredictor(Predictor):
    """`user` (N,), 0 for a stranger; `items` (N, T) liked and `exclude` (N, E), padded with 0; `only` (N,), a genre or
    0; `k` (N,) → `item` (N, K) and `score` (N, K), the best first.

    Items that the user had, likes or excludes are not among them. Where fewer than `k` are left, and behind rank `k`,
    the item is -1 and the score the lowest float32. A stranger who likes nothing gets the most popular items.
    """

    of_genre: Tensor

    def __init__(self, net: nn.Module, signature: Signature, genres: Tensor):
        super().__init__(net, signature)
        of_genre = torch.cat([torch.ones(1, len(genres), dtype=torch.bool), genres.T])
        self.register_buffer("of_genre", of_genre, persistent=False)  # (G + 1, I + 1)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        user, items, exclude, only, k = inputs
        assert isinstance(self.net, Recommender)
        had = torch.cat([self.net.history[user], items], 1)
        scores = self.scores(user, had).float()
        count = scores.shape[1]
        left_out = marked(torch.cat([had, exclude], 1), count) | ~self.of_genre[only]
        left_out = left_out | (torch.arange(count, device=user.device) == 0)
        most = min(MOST, count - 1)
        score, item = scores.masked_fill(left_out, LOWEST).topk(most, 1)
        nothing = (score <= LOWEST) | (torch.arange(most, device=user.device) >= k[:, None])
        return item.masked_fill(nothing, NOTHING), score.masked_fill(nothing, LOWEST)

    def scores(self, user: Tensor, had: Tensor) -> Tensor:
        """Scores (N, I + 1) of all items, for what each had, (N, T)."""
        assert isinstance(self.net, Recommender)
        known = ((had > 0).any(1) | (user > 0))[:, None]
        return torch.where(known, item_scores(self.net.net, user, had).float(), self.net.counts)


def new_net(config: Mapping[str, Any], num_users: int, num_items: int) -> nn.Module:
    """The net of a method, with new weights."""
    options = {"embed_dim": config["embed_dim"], "drop_rate": config["drop_rate"]}
    if config["method"] == "multi-dae":
        return MultiDAE(num_items, **options)
    return MatrixFactorization(num_users, num_items, item_bias=config["item_bias"], **options)


def signature_of(catalogue: Catalogue) -> Signature:
    """What goes in and comes out, with the tokens of users and items."""
    count = len(catalogue.items)
    items, users = ("", *catalogue.items), ("", *catalogue.users)
    titles = ("", *(catalogue.shown(number) for number in range(1, count + 1)))
    item: dict[str, Any] = {"high": count, "labels": items, "titles": titles}
    inputs = (
        TensorSpec("user", "id", "int64", ("N",), low=0, high=len(users) - 1, labels=users, default=0),
        TensorSpec("items", "id", "int64", ("N", "T"), low=0, pad=0, default=0, **item),
        TensorSpec("exclude", "id", "int64", ("N", "E"), low=0, pad=0, default=0, **item),
        TensorSpec("only", "label", "int64", ("N",), low=0, high=len(catalogue.genre_names), default=0,
                   labels=(ANY, *catalogue.genre_names)),
        TensorSpec("k", "features", "int64", ("N",), low=1, high=MOST, default=USUAL),
    )  # fmt: skip
    most = min(MOST, count)
    outputs = (
        TensorSpec("item", "id", "int64", ("N", most), low=NOTHING, **item),
        TensorSpec("score", "features", "float32", ("N", most)),
    )
    return Signature(inputs, outputs, {"T": 500, "E": 500})


def build_recommendation(config: dict[str, Any], files: Mapping[str, bytes]) -> RecommendationPredictor:
    """The predictor, with new weights, from the `config` in `model.json` and the catalogue in `files`.

    Builder "hybrid-multimodal-recommendation"."""
    catalogue = Catalogue.from_json(files[CATALOGUE])
    users, items = len(catalogue.users), len(catalogue.items)
    history = torch.zeros(users + 1, config["longest"], dtype=torch.int64)
    net = Recommender(new_net(config, users, items), history, torch.zeros(items + 1))
    return RecommendationPredictor(net, signature_of(catalogue), torch.from_numpy(catalogue.genre_matrix()))
