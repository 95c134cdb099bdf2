"""Agents, exported and served: observations in, actions out, as the trained nets choose them."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.rl", reason="needs the package that trains these nets")

from torchworks.rl.actor_critic.config import ActorNet
from torchworks.rl.actor_critic.predictor import actor_config, build_actor
from torchworks.rl.environments.opening import Kind, kind_of
from torchworks.rl.policies.config import PolicyNet
from torchworks.rl.policies.predictor import build_policy, policy_config
from torchworks.rl.q_learning.config import QNetConfig
from torchworks.rl.q_learning.predictor import build_values, values_config
from torchworks.rl.self_play.config import BoardNetConfig
from torchworks.rl.self_play.predictor import board_config, build_board
from torchworks.serving.bundle import open_bundle
from torchworks.serving.codecs import Codec
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Limits
from torchworks.shared.models.predictor import load_predictor, save_model

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

CARTPOLE, PENDULUM = "CartPole-v1", "Pendulum-v1"
POLICY, Q, ACTOR = PolicyNet(width=8), QNetConfig(width=8), ActorNet(width=8)
STRIDED = PolicyNet(width=8, layers=1, channels=(4, 4), stride=2)
RAINBOW = QNetConfig(width=8, dueling=True, atoms=7)
AGENTS = {
    "ppo": (CARTPOLE, "rl-policy", lambda kind: policy_config(kind, POLICY), build_policy),
    "ppo, numbers": (PENDULUM, "rl-policy", lambda kind: policy_config(kind, POLICY), build_policy),
    "ppo, symbols": ("FrozenLake-v1", "rl-policy", lambda kind: policy_config(kind, POLICY), build_policy),
    "dqn": (CARTPOLE, "rl-values", lambda kind: values_config(kind, Q), build_values),
    "rainbow": (CARTPOLE, "rl-values", lambda kind: values_config(kind, RAINBOW), build_values),
    "sac": (PENDULUM, "rl-actor", lambda kind: actor_config(kind, ACTOR), build_actor),
    "snake, grid": ("Snake10-v0", "rl-policy", lambda kind: policy_config(kind, STRIDED), build_policy),
    "connect-four": ("ConnectFour-v0", "rl-board", lambda _: board_config(BoardNetConfig(channels=8)), build_board),
    "ppo-atari, pixels": ("PixelBreakout10-v0", "rl-policy", lambda kind: policy_config(kind, POLICY), build_policy),
    "dqn, grid": ("Breakout10-v0", "rl-values", lambda kind: values_config(kind, Q), build_values),
}


def observations(kind: Kind, rows: int) -> torch.Tensor:
    """Any that a request may send."""
    if kind.most:
        return torch.randint(kind.most + 1, (rows, *kind.shape)).float()
    return torch.randn(rows, *kind.shape)


def finished(folder: Path, name: str) -> tuple[Path, Kind]:
    """A run with untrained weights that decide, and what it is for."""
    environment, builder, make_config, build = AGENTS[name]
    kind = kind_of(environment)
    torch.manual_seed(0)
    config = make_config(kind)
    predictor = build(config)
    for parameter in predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.02 if kind.is_pixels else 0.5)
    save_model(
        folder, predictor, package="rl", recipe=name.partition(",")[0], builder=builder, config=config,
        golden={"observation": observations(kind, 2)},
    )  # fmt: skip
    return folder, kind


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if "pixels" in n else n for n in AGENTS])
@pytest.mark.parametrize("form", ["onnx", pytest.param("pt2", marks=pytest.mark.slow)])
def test_exported_agents_do_what_trained_ones_do(tmp_path, name, form):
    run, kind = finished(tmp_path / "run", name)
    settings = Export(run, format=form, seconds=0)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    engine = open_engine(bundle, trust_code=True)
    check_golden(bundle, engine)
    trained, codec = load_predictor(run), Codec(bundle.manifest, Limits())
    for rows in (1, 2, 7):
        seen = observations(kind, rows)
        found = engine.run(dict(codec.from_values({"observation": seen.tolist()})))
        for output, wanted in zip(found.values(), trained(seen), strict=True):
            np.testing.assert_allclose(output, wanted.detach().numpy(), rtol=1e-5, atol=1e-4)
