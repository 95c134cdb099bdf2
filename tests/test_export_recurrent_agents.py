"""Agents with a memory, exported: step after step, with the state that they gave before, they do what the trained ones
do."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.rl", reason="needs the package that trains these nets")

from torchworks.rl.environments.opening import kind_of
from torchworks.rl.policies.config import PolicyNet
from torchworks.rl.policies.predictor import build_policy, policy_config
from torchworks.serving.bundle import open_bundle
from torchworks.serving.codecs import Codec
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Limits
from torchworks.shared.models.predictor import load_predictor, save_model

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

STEPS = 6


def finished(folder: Path, name: str) -> Path:
    """A run with untrained weights that decide."""
    config = policy_config(kind_of(name), PolicyNet(width=8, memory=8))
    torch.manual_seed(0)
    predictor = build_policy(config)
    for parameter in predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    states = {name: torch.randn(2, 2, 8) for name in predictor.signature.states}
    save_model(
        folder, predictor, package="rl", recipe="ppo-lstm", builder="rl-policy", config=config,
        golden={"observation": torch.randn(2, 2)} | states,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("HiddenCartPole-v1", "onnx"),
        ("HiddenPendulum-v1", "onnx"),  # the second of one process
        pytest.param("HiddenCartPole-v1", "pt2", marks=pytest.mark.slow),
        pytest.param("HiddenPendulum-v1", "pt2", marks=pytest.mark.slow),
    ],
)
def test_exported_agents_remember_what_trained_ones_do(tmp_path, name, form):
    run = finished(tmp_path / "run", name)
    settings = Export(run, format=form, seconds=0)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    engine = open_engine(bundle, trust_code=True)
    check_golden(bundle, engine)
    trained, codec = load_predictor(run), Codec(bundle.manifest, Limits())
    names, pairs = [spec.name for spec in trained.signature.outputs], trained.signature.states
    for rows in (1, 2, 5):
        asked: dict = {}  # an episode begins: the states are left out
        states = [torch.zeros(rows, 2, 8), torch.zeros(rows, 2, 8)]
        for seen in torch.randn(STEPS, rows, 2):
            found = engine.run(dict(codec.from_values({"observation": seen.tolist()} | asked)))
            wanted = dict(zip(names, trained(seen, *states), strict=True))
            for output, value in found.items():
                np.testing.assert_allclose(value, wanted[output].detach().numpy(), rtol=0, atol=1e-4)
            asked = {name: found[following].tolist() for name, following in pairs.items()}
            states = [wanted[following] for following in pairs.values()]
        assert all(state.abs().max() > 0.1 for state in states)
