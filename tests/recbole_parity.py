"""Compares nets of recommendation with RecBole's and prints the name of each that is equal: a process of its own, since
what lets RecBole be imported changes others' modules (benchmarks/recbole_peer.py).

    python tests/recbole_parity.py
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.gru4rec import GRU4Rec
from torchworks.hybrid_multimodal.models.matrix_factorization import MatrixFactorization
from torchworks.hybrid_multimodal.models.multi_dae import MultiDAE as OurMultiDAE
from torchworks.hybrid_multimodal.models.neumf import NeuMF
from torchworks.shared.models.parity import On
from torchworks.shared.testing import check_parity, randomize

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

from recbole_peer import make_importable

USERS, ITEMS, SIZE = 7, 9, 8


class Fields(dict):
    """RecBole's configuration: what it reads and we do not give is None."""

    def __missing__(self, name: str) -> None:
        return None


FIELDS = Fields(
    USER_ID_FIELD="user", ITEM_ID_FIELD="item", NEG_PREFIX="neg_", LIST_SUFFIX="_list", device="cpu",
    ITEM_LIST_LENGTH_FIELD="length", MAX_ITEM_LIST_LENGTH=6, embedding_size=SIZE, hidden_size=12, num_layers=1,
    dropout_prob=0.0, loss_type="CE", mlp_hidden_size=[SIZE, SIZE // 2], mf_embedding_size=SIZE,
    mlp_embedding_size=SIZE, mf_train=True, mlp_train=True, use_pretrain=False, latent_dimension=SIZE,
)  # fmt: skip
"""Of nets as small as ours below."""


class Data:
    """RecBole's data set, as far as its nets look at it: how many users and items there are, padding among them."""

    def num(self, field: str) -> int:
        return {"user": USERS, "item": ITEMS}[field] + 1

    def history_item_matrix(self) -> tuple[Tensor, ...]:
        return (torch.zeros(USERS + 1, 1, dtype=torch.int64),) * 3


def compare(
    name: str, ours: nn.Module, mine: Callable[..., Any], theirs: nn.Module, reference: Callable[..., Any],
    inputs: tuple[Tensor, ...], key_map: Callable[[str], str] = lambda key: key,
) -> None:  # fmt: skip
    """Raises `AssertionError` where they differ."""
    check_parity(On(ours, mine), On(randomize(theirs), reference), inputs, key_map=key_map)
    print(name)


def main() -> None:
    make_importable()
    from recbole.model.general_recommender import BPR, MultiDAE
    from recbole.model.general_recommender import NeuMF as TheirNeuMF
    from recbole.model.sequential_recommender import GRU4Rec as TheirGRU4Rec

    users, items = torch.tensor([1, 4, 7]), torch.tensor([2, 9, 1])
    compare(
        "bpr", MatrixFactorization(USERS, ITEMS, embed_dim=SIZE), lambda net, u, i: net(u, i[:, None])[:, 0],
        BPR(FIELDS, Data()), lambda net, u, i: (net.user_embedding(u) * net.item_embedding(i)).sum(1), (users, items),
    )  # fmt: skip
    compare(
        "neumf", NeuMF(USERS, ITEMS, embed_dim=SIZE), lambda net, u, i: net(u, i[:, None])[:, 0],
        TheirNeuMF(FIELDS, Data()), lambda net, u, i: net(u, i), (users, items), key_map=_layers,
    )  # fmt: skip
    rows = torch.tensor([[3, 7, 2], [5, 1, 9]])  # RecBole pads at the end, ours at the beginning: neither is needed
    compare(
        "gru4rec", GRU4Rec(ITEMS, embed_dim=SIZE, hidden=12, longest=6, drop_rate=0.0),
        lambda net, r: net(r)[:, -1], TheirGRU4Rec(FIELDS, Data()),
        lambda net, r: net(r, torch.full((len(r),), r.shape[1])), (rows,),
    )  # fmt: skip
    shallow = Fields(FIELDS, mlp_hidden_size=[])
    x = (torch.rand(3, ITEMS + 1, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    compare(
        "multi-dae", OurMultiDAE(ITEMS, embed_dim=SIZE, drop_rate=0.0), lambda net, r: net(r),
        MultiDAE(shallow, Data()), lambda net, r: net(r), (x,),
        key_map=lambda key: key.replace("encoder.mlp_layers.1", "encoder").replace("decoder.0", "decoder"),
    )  # fmt: skip


def _layers(key: str) -> str:
    """RecBole's layer i is the linear one of 3 i + 1 modules."""
    head, found, rest = key.partition("mlp_layers.mlp_layers.")
    if not found:
        return key
    number, _, name = rest.partition(".")
    return f"{head}mlp_layers.{(int(number) - 1) // 3}.{name}"


if __name__ == "__main__":
    main()
