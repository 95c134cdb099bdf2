"""Q-learning: what is kept and how it is drawn, time limits, exact continuation, learning."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete

from torchworks.rl.algorithms.c51 import support
from torchworks.rl.environments.opening import kind_of
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.memory.acting import Acting
from torchworks.rl.memory.config import ReplayConfig
from torchworks.rl.memory.replay import Replay
from torchworks.rl.models.q_net import QNet, values_of
from torchworks.rl.q_learning.build import build
from torchworks.rl.q_learning.config import ExplorationConfig, QConfig, QNetConfig
from torchworks.rl.q_learning.exploring import Exploring
from torchworks.shared.config import OptimConfig, TrainerConfig, UserError
from torchworks.shared.machine.device import choose
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.training.trainer import Trainer


def acting(q: QNet | None = None, name: str = "CartPole-v1", epsilon: float = 0.5, **options) -> Acting:
    kind = kind_of(name)
    rate = ExplorationConfig(epsilon=epsilon, epsilon_end=epsilon)
    config = ReplayConfig(**{"environments": 3, "warmup": 30, "capacity": 200} | options)
    return Acting(
        Environments(kind, [1, 2, 3][: config.environments]),
        Exploring(q or QNet(kind.width, kind.actions, width=8), support(0, 1, 1), rate, steps=100),
        Replay(config.capacity, kind.width),
        config,
        steps=100,
        batch_size=16,
        seed=0,
    )


def steps(n: int, first: int = 0) -> tuple[torch.Tensor, ...]:
    """Observation, action, reward, discount and following observation that all are their number."""
    number = torch.arange(first, first + n).float()
    return number[:, None], number.long(), number, number, number[:, None]


# ---- the memory ------------------------------------------------------------------------------------------


def test_the_oldest_steps_make_way():
    replay = Replay(5, 1)
    replay.add(*steps(4))
    assert len(replay) == 4
    replay.add(*steps(3, 4))
    assert len(replay) == 5
    assert sorted(replay.reward.tolist()) == [2, 3, 4, 5, 6]
    assert torch.equal(replay.reward, replay.observation[:, 0])
    assert torch.equal(replay.reward, replay.action.float())


def test_all_steps_are_drawn_alike_without_priorities():
    replay = Replay(10, 1)
    replay.add(*steps(4))
    batch = replay.draw((torch.arange(400) + 0.5) / 400, alpha=0.0, beta=0.4)
    assert torch.bincount(batch["index"]).tolist() == [100] * 4
    assert batch["weight"].unique().tolist() == [1]
    assert torch.equal(batch["reward"], batch["following"][:, 0])


def test_surprising_steps_are_drawn_more_often_and_count_less():
    replay = Replay(10, 1)
    replay.add(*steps(3))
    replay.surprise(torch.arange(3), torch.tensor([0.999, -3.999, 8.999]))  # p = 1, 4, 9
    batch = replay.draw((torch.arange(600) + 0.5) / 600, alpha=0.5, beta=1.0)  # p^α = 1, 2, 3
    assert torch.bincount(batch["index"]).tolist() == pytest.approx([100, 200, 300], abs=1)
    weight = [batch["weight"][batch["index"] == i][0].item() for i in range(3)]
    assert weight == pytest.approx([1, 1 / 2, 1 / 3], rel=1e-3)
    mean = torch.stack([(batch["weight"] * (batch["index"] == i)).mean() for i in range(3)])
    torch.testing.assert_close(mean, mean[:1].expand(3), rtol=0.02, atol=0)  # so that each counts alike in all


def test_new_steps_are_as_likely_as_the_most_surprising():
    replay = Replay(10, 1)
    replay.add(*steps(2))
    replay.surprise(torch.arange(2), torch.tensor([5.0, 0.1]))
    replay.add(*steps(1, 2))
    assert replay.priority[2] == replay.priority[0]


# ---- play ------------------------------------------------------------------------------------------------


@pytest.fixture
def limited():
    """CartPole that is cut off after four steps, which never is a failure."""
    spec = gymnasium.spec("CartPole-v1")
    gymnasium.register("Short-v0", spec.entry_point, max_episode_steps=4)
    yield "Short-v0"
    del gymnasium.registry["Short-v0"]


@pytest.mark.parametrize("n_step", [1, 3])
def test_an_episode_that_is_cut_off_keeps_its_future_and_one_that_fails_does_not(limited, n_step):
    cut = acting(name=limited, n_step=n_step)
    next(cut.iter_from(0))
    held = len(cut.replay)
    assert (cut.replay.discount[:held] > 0).all()
    failed = acting(n_step=n_step, warmup=150)
    next(failed.iter_from(0))
    discount = failed.replay.discount[: len(failed.replay)]
    ends = int((discount == 0).sum())
    assert ends >= n_step * len(failed.environments.finished) > 0
    assert set(discount.unique().tolist()) <= {0.0, *(np.float32(0.99**k).item() for k in range(1, n_step + 1))}


def test_what_follows_is_never_a_new_start(limited):
    """CartPole starts within ± .05 of the middle; after four pushes to one side its speed is far beyond."""
    ours = acting(name=limited)
    loader = ours.iter_from(0)
    next(loader)
    ours.replay.count.zero_()
    for each in ours._waiting:
        each.clear()
    start = ours.environments
    start.load_state_dict(Environments(kind_of(limited), [1, 2, 3]).state_dict())
    for _ in range(8):
        ours._act(torch.ones(3, dtype=torch.int64))
    held = len(ours.replay)
    assert held == 24
    gained = ours.replay.following[:held, 1] - ours.replay.observation[:held, 1]
    assert (gained > 0.15).all()  # each push adds about .195 to the speed; a reset would take it away


def test_rewards_of_n_steps_are_summed_and_discounted():
    ours = acting(n_step=3, discount=0.5)
    next(ours.iter_from(0))
    held = len(ours.replay)
    reward, discount = ours.replay.reward[:held], ours.replay.discount[:held]
    assert (reward[discount > 0] == 1 + 0.5 + 0.25).all()  # each step of CartPole gives 1
    assert set(reward.tolist()) <= {1.0, 1.5, 1.75}
    assert discount[discount > 0].unique().tolist() == [0.125]


def test_chance_in_play_can_stay_the_same_for_several_steps():
    ours = acting(hold=4, epsilon=1.0, warmup=3)
    taken, act = [], ours._act
    ours._act = lambda action: taken.append(action) or act(action)
    batches = ours.iter_from(0)
    for _ in range(22):
        next(batches)
    assert len(taken) == 12
    blocks = [torch.stack(taken[i : i + 4]) for i in (0, 4, 8)]
    assert all(torch.equal(block, block[:1].expand(4, -1)) for block in blocks)
    assert not all(torch.equal(block[0], blocks[0][0]) for block in blocks)


def test_exploration_falls_in_a_line_and_is_that_often_random():
    net = QNet(4, 2, width=8)
    with torch.no_grad():
        net.advantage.weight.zero_()
        net.advantage.bias.copy_(torch.tensor([0.0, 1.0]))
    rate = ExplorationConfig(explored=0.5, epsilon=1.0, epsilon_end=0.1)
    ours = Exploring(net, support(0, 1, 1), rate, steps=100)
    assert [ours.epsilon(p) for p in (0, 25, 50, 100)] == pytest.approx([1.0, 0.55, 0.1, 0.1])
    drawn = ours(torch.zeros(20_000, 4), 100, torch.Generator().manual_seed(0))
    assert (drawn == 0).float().mean().item() == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("options", [{}, {"n_step": 3, "alpha": 0.6}])
def test_a_loader_goes_on_exactly_from_its_state(options):
    q = QNet(4, 2, width=8)
    whole, other = acting(q, **options), acting(q, **options)
    batches = whole.iter_from(0)
    for _ in range(5):
        next(batches)
    other.load_state_dict(whole.state_dict())
    other.replay.load_state_dict(whole.replay.state_dict())
    again = other.iter_from(5)
    for _ in range(20):
        a, b = next(batches), next(again)
        assert all(torch.equal(a[key], b[key]) for key in a)


# ---- learning --------------------------------------------------------------------------------------------


class Corridor(gymnasium.Env):
    """Five cells; a step to the right of the last one ends it with a reward of 1."""

    observation_space, action_space = Discrete(5), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cell = int(self.np_random.integers(5))
        return self.cell, {}

    def step(self, action):
        self.cell = max(0, self.cell + (1 if action else -1))
        return min(self.cell, 4), float(self.cell == 5), self.cell == 5, False, {}


@pytest.fixture
def corridor():
    gymnasium.register("FiveCells-v0", Corridor, max_episode_steps=20)
    yield "FiveCells-v0"
    del gymnasium.registry["FiveCells-v0"]


@pytest.mark.parametrize(
    ("net", "replay"),
    [({}, {}), ({}, {"n_step": 3}), ({"dueling": True, "atoms": 21, "high": 1.0}, {"alpha": 0.5})],
    ids=["double", "three steps", "all"],
)
def test_values_become_the_discounted_rewards_that_can_be_had(corridor, net, replay):
    trainer = TrainerConfig(steps=400, batch_size=64, device="cpu", precision="fp32")
    config = QConfig(
        data=corridor,
        net=QNetConfig(width=32, layers=1, **net),
        replay=ReplayConfig(environments=8, warmup=500, discount=0.7, **replay),
        exploration=ExplorationConfig(explored=0.9, epsilon_end=0.5),
        optim=OptimConfig(lr=1e-2, schedule="linear"),
        polyak=0.1,
        trainer=trainer,
    )
    torch.manual_seed(0)
    experiment = build(config, choose("cpu", "fp32"))
    Trainer(experiment.task, experiment.train, experiment.select, trainer, optim=config.optim).fit()
    task = experiment.task
    with torch.no_grad():
        values = values_of(task.q(torch.eye(5)), task.support)
    right = [0.7 ** (4 - cell) for cell in range(5)]
    left = [0.7 * right[max(0, cell - 1)] for cell in range(5)]
    wanted = torch.tensor([left, right]).T
    if replay.get("n_step"):  # rewards of random steps count too, so that only the order is right
        assert torch.equal(values.argmax(1), wanted.argmax(1))
    else:
        torch.testing.assert_close(values, wanted, atol=0.08, rtol=0)


def test_the_target_follows_the_net():
    trainer = TrainerConfig(steps=5, batch_size=16, device="cpu", precision="fp32")
    config = QConfig(replay=ReplayConfig(environments=2, warmup=20), polyak=1.0, trainer=trainer)
    task = build(config, choose("cpu", "fp32")).task
    before = task.q.advantage.weight.detach().clone()
    assert torch.equal(task.target.advantage.weight, before)
    experiment = build(config, choose("cpu", "fp32"))
    Trainer(experiment.task, experiment.train, None, trainer).fit()
    net, target = experiment.task.q.advantage.weight, experiment.task.target.advantage.weight
    assert not torch.equal(net, target)  # it is the net of one step before
    assert (net - target).abs().max() < 0.01


def test_actions_that_are_numbers_are_refused():
    with pytest.raises(UserError, match="Use the recipe ppo"):
        build(QConfig(data="Pendulum-v1"), choose("cpu", "fp32"))


@pytest.mark.slow
def test_a_killed_training_ends_like_a_whole_one_bit_for_bit(tmp_path: Path):
    words = [
        "train", "dqn", "--trainer.steps", "40", "--trainer.log-every", "1", "--trainer.checkpoint-every", "3",
        "--trainer.eval-every", "20", "--replay.alpha", "0.5", "--replay.warmup", "100", "--replay.capacity", "150",
        "--trainer.batch-size", "32", "--device", "cpu",
    ]  # fmt: skip
    killed_and_resumed(["-m", "torchworks.rl", *words], tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["dqn-atari", "ppo-atari"])
def test_pixels_go_on_bit_for_bit_after_a_kill(recipe, tmp_path):
    words = ["train", recipe, "--data", "PixelBreakout10-v0", "--net.width", "16", "--trainer.steps", "40"]
    words += ["--trainer.log-every", "1", "--trainer.batch-size", "16"]
    if recipe == "dqn-atari":
        words += ["--replay.warmup", "200", "--replay.capacity", "300"]
    else:
        words += ["--rollout.steps", "16"]
    killed_and_resumed(["-m", "torchworks.rl", *words], tmp_path)
