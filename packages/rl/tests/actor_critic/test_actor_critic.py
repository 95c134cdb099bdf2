"""SAC and TD3: what their equations say, actions within limits, exact continuation, learning."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from torchworks.rl.actor_critic.build import build
from torchworks.rl.actor_critic.config import ActorConfig, ActorNet
from torchworks.rl.actor_critic.drawing import Drawing
from torchworks.rl.actor_critic.predictor import actor_config, build_actor
from torchworks.rl.algorithms.sac import soft_actor_loss, soft_target, squashed, temperature_loss
from torchworks.rl.algorithms.td3 import critic_loss, smoothed
from torchworks.rl.environments.opening import kind_of
from torchworks.rl.memory.config import ReplayConfig
from torchworks.rl.models.twin_critics import LEAST, MOST, NumberPolicy, TwinCritics
from torchworks.shared.config import OptimConfig, TrainerConfig, UserError
from torchworks.shared.machine.device import choose
from torchworks.shared.testing import check_model
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.training.trainer import Trainer

TRAINER = TrainerConfig(steps=400, batch_size=64, device="cpu", precision="fp32")


def test_nets_keep_the_models_contract():
    check_model(lambda: NumberPolicy(4, 2, width=8), torch.randn(5, 4), shapes=((5, 2), (5, 2)))
    critics = TwinCritics(4, 2, width=8)
    seen, action = torch.randn(5, 4), torch.rand(5, 2)
    values = critics(seen, action)
    assert values.shape == (2, 5)
    assert not torch.allclose(*values)
    torch.testing.assert_close(critics(seen[1:2], action[1:2])[:, 0], values[:, 1])


def test_the_spread_of_actions_has_limits():
    policy = NumberPolicy(1, 1, width=8)
    _, log_std = policy(torch.tensor([[-1e6], [1e6], [0.0]]))
    assert (log_std >= LEAST).all()
    assert (log_std <= MOST).all()


def test_the_probability_of_a_squashed_action_equals_that_of_torch():
    mean, log_std, normal = torch.randn(50, 3), torch.randn(50, 3) * 0.3, torch.randn(50, 3)
    action, log_probability = squashed(mean, log_std, normal)
    base = torch.distributions.Normal(mean.double(), log_std.exp().double())
    theirs = torch.distributions.TransformedDistribution(base, [torch.distributions.TanhTransform(cache_size=1)])
    u = mean.double() + log_std.double().exp() * normal
    torch.testing.assert_close(action.double(), torch.tanh(u), atol=1e-6, rtol=0)
    wanted = base.log_prob(u).sum(1) - torch.log1p(-torch.tanh(u).square()).sum(1)
    torch.testing.assert_close(log_probability.double(), wanted, atol=1e-3, rtol=1e-4)
    near = torch.tanh(u).abs().amax(1) < 0.99
    torch.testing.assert_close(
        log_probability.double()[near], theirs.log_prob(torch.tanh(u)).sum(1)[near], atol=1e-3, rtol=1e-3
    )


def test_an_action_at_the_very_limit_has_a_finite_probability():
    action, log_probability = squashed(torch.tensor([[50.0]]), torch.tensor([[0.0]]), torch.tensor([[0.0]]))
    assert action.item() == 1
    assert log_probability.isfinite().all()


def test_equations_of_sac():
    reward, discount = torch.tensor([1.0, 2.0]), torch.tensor([0.9, 0.0])
    following, log = torch.tensor([3.0, 4.0]), torch.tensor([-1.0, -2.0])
    target = soft_target(reward, discount, following, log, temperature=torch.tensor(0.5))
    assert target.tolist() == pytest.approx([1 + 0.9 * 3.5, 2.0])
    assert soft_actor_loss(log, following, temperature=torch.tensor(0.5)).item() == pytest.approx(-4.25)
    log_alpha = torch.zeros((), requires_grad=True)
    temperature_loss(log_alpha, log, entropy=-1.0).backward()
    assert log_alpha.grad.item() == pytest.approx(2.5)  # entropy 1.5 is above the wanted −1: α falls


def test_equations_of_td3():
    found = smoothed(torch.tensor([[0.9], [0.0]]), torch.tensor([[9.0], [-9.0]]), noise=0.2, limit=0.5)
    assert found.tolist() == [[1.0], [-0.5]]
    values, target = torch.tensor([[1.0, 2.0], [3.0, 2.0]]), torch.tensor([2.0, 2.0])
    assert critic_loss(values, target).item() == pytest.approx((1 + 1) / 2 / 2)


@pytest.mark.parametrize("algorithm", ["sac", "td3"])
def test_actions_lie_within_the_limits_of_the_environment(algorithm):
    torch.manual_seed(0)
    policy = NumberPolicy(3, 1, width=8)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter)
    drawing = Drawing(policy, kind_of("Pendulum-v1"), ActorConfig(algorithm=algorithm, noise=3.0))
    action = drawing(torch.randn(500, 3), 0, torch.Generator().manual_seed(0))
    assert action.abs().max() <= 2
    assert action.abs().max() > 1.5
    torch.testing.assert_close(drawing.to_limits(drawing.to_unit(action)), action)
    assert drawing.to_unit(torch.tensor([[-2.0], [2.0]])).tolist() == [[-1.0], [1.0]]


class Target(gymnasium.Env):
    """One step: the reward is the larger, the nearer the action is to what is seen, times ten."""

    observation_space, action_space = Box(-1, 1, (1,)), Box(-10, 10, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.wanted = self.np_random.uniform(-0.8, 0.8)
        return np.array([self.wanted], np.float32), {}

    def step(self, action):
        return np.array([self.wanted], np.float32), -abs(float(action[0]) / 10 - self.wanted), True, False, {}


@pytest.fixture
def aiming():
    gymnasium.register("Target-v0", Target)
    yield "Target-v0"
    del gymnasium.registry["Target-v0"]


@pytest.mark.parametrize("algorithm", ["sac", "td3"])
def test_actors_learn_to_hit_what_they_see(aiming, algorithm):
    config = ActorConfig(
        data=aiming, algorithm=algorithm, net=ActorNet(width=32), optim=OptimConfig(lr=5e-3, schedule="linear"),
        replay=ReplayConfig(environments=8, warmup=300), trainer=TRAINER,
    )  # fmt: skip
    torch.manual_seed(0)
    experiment = build(config, choose("cpu", "fp32"))
    result = Trainer(experiment.task, experiment.train, experiment.select, TRAINER, optim=config.optim).fit()
    assert result.scores["return"] > -0.12
    assert experiment.baselines()["return_random"] < -0.4


def test_actions_that_are_numbered_are_refused():
    with pytest.raises(UserError, match="Use the recipe dqn or ppo"):
        build(ActorConfig(data="CartPole-v1"), choose("cpu", "fp32"))


def test_chance_lasts_in_one_way_only():
    with pytest.raises(UserError, match="Leave out one of them"):
        ActorConfig(color=1.0, replay=ReplayConfig(hold=8))


def test_priorities_are_refused():
    with pytest.raises(UserError, match=r"Leave out --replay\.alpha"):
        ActorConfig(replay=ReplayConfig(alpha=0.5))


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "color"), [("sac", 1), pytest.param("td3", 0, marks=pytest.mark.long)])
def test_a_killed_training_ends_like_a_whole_one_bit_for_bit(recipe, color, tmp_path: Path):
    words = [
        "train", recipe, "--trainer.steps", "40", "--trainer.log-every", "1", "--trainer.checkpoint-every", "3",
        "--trainer.eval-every", "20", "--replay.warmup", "100", "--replay.capacity", "150",
        "--trainer.batch-size", "32", "--device", "cpu", "--color", str(color),
    ]  # fmt: skip
    killed_and_resumed(["-m", "torchworks.rl", *words], tmp_path)


def test_the_predictor_keeps_limits_that_rounding_would_leave():
    """(low + high) / 2 − (high − low) / 2 is below −0.3 in float32."""
    gymnasium.registry.pop("Uneven-v0", None)
    gymnasium.register("Uneven-v0", lambda: Uneven())
    kind = kind_of("Uneven-v0")
    predictor = build_actor(actor_config(kind, ActorNet(width=8)))
    with torch.no_grad():
        for bias in (-50.0, 50.0):
            predictor.net.net[-1].bias.fill_(bias)
            action, _ = predictor(torch.zeros(1, 1))
            assert torch.tensor(kind.low) <= action[0] <= torch.tensor(kind.high)


class Uneven(gymnasium.Env):
    observation_space, action_space = Box(-1, 1, (1,)), Box(-0.3, 0.9, (1,))
