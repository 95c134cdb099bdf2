"""Every form of bundle × a forecaster, whose past and horizon have fixed lengths: works with parity at 1 and 3 rows."""

from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.seq_models", reason="needs the package that trains these nets")

from torchworks.seq_models.forecasting.predictor import BUILDER, build_forecaster
from torchworks.seq_models.forecasting.scaling import Scaling
from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import open_engine
from torchworks.serving.export import speed
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.shared.models.predictor import save_model

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
SCALING = Scaling(
    context=14, horizon=3, season=7, levels=(0.1, 0.5, 0.9), columns=("rain", "day_of_week"), log=True, means=(0.5,),
    stds=(0.3,),
)  # fmt: skip
NET = {
    "architecture": "lstm", "skip": "ridge", "width": 8, "depth": 1, "num_heads": 2, "kernel_size": 3, "patch": 7,
    "out_dim": 4, "head_dim": 8, "effect_dim": 8, "drop_rate": 0.1,
}  # fmt: skip
FORMS = ["onnx", *[pytest.param(form, marks=pytest.mark.long) for form in ("safetensors", "pt2", "torchscript")]]


def rows(count: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(count)
    series, known = (torch.rand(count, steps, 3 - (steps == 3), generator=draw) for steps in (14, 3))
    series[..., 0] += 5
    for table in (series, known):
        table[..., -1] = torch.arange(table.shape[1]) % 7
    return {"series": series, "known": known}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_forecaster_in_every_form(tmp_path: Path, form: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speed, "LEAST", 1)
    monkeypatch.setattr(speed, "WARM_UP", 0)
    torch.manual_seed(0)
    config = {"scaling": SCALING.to_dict(), "net": NET, "value": "guests", "every": "P1D"}
    predictor = build_forecaster(config).eval()
    for value in predictor.net.parameters():
        torch.nn.init.normal_(value, std=0.3)
    save_model(
        tmp_path / "run", predictor, package="seq-models", recipe="untrained", builder=BUILDER, config=config,
        golden=rows(2), samples=rows(6),
    )  # fmt: skip
    settings = Export(tmp_path / "run", seconds=0, format=form)
    export(settings)
    engine = open_engine(open_bundle(folder_of(settings)), trust_code=True)
    for count in (1, 3):
        given = rows(count)
        expected = predictor.predict(given)["quantiles"]
        found = engine.run({name: value.numpy() for name, value in given.items()})["quantiles"]
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-5, atol=1e-5)
