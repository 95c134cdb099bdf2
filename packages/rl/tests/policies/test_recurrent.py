"""Policies with a memory: sequences equal single steps, rounds, exact continuation, what is served, learning."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from torchworks.rl.commands import COMMANDS
from torchworks.rl.environments.hidden import hidden_cart_pole
from torchworks.rl.environments.opening import Kind, kind_of
from torchworks.rl.environments.playing import play
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.inference.agent import open_agent
from torchworks.rl.models.recurrent_actor_critic import RecurrentActorCritic, pieces
from torchworks.rl.policies.actions import actions_of
from torchworks.rl.policies.build import build
from torchworks.rl.policies.config import PolicyConfig, PolicyNet, RolloutConfig
from torchworks.rl.policies.predictor import build_policy, policy_config
from torchworks.rl.policies.recurrent_rollouts import RecurrentRollouts
from torchworks.shared.cli import main
from torchworks.shared.config import OptimConfig, TrainerConfig, UserError
from torchworks.shared.machine.device import choose
from torchworks.shared.testing import check_model, check_predictor
from torchworks.shared.testing_runs import killed_and_resumed
from torchworks.shared.training.trainer import Trainer

SMALL = PolicyNet(width=8, memory=8)


def agent_for(kind: Kind) -> RecurrentActorCritic:
    torch.manual_seed(0)
    agent = RecurrentActorCritic(kind.width, kind.actions, continuous=kind.continuous, width=8, hidden=8)
    for parameter in agent.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return agent


def rollouts(name: str = "Corridor-v0", **options) -> RecurrentRollouts:
    kind = kind_of(name)
    config = RolloutConfig(**{"environments": 4, "steps": 32, "epochs": 2} | options)
    return RecurrentRollouts(Environments(kind, [*range(4)]), agent_for(kind), config, batch_size=2, seed=0)


# ---- the net ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("continuous", [False, True])
def test_the_net_keeps_the_models_contract(continuous):
    starts = torch.rand(5, 6) < 0.3
    inputs = (torch.randn(5, 6, 3), starts, torch.randn(5, 2, 8), torch.randn(5, 2, 8))
    unused = ["log_std"] if continuous else []
    check_model(
        lambda: RecurrentActorCritic(3, 4, continuous=continuous, width=8, hidden=8), inputs,
        shapes=((5, 6, 4), (5, 6)), unused=unused, export=False,
    )  # fmt: skip


def test_sequences_are_cut_where_episodes_begin():
    cut = pieces(torch.tensor([[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 1, 0]], dtype=torch.bool))
    assert cut.number.tolist() == [[0, 0, 1, 1], [2, 2, 2, 2], [3, 4, 5, 5]]
    assert cut.place.tolist() == [[0, 1, 0, 1], [0, 1, 2, 3], [0, 0, 0, 1]]
    assert (cut.first.tolist(), cut.count, cut.longest) == ([0, 2, 3], 6, 4)


@torch.no_grad()
@pytest.mark.parametrize("chance", [0.0, 0.2, 1.0])
def test_a_sequence_with_episodes_that_begin_inside_equals_single_steps(chance):
    agent = agent_for(kind_of("HiddenCartPole-v1"))
    seen, starts = torch.randn(5, 12, 2), torch.rand(5, 12) < chance
    h, c = torch.randn(5, 2, 8), torch.randn(5, 2, 8)
    made, value = agent(seen, starts, h, c)
    for t in range(12):
        h, c = (torch.where(starts[:, t, None, None], 0.0, each) for each in (h, c))
        one, worth, h, c = agent.step(seen[:, t], h, c)
        torch.testing.assert_close(made[:, t], one)
        torch.testing.assert_close(value[:, t], worth)


def test_no_gradient_and_no_memory_passes_the_beginning_of_an_episode():
    agent = agent_for(kind_of("HiddenCartPole-v1"))
    seen, starts = torch.randn(1, 6, 2, requires_grad=True), torch.tensor([[0, 0, 0, 1, 0, 0]]).bool()
    made, value = agent(seen, starts, *agent.empty(1))
    (gradient,) = torch.autograd.grad(made[0, 3:].sum() + value[0, 3:].sum(), seen)
    assert not gradient[0, :3].any()
    assert gradient[0, 3:].all()


# ---- rounds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Corridor-v0", "HiddenPendulum-v1"])
def test_what_was_played_is_what_the_policy_makes_of_the_whole_sequence(name):
    """Also in the second round, which begins in the middle of episodes."""
    ours = rollouts(name)
    batches = ours.iter_from(0)
    for played in [next(batches) for _ in range(8)]:
        made, value = ours.agent(*(played[key] for key in ("observation", "starts", "h", "c")))
        actions = actions_of(made.flatten(0, 1), ours.agent.log_std)
        said = actions.log_probability(played["action"].flatten(0, 1))
        torch.testing.assert_close(said, played["log_probability"].flatten(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(played["target"] - played["advantage"], value, atol=1e-5, rtol=1e-5)
    assert name != "Corridor-v0" or played["starts"].sum() >= 4
    assert played["h"].any()


@pytest.fixture
def short():
    gymnasium.register("Short-v0", hidden_cart_pole, max_episode_steps=4)
    yield "Short-v0"
    del gymnasium.registry["Short-v0"]


@torch.no_grad()
def test_advantages_are_those_of_single_steps_however_an_episode_ends(short):
    """With λ = 0, A = r + γ V(s') − V(s), where s' is what the action led to, with all that was seen before it."""
    ours = rollouts(short, steps=40, trace=0.0, discount=0.5)
    ours.environments = Environments(kind_of(short), [0])
    seen = [ours.environments.observation]
    taken, steps = [], ours.environments.step
    ours.environments.step = lambda actions: taken.append(steps(actions)) or taken[-1]
    ours.batch_size = 1
    (advantage,) = next(ours.iter_from(0))["advantage"]
    seen += [step.observation for step in taken]
    state = ours.agent.empty(1)
    for t, step in enumerate(taken):
        _, value, *state = ours.agent.step(torch.from_numpy(seen[t]), *state)
        after = ours.agent.step(torch.from_numpy(step.last), *state)[1] * float(not step.terminated[0])
        assert advantage[t].item() == pytest.approx((1 + 0.5 * after - value).item(), abs=1e-5)
        if step.truncated[0] or step.terminated[0]:
            state = ours.agent.empty(1)
    assert sum(bool(step.truncated[0]) for step in taken) == 10


@pytest.mark.parametrize("name", ["Corridor-v0", "HiddenPendulum-v1"])
def test_a_loader_goes_on_exactly_from_its_state(name):
    whole, other = rollouts(name), rollouts(name)
    batches = whole.iter_from(0)
    for _ in range(3):
        next(batches)
    other.load_state_dict(whole.state_dict())
    again = other.iter_from(3)
    for _ in range(6):
        a, b = next(batches), next(again)
        assert all(torch.equal(a[key], b[key]) for key in a)


# ---- a run -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A tiny finished run."""
    folder = tmp_path_factory.mktemp("runs") / "lstm"
    words = [
        "train", "ppo-lstm", "--trainer.steps", "2", "--trainer.eval-every", "0", "--trainer.batch-size", "16",
        "--rollout.environments", "4", "--rollout.steps", "8", "--net.width", "8", "--net.memory", "8",
        "--device", "cpu", "--out", str(folder),
    ]  # fmt: skip
    assert main("rl", "ppo", COMMANDS, words) == 0
    return folder


def test_an_agent_plays_with_the_memory_that_its_signature_tells_of(run):
    agent = open_agent(run, "cpu")
    net = agent.run.predictor.net
    torch.manual_seed(0)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=3.0 * (parameter.ndim > 1))  # or it would do the same whatever it sees
    actions = []

    def by_hand(seen: np.ndarray) -> np.ndarray:
        """The same with a state kept here, for one episode."""
        made, _, *state[:] = net.step(torch.from_numpy(seen), *state)
        actions.append(int(made.argmax(1)))
        return made.argmax(1).numpy()

    for seed in range(8):
        state = [*net.empty(1)]
        with torch.no_grad():
            assert play(agent.kind, [seed], by_hand) == play(agent.kind, [seed], agent.rule)
    assert {*actions} == {0, 1}


