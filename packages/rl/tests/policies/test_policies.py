"""Policies: actions, rounds of play, the loss of a step beside stable-baselines3's, exact continuation, learning."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from torchworks.rl.environments.opening import kind_of
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.models.actor_critic import ActorCritic
from torchworks.rl.policies.actions import Choices, Gaussian
from torchworks.rl.policies.build import build
from torchworks.rl.policies.config import PolicyConfig, RolloutConfig
from torchworks.rl.policies.recipes import ppo
from torchworks.rl.policies.rollouts import Rollouts
from torchworks.rl.policies.task import PolicyTask
from torchworks.shared.config import OptimConfig, TrainerConfig, UserError
from torchworks.shared.machine.device import choose
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.training.trainer import Trainer


def rollouts(agent: ActorCritic, name: str = "CartPole-v1", seed: int = 0, **options) -> Rollouts:
    kind = kind_of(name)
    config = RolloutConfig(**{"environments": 4, "steps": 32, "epochs": 2} | options)
    seeds = [seed + i for i in range(config.environments)]
    return Rollouts(Environments(kind, seeds), agent, config, batch_size=32, seed=seed)


# ---- actions ---------------------------------------------------------------------------------------------


def test_choices_equal_those_of_torch():
    logits, action = torch.randn(50, 4), torch.randint(4, (50,))
    ours, theirs = Choices(logits), torch.distributions.Categorical(logits=logits)
    torch.testing.assert_close(ours.log_probability(action), theirs.log_prob(action))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())


def test_numbers_equal_those_of_torch():
    mean, log_std, action = torch.randn(50, 3), torch.randn(3), torch.randn(50, 3)
    ours, theirs = Gaussian(mean, log_std), torch.distributions.Normal(mean, log_std.exp())
    torch.testing.assert_close(ours.log_probability(action), theirs.log_prob(action).sum(1))
    torch.testing.assert_close(ours.entropy(), theirs.entropy().sum(1))


def test_actions_are_drawn_as_often_as_they_are_probable():
    probability = torch.tensor([0.1, 0.0, 0.6, 0.3])
    uniform = (torch.arange(1000) + 0.5) / 1000
    drawn = Choices(probability.log().expand(1000, -1)).draw(uniform)
    assert torch.bincount(drawn, minlength=4).tolist() == pytest.approx([100, 0, 600, 300], abs=1)
    assert Choices(probability[None].log()).best().tolist() == [2]
    drawn = Gaussian(torch.ones(20_000, 1), torch.tensor([math.log(2.0)])).draw(torch.randn(20_000, 1))
    assert (drawn.mean().item(), drawn.std().item()) == pytest.approx((1, 2), abs=0.1)


# ---- rounds ----------------------------------------------------------------------------------------------


def test_a_round_is_given_whole_in_each_epoch_and_in_another_order():
    batches = rollouts(ActorCritic(4, 2)).iter_from(0)
    epochs = [torch.cat([next(batches)["target"] for _ in range(4)]) for _ in range(2)]
    assert len(epochs[0]) == 128
    assert not torch.equal(*epochs)
    assert torch.equal(epochs[0].sort().values, epochs[1].sort().values)
    following = torch.cat([next(batches)["target"] for _ in range(4)])
    assert not torch.equal(following.sort().values, epochs[0].sort().values)


def test_what_was_played_is_what_the_policy_would_have_done():
    agent = ActorCritic(4, 2)
    played = next(rollouts(agent, epochs=1).iter_from(0))
    logits, value = agent(played["observation"])
    torch.testing.assert_close(Choices(logits).log_probability(played["action"]), played["log_probability"])
    torch.testing.assert_close(played["target"] - played["advantage"], value)


def test_the_value_of_what_follows_is_taken_from_before_a_reset():
    """With λ = 0 and no reward but 1 a step, A = 1 + γ V(s') − V(s): s' is what the action led to, not a new start."""
    agent = ActorCritic(4, 2)
    with torch.no_grad():
        agent.value[-1].bias += 3.0
    ours = rollouts(agent, environments=1, steps=500, trace=0.0, discount=0.5)
    ours.environments.environments.poles.max_episode_steps = 3
    taken, steps = [], ours.environments.step
    ours.environments.step = lambda actions: taken.append(steps(actions)) or taken[-1]
    ours.batch_size = 500
    played = next(ours.iter_from(0))
    cut = [step for step in taken if step.truncated.any()]
    assert len(cut) > 100
    order = {tuple(row.tolist()): i for i, row in enumerate(played["observation"])}
    for before, step in pairwise(taken):
        if step.truncated[0]:
            i = order[tuple(torch.from_numpy(before.observation[0]).tolist())]
            values = agent(torch.from_numpy(np.concatenate([before.observation, step.last])))[1]
            assert played["advantage"][i].item() == pytest.approx((1 + 0.5 * values[1] - values[0]).item(), abs=1e-5)


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1"])
def test_a_loader_goes_on_exactly_from_its_state(name):
    kind = kind_of(name)
    agent = ActorCritic(kind.width, kind.actions, continuous=kind.continuous)
    whole, other = rollouts(agent, name), rollouts(agent, name, seed=0)
    batches = whole.iter_from(0)
    for _ in range(11):
        next(batches)
    other.load_state_dict(whole.state_dict())
    again = other.iter_from(11)
    for _ in range(12):
        a, b = next(batches), next(again)
        assert all(torch.equal(a[key], b[key]) for key in a)


# ---- learning --------------------------------------------------------------------------------------------


def test_a_step_of_ppo_equals_that_of_stable_baselines3():
    from stable_baselines3 import PPO

    torch.manual_seed(0)
    agent = ActorCritic(4, 2)
    ours = rollouts(agent, environments=4, steps=32, epochs=1)
    ours.batch_size = 128
    batch = next(ours.iter_from(0))
    with torch.no_grad():  # as if the policy had learnt since, so that ratios are not all 1
        for parameter in agent.parameters():
            parameter += 0.05 * torch.randn_like(parameter)

    theirs = PPO(
        "MlpPolicy", "CartPole-v1", n_steps=128, batch_size=128, n_epochs=1, learning_rate=0.01, vf_coef=0.25,
        ent_coef=0.02, clip_range=0.2, max_grad_norm=0.5, device="cpu",
        policy_kwargs={"net_arch": {"pi": [64, 64], "vf": [64, 64]}},
    )  # fmt: skip
    theirs._setup_learn(128)
    extractor = theirs.policy.mlp_extractor
    pairs = [
        (agent.policy[0], extractor.policy_net[0]), (agent.policy[2], extractor.policy_net[2]),
        (agent.policy[4], theirs.policy.action_net), (agent.value[0], extractor.value_net[0]),
        (agent.value[2], extractor.value_net[2]), (agent.value[4], theirs.policy.value_net),
    ]  # fmt: skip
    for mine, other in pairs:
        other.load_state_dict(mine.state_dict())
    buffer = theirs.rollout_buffer
    buffer.observations[:, 0] = batch["observation"].numpy()
    buffer.actions[:, 0, 0] = batch["action"].numpy()
    buffer.log_probs[:, 0], buffer.advantages[:, 0] = batch["log_probability"].numpy(), batch["advantage"].numpy()
    buffer.returns[:, 0], buffer.values[:, 0] = batch["target"].numpy(), 0.0
    buffer.full = True
    theirs.train()

    config = PolicyConfig(
        rollout=RolloutConfig(environments=4, steps=32, epochs=1),
        optim=OptimConfig(lr=0.01), entropy_weight=0.02, value_weight=0.5,
        trainer=TrainerConfig(steps=1, batch_size=128, device="cpu", precision="fp32"),
    )  # fmt: skip
    Trainer(PolicyTask(agent, ours, kind_of("CartPole-v1"), config), [batch], None, config.trainer).fit()
    for mine, other in pairs:
        torch.testing.assert_close(mine.weight, other.weight, atol=1e-5, rtol=1e-4)


def test_ppo_learns_to_balance(tmp_path):
    config = ppo()
    trainer = TrainerConfig(steps=320, batch_size=256, device="cpu", precision="fp32")
    torch.manual_seed(0)
    experiment = build(PolicyConfig(rollout=config.rollout, optim=config.optim, trainer=trainer), choose("cpu", "fp32"))
    result = Trainer(experiment.task, experiment.train, experiment.select, trainer, optim=config.optim).fit()
    baselines = experiment.baselines()
    assert result.scores["return"] > 3 * baselines["return_random"]
    assert baselines["return_rule"] == 500


def test_the_weight_of_the_entropy_falls_in_a_line():
    config = PolicyConfig(entropy_weight=0.02, entropy_end=0.5, trainer=TrainerConfig(steps=100, batch_size=128))
    agent = ActorCritic(4, 2)
    task = PolicyTask(agent, rollouts(agent), kind_of("CartPole-v1"), config)
    weights = []
    for task.step in (0, 50, 100):
        weights.append(task.entropy_weight)
    assert weights == pytest.approx([0.02, 0.015, 0.01])


@pytest.mark.parametrize(("algorithm", "epochs"), [("a2c", 2), ("reinforce", 4)])
def test_what_learns_from_each_step_once_refuses_more_epochs(algorithm, epochs):
    with pytest.raises(UserError, match=r"--rollout\.epochs 1"):
        PolicyConfig(algorithm=algorithm, rollout=RolloutConfig(epochs=epochs), trainer=TrainerConfig(batch_size=64))


def test_batches_that_do_not_divide_a_round_are_refused():
    with pytest.raises(UserError, match=r"1024 steps, which --trainer\.batch-size 100 does not divide"):
        PolicyConfig(trainer=TrainerConfig(batch_size=100))


@pytest.mark.slow
def test_a_killed_training_ends_like_a_whole_one_bit_for_bit(tmp_path: Path):
    words = [
        "train", "ppo", "--trainer.steps", "40", "--trainer.log-every", "1", "--trainer.checkpoint-every", "3",
        "--trainer.eval-every", "20", "--rollout.steps", "16", "--trainer.batch-size", "32", "--device", "cpu",
    ]  # fmt: skip
    killed_and_resumed(["-m", "torchworks.rl", *words], tmp_path)
