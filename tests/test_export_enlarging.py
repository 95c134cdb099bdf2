"""Nets that enlarge images, exported for images of any size."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.gans", reason="needs the package that trains these nets")

from torchworks.gans.enlarging.predictor import build_enlarger
from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.shared.models.predictor import load_predictor, save_model
from torchworks.shared.testing import randomize

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
SIZES = ((1, 1), (2, 3), (7, 4), (6, 16))


def finished(folder: Path, architecture: str, factor: int) -> Path:
    """A run with a net whose weights are all drawn at random."""
    sizes = {"width": 4, "blocks": 1, "skip": True} | ({"growth": 2} if architecture == "rrdbnet" else {"norm": False})
    config = {"architecture": architecture, "factor": factor, "net": sizes}
    torch.manual_seed(0)
    predictor = build_enlarger(config)
    randomize(predictor.net)
    save_model(
        folder, predictor, package="gans", recipe="srresnet", builder="gans-enlarger", config=config,
        golden={"image": torch.randint(0, 256, (2, 3, 6, 9), dtype=torch.uint8)},
        preprocessing={"image": {"fit": "whole", "mode": "RGB", "range": [0, 255]}},
    )  # fmt: skip
    return folder


@pytest.mark.long
@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("architecture", ["srresnet", "rrdbnet"])
@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_exported_enlargers_give_what_the_trained_ones_do(tmp_path, architecture, factor, form):
    """Exported twice in one process, since a second export can come out otherwise."""
    run = finished(tmp_path / "run", architecture, factor)
    trained = load_predictor(run)
    for again in ("first", "second"):
        settings = Export(run, format=form, seconds=0, out=tmp_path / again)
        export(settings)
        bundle = open_bundle(folder_of(settings))
        engine = open_engine(bundle, trust_code=True)
        check_golden(bundle, engine)
        for height, width in SIZES:
            for rows in (1, 3):
                image = torch.randint(0, 256, (rows, 3, height, width), dtype=torch.uint8)
                wanted = trained.predict({"image": image})["enlarged"].numpy()
                found = engine.run({"image": image.numpy()})["enlarged"]
                np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