def test_a_finished_run_is_played_and_filmed(run, capsys, tmp_path):
    assert main("rl", "ppo", COMMANDS, ["evaluate", str(run), "--episodes", "4"]) == 0
    said = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(said["return_rule"]) == 500
    assert main("rl", "ppo", COMMANDS, ["watch", str(run), "--out", str(tmp_path / "film.gif")]) == 0


@pytest.mark.parametrize("name", ["HiddenCartPole-v1", "HiddenPendulum-v1"])
def test_what_is_served_keeps_its_contract(name):
    predictor = build_policy(policy_config(kind_of(name), SMALL))
    assert predictor.signature.states == {"hidden": "next_hidden", "cell": "next_cell"}
    check_predictor(predictor)


def test_batches_of_parts_of_sequences_are_refused():
    with pytest.raises(UserError, match=r"whole sequences of --rollout\.steps 64 steps"):
        PolicyConfig(net=SMALL, trainer=TrainerConfig(batch_size=32))


@pytest.mark.slow
def test_a_policy_with_a_memory_learns_the_way_at_the_fork():
    trainer = TrainerConfig(steps=400, batch_size=512, device="cpu", precision="fp32")
    config = PolicyConfig(
        data="Corridor-v0", net=PolicyNet(width=16, memory=16), trainer=trainer,
        rollout=RolloutConfig(environments=32, steps=32, epochs=4), optim=OptimConfig(lr=5e-3, schedule="linear"),
    )  # fmt: skip
    torch.manual_seed(0)
    experiment = build(config, choose("cpu", "fp32"))
    result = Trainer(experiment.task, experiment.train, experiment.select, trainer, optim=config.optim).fit()
    assert result.scores["return"] == 1


@pytest.mark.slow
def test_a_killed_training_ends_like_a_whole_one_bit_for_bit(tmp_path: Path):
    words = [
        "train", "ppo-lstm", "--trainer.steps", "40", "--trainer.log-every", "1", "--trainer.checkpoint-every", "3",
        "--trainer.eval-every", "20", "--rollout.steps", "16", "--trainer.batch-size", "32", "--device", "cpu",
        "--net.memory", "16",
    ]  # fmt: skip
    killed_and_resumed(["-m", "torchworks.rl", *words], tmp_path)
