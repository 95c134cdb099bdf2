"""Recommenders are exported with parity, for requests of any number of rows, liked and excluded items."""

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.hybrid_multimodal", reason="needs the package that trains these nets")

from torchworks.hybrid_multimodal.data.interactions import Catalogue
from torchworks.hybrid_multimodal.recommendation.predictor import CATALOGUE, build_recommendation
from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import open_engine
from torchworks.serving.export import speed
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.shared.models.predictor import Predictor, save_model

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
USERS, ITEMS = 6, 60
METHODS = ("multi-dae", "mf", "neumf", "lightgcn", "sasrec", "gru4rec", "two-tower")
SHORT = ("multi-dae", "sasrec")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch):
    """Hardly any measuring of speed."""
    monkeypatch.setattr(speed, "LEAST", 1)
    monkeypatch.setattr(speed, "WARM_UP", 0)


def requests(rows: int, length: int) -> dict[str, torch.Tensor]:
    """Every other row is a stranger; the last one names half as many items."""
    random = torch.Generator().manual_seed(length)
    items, exclude = (torch.randint(1, ITEMS + 1, (rows, size), generator=random) for size in (length, 2))
    items[-1, (length + 1) // 2 :] = 0
    row = torch.arange(rows)
    return {"user": row % 2 * (1 + row % USERS), "items": items, "exclude": exclude, "only": row % 3, "k": 5 + row % 7}


def finished(folder: Path, method: str) -> Predictor:
    """A run of a net that was never trained."""
    tokens = tuple(f"i{number}" for number in range(ITEMS))
    genres = tuple((("Drama", "War")[number % 2],) for number in range(ITEMS))
    catalogue = Catalogue(tuple("abcdef"), tokens, tokens, genres, (1990,) * ITEMS)
    config: dict[str, Any] = {
        "method": method, "embed_dim": 8, "drop_rate": 0.1, "item_bias": True, "layers": 1, "longest_row": 10,
        "features": 4, "longest": 12,
    }  # fmt: skip
    files = {CATALOGUE: catalogue.to_json()}
    torch.manual_seed(0)
    predictor = build_recommendation(config, files)
    net = predictor.net
    net.history.copy_(torch.randint(0, ITEMS + 1, net.history.shape))
    net.history[0] = 0
    net.counts.copy_(torch.randperm(ITEMS + 1))
    for buffer in (getattr(net.net, name, None) for name in ("graph", "features")):
        if buffer is not None:
            buffer.copy_(torch.rand_like(buffer))
    net.fold()
    save_model(
        folder, predictor, package="hybrid-multimodal", recipe="untrained", config=config, files=files,
        builder="hybrid-multimodal-recommendation", golden=requests(2, 3), samples=requests(12, 4),
    )  # fmt: skip
    return predictor.eval()


@pytest.mark.parametrize(
    "method", [pytest.param(each, marks=pytest.mark.slow if each in SHORT else pytest.mark.long) for each in METHODS]
)
def test_every_recommender_answers_as_it_was_trained(tmp_path: Path, method: str):
    predictor = finished(tmp_path / "run", method)
    settings = Export(tmp_path / "run", seconds=0, format="onnx")
    export(settings)
    engine = open_engine(open_bundle(folder_of(settings)))
    for rows, length in ((1, 1), (5, 4), (2, 9)):
        inputs = requests(rows, length)
        wanted = predictor.predict(inputs)
        found = engine.run({name: value.numpy() for name, value in inputs.items()})
        assert torch.equal(torch.from_numpy(found["item"]), wanted["item"])
        assert torch.allclose(torch.from_numpy(found["score"]), wanted["score"], atol=1e-4)
