# %% [markdown]
# # 26. Reinforcement learning: nobody knows the right answer
#
# Nobody tells an agent what to do, only how well it went; this lesson solves a small world exactly, learns the same
# world by trying, and trains a network to balance a pole.
#
# At each step the agent sees an **observation**, takes an **action** and gets a **reward**. There are no labels. A good
# action may be rewarded fifty steps later, and what the agent sees next depends on what it does. Its aim is a large
# **return**: the sum of all rewards to come, in which each step counts a little less than the one before it:
#
# $$G_t = r_t + \gamma r_{t+1} + \gamma^2 r_{t+2} + \dots = r_t + \gamma G_{t+1}$$
#
# The **discount** $\gamma$ says how far it looks ahead: with 0.98, about 1 / (1 − 0.98) = 50 steps.

# %%
import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn

from torchworks.lessons import save_figure
from torchworks.rl.algorithms.reinforce import reinforce_loss
from torchworks.rl.algorithms.returns import advantages
from torchworks.rl.environments.rules import RULES


def returns(rewards: Tensor, discount: float, later: Tensor | float = 0.0) -> Tensor:
    """The return at each step (T, …) of rewards (T, …), from the last step to the first; `later` is what follows."""
    found = torch.empty_like(rewards)
    for t in range(len(rewards) - 1, -1, -1):
        later = rewards[t] + discount * later
        found[t] = later
    return found


assert returns(torch.tensor([0.0, 0.0, 1.0]), 0.5).tolist() == [0.25, 0.5, 1.0]

# %% [markdown]
# ## A world that is known: value iteration
#
# A frozen lake has 16 fields: start, ice, four holes, and a goal with reward 1. The ice is slippery: a step goes where
# you want it in one case of three, and to either side in the others. Gymnasium hands out the table of all
# probabilities, so we can compute instead of learning.
#
# The **value** of a field is the expected return from there. Bellman's equation says that the value of a field is what
# its best action brings now, plus the discounted value of the fields it leads to. Begin with 0 everywhere and apply it
# until nothing changes.

# %%
DISCOUNT = 0.99
lake = gym.make("FrozenLake-v1", max_episode_steps=2000)
probability, reward = torch.zeros(16, 4, 16, dtype=torch.float64), torch.zeros(16, 4, dtype=torch.float64)
for state, actions in lake.unwrapped.P.items():
    for action, outcomes in actions.items():
        for chance, following, gain, terminated in outcomes:
            reward[state, action] += chance * gain
            if not terminated:  # behind an end there is nothing to come
                probability[state, action, following] += chance


def value_iteration(probability: Tensor, reward: Tensor, discount: float) -> tuple[Tensor, int]:
    """The values (S,) of P (S, A, S) and R (S, A), and how many sweeps it took."""
    value, sweeps, change = torch.zeros(len(reward), dtype=torch.float64), 0, 1.0
    while change > 1e-10:
        better = (reward + discount * probability @ value).amax(dim=1)
        change = (better - value).abs().max().item()
        value, sweeps = better, sweeps + 1
    return value, sweeps


def value_of(policy: Tensor, discount: float) -> Tensor:
    """The values (S,) of a fixed policy (S,) by linear algebra: V = R + γ P V, so V = (I − γ P)⁻¹ R."""
    rows = torch.arange(16)
    system = torch.eye(16, dtype=torch.float64) - discount * probability[rows, policy]
    return torch.linalg.solve(system, reward[rows, policy])


value, sweeps = value_iteration(probability, reward, DISCOUNT)
best = (reward + DISCOUNT * probability @ value).argmax(dim=1)
assert torch.allclose(value_of(best, DISCOUNT), value, atol=1e-7)
print(f"value of the start after {sweeps} sweeps: {value[0]:.4f}")

# %% [markdown]
# A computed value is a promise: whoever plays like this gets, on average, this discounted return. We hold Gymnasium to
# it.


# %%
def play_lake(policy: Tensor, episodes: int) -> Tensor:
    """The discounted return of each episode."""
    found = []
    for seed in range(episodes):
        state, _ = lake.reset(seed=seed)
        gain, weight, over = 0.0, 1.0, False
        while not over:
            state, got, terminated, truncated, _ = lake.step(int(policy[state]))
            gain, weight, over = gain + weight * got, weight * DISCOUNT, terminated or truncated
        found.append(gain)
    return torch.tensor(found)


played = play_lake(best, 600)
error = played.std() / len(played) ** 0.5
print(f"played 600 times: {played.mean():.4f} ± {error:.4f}")
assert abs(played.mean() - value[0]) < 3.5 * error

# %% [markdown]
# ## A world that is not known: Q-learning
#
# Usually there is no table of probabilities, only a game to play. **Q-learning** keeps a number for each field and
# action, and after each step moves it a little towards what it has just seen:
#
# $$Q(s, a) \leftarrow Q(s, a) + \eta \, [r + \gamma \max_{a'} Q(s', a') - Q(s, a)]$$
#
# If the step **terminated** the episode, nothing comes after it, and the term with the maximum is left out. The agent
# must also **explore**: always taking the action that seems best means never finding a better one. Here it always takes
# a random action, and still learns the values of the best ones: that is what the maximum is for (*off-policy*).


# %%
def q_learning(seed: int, steps: int) -> Tensor:
    """Q (S, A), learnt from random play alone."""
    rng = np.random.default_rng(seed)
    q, visits = np.zeros((16, 4)), np.zeros((16, 4))
    state, _ = lake.reset(seed=seed)
    for action in rng.integers(4, size=steps).tolist():
        following, got, terminated, truncated, _ = lake.step(action)
        visits[state, action] += 1
        rate = 30 / (30 + visits[state, action])  # large at first, then smaller, so that chance averages out
        target = got if terminated else got + DISCOUNT * q[following].max()
        q[state, action] += rate * (target - q[state, action])
        state = lake.reset()[0] if terminated or truncated else following
    return torch.from_numpy(q)


reached = []
for seed in range(3):
    learnt = q_learning(seed, 40_000).argmax(dim=1)
    reached.append(value_of(learnt, DISCOUNT)[0].item())
    print(f"seed {seed}: the policy that Q-learning found is worth {reached[-1]:.4f} of {value[0]:.4f}")
assert max(reached) < value[0] + 1e-6  # nothing is better than the best
assert min(reached) > 0.6 * value[0]
assert max(reached) > 0.95 * value[0]

# %% [markdown]
# Two things are worth noticing. Where the table is known, computing is exact and quicker: do not learn what you can
# look up. And the same program with another seed finds another policy. In reinforcement learning **one run proves
# nothing**; three seeds are the least, and the spread belongs in the result.
#
# ## A world too large for a table: the policy gradient
#
# A pole stands on a cart. The agent sees four numbers (place, speed, angle, turning of the pole) and pushes left or
# right. Each step that the pole stands is worth 1, and after 500 steps the episode is cut off. Four real numbers have
# no table, so a network takes its place: it gives the probability of each action.
#
# First the baselines, which no result may go without: chance, and a rule that a person writes in a minute.

# %%
POLES = 16


def judged(policy, episodes: int = 100, seed: int = 7) -> float:
    """The mean number of steps in as many episodes, with seeds of their own; `policy` maps (N, 4) to actions (N,)."""
    poles = gym.make_vec("CartPole-v1", num_envs=episodes, vectorization_mode="vector_entry_point")
    seen, _ = poles.reset(seed=seed)
    stands, steps = np.ones(episodes, dtype=bool), np.zeros(episodes)
    while stands.any():
        seen, _, terminated, truncated, _ = poles.step(policy(seen))
        steps += stands
        stands &= ~(terminated | truncated)
    return steps.mean()


rng = np.random.default_rng(0)


def by_rule(seen: np.ndarray) -> np.ndarray:
    """Push to where the pole falls, and a little against the way the cart drifts."""
    place, speed, angle, turning = seen.T
    return (angle + 0.3 * turning + 0.01 * place + 0.03 * speed > 0).astype(np.int64)


chance, rule = judged(lambda seen: rng.integers(2, size=len(seen))), judged(by_rule)
print(f"steps in 100 episodes: chance {chance:.0f}, a rule {rule:.0f}")
assert rule == judged(RULES["CartPole-v1"]) == 500  # the package's rule is this one

# %% [markdown]
# The rule is perfect. We train all the same, to see the method on a problem whose answer we know.
#
# **REINFORCE** (Williams 1992) plays whole episodes, and then makes each action more probable if its return was better
# than expected, and less if it was worse:
#
# $$L = -\frac{1}{T} \sum_t A_t \log \pi(a_t \mid s_t), \qquad A_t = G_t - V(s_t)$$
#
# What was expected, $V(s)$, is learnt by a second network. It only reduces the noise. Without it all actions of all
# episodes look good here, because every reward is positive.
#
# ## Two ways to end
#
# An episode **terminates** when the pole falls: nothing comes after it, and the last return is 1. It is **truncated**
# when 500 steps are over: the pole still stands and would have gone on standing. Whoever treats this as an end teaches
# the network that standing upright is worth nothing, but only sometimes, since the limit of steps is not among the four
# numbers it sees. So a truncated episode is continued by the value of the last observation.


# %%
GAMMA = 0.98


def play(poles: gym.vector.VectorEnv, policy: nn.Module, seed: int) -> dict[str, Tensor]:
    """One episode of each pole, (T, N) steps. `stands` marks the steps that belong to it: a pole that fell is set up
    again by the environment, and what it does then is left out."""
    seen, _ = poles.reset(seed=seed)
    steps: list[tuple[Tensor, Tensor, Tensor]] = []
    stands, cut_off = torch.ones(POLES, dtype=torch.bool), torch.zeros(POLES, dtype=torch.bool)
    while stands.any():
        now = torch.as_tensor(seen)
        with torch.no_grad():
            push_right = policy(now).softmax(dim=1)[:, 1]
        action = (torch.rand(POLES) < push_right).long()
        seen, _, terminated, truncated, _ = poles.step(action.numpy())
        steps.append((now, action, stands.clone()))
        cut_off |= stands & torch.as_tensor(truncated)
        stands &= ~torch.as_tensor(terminated | truncated)
    found = dict(zip(("seen", "action", "stands"), map(torch.stack, zip(*steps, strict=True)), strict=True))
    return found | {"last": torch.as_tensor(seen), "cut_off": cut_off}


def net_of(outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, outputs))


def train_agent(seed: int, rounds: int = 16) -> tuple[nn.Module, nn.Module, list[float]]:
    """Policy, value, and the mean length of the episodes of each round."""
    torch.manual_seed(seed)
    poles = gym.make_vec("CartPole-v1", num_envs=POLES, vectorization_mode="vector_entry_point")
    policy, value_net, lengths = net_of(2), net_of(1), []
    nn.init.zeros_(policy[2].weight)  # both actions alike at first
    optimizer = torch.optim.Adam([*policy.parameters(), *value_net.parameters()], lr=0.03)
    for number in range(rounds):
        game = play(poles, policy, seed=1000 * seed + number)
        stands = game["stands"]
        with torch.no_grad():
            later = torch.where(game["cut_off"], value_net(game["last"])[:, 0], 0.0)
        gain = returns(stands.float(), GAMMA, later)[stands]  # a reward of 1 for each step
        seen, action = game["seen"][stands], game["action"][stands]
        expected = value_net(seen)[:, 0]
        advantage = gain - expected.detach()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        log_probability = policy(seen).log_softmax(dim=1).gather(1, action[:, None])[:, 0]
        loss = -(advantage * log_probability).mean()
        optimizer.zero_grad()
        (loss + 0.005 * (expected - gain).square().mean()).backward()
        optimizer.step()
        lengths.append(stands.sum().item() / POLES)
    assert torch.equal(loss, reinforce_loss(log_probability, advantage))  # the package's loss is ours
    return policy, value_net, lengths


agents = [train_agent(seed) for seed in range(3)]


def greedy(policy: nn.Module):
    """The more probable action."""
    return lambda seen: policy(torch.as_tensor(seen)).argmax(dim=1).numpy()


scores = [judged(greedy(policy)) for policy, _, _ in agents]
played = [int(POLES * sum(lengths)) for _, _, lengths in agents]
for seed, (score, steps) in enumerate(zip(scores, played, strict=True)):
    print(f"seed {seed}: {score:.0f} steps of 500 after {steps:,} steps of play")
print(f"three seeds: {np.mean(scores):.0f} ± {np.std(scores, ddof=1):.0f}; chance {chance:.0f}, the rule {rule:.0f}")
assert min(scores) > 5 * chance
assert np.mean(scores) > 300

# %% [markdown]
# The network needs some fifty thousand steps of play for what the rule knew at once. That is the usual order:
# write the rule first. Learning pays where nobody can write it, as for games, or for a robot's hundred joints.
#
# What an end is taken for shows in the returns of one episode of 500 steps that was cut off:

# %%
rewards = torch.ones(500)
standing = 1 / (1 - GAMMA)  # the sum of all γᵏ: the value of standing for ever
ended, continued = returns(rewards, GAMMA), returns(rewards, GAMMA, standing)
none = torch.zeros(500, 1, dtype=torch.bool)
last = none.clone()
last[-1] = True
zeros, next_value = torch.zeros(500, 1), torch.zeros(500, 1)
next_value[-1] = standing
theirs = advantages(rewards[:, None], zeros, next_value, none, last, discount=GAMMA, trace=1.0)  # the package's
assert torch.allclose(theirs[:, 0], continued, atol=1e-3)
print(f"return 10 steps before the limit: {ended[490]:.1f} if it counts as an end, {continued[490]:.1f} if not")
assert ended[490] < 0.25 * continued[490]

# %% [markdown]
# ## The figure
#
# Left: the lake with the values of its fields and the best action of each; H is a hole, G the goal. An action often
# points away from where it wants to go: on slippery ice the sides matter more. Middle: the episodes of three trainings,
# beside chance and the rule. Right: the returns of an episode that was cut off.

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.3), gridspec_kw={"width_ratios": (1, 1.4, 1.2)})
left.imshow(value.view(4, 4).numpy(), cmap="Blues", vmin=0, vmax=1.2)
for state, letter in enumerate(lake.unwrapped.desc.flatten()):
    here = f"{'←↓→↑'[best[state]]}\n{value[state]:.2f}" if letter in b"SF" else letter.decode()
    left.text(state % 4, state // 4, here, ha="center", va="center", fontsize=13)
left.set(xticks=[], yticks=[], title="values and best actions")
for seed, (_, _, lengths) in enumerate(agents):
    middle.plot(range(1, len(lengths) + 1), lengths, "o-", markersize=4, label=f"REINFORCE, seed {seed}")
middle.axhline(rule, color="black", linestyle="--", label="the rule")
middle.axhline(chance, color="gray", linestyle=":", label="chance")
middle.set(xlabel="round of 16 episodes", title="steps of an episode", ylim=(0, 520))
middle.legend(loc="upper left", bbox_to_anchor=(0, 0.93))
right.plot(continued, label="truncated: the last value follows")
right.plot(ended, label="as if it had terminated")
right.set(xlabel="step of an episode of 500", title="return", ylim=(0, 65))
right.legend(loc="upper left")
save_figure(figure, "reinforcement")

# %% [markdown]
# ## What goes wrong
#
# **Code from an old tutorial.** OpenAI's `gym` returned four things from a step and one flag for both ends. Gymnasium
# returns five:
#
# ```python
# import gymnasium as gym
# import torch
#
# pole = gym.make("CartPole-v1")
# seen, info = pole.reset(seed=0)
# seen, reward, done, info = pole.step(0)
# ```
# ```text
# ValueError: too many values to unpack (expected 4…
# ```
#
# ```python
# seen, reward, terminated, truncated, info = pole.step(0)
# over = terminated or truncated  # for the loop; for the value only `terminated` counts
# ```
#
# **A tensor as an action.** It prints like the right number, and is not one:
#
# ```python
# pole.step(torch.tensor(1))
# ```
# ```text
# AssertionError: tensor(1) (<class 'torch.Tensor'>) invalid
# ```
#
# ```python
# pole.step(torch.tensor(1).item())
# ```
#
# **The step that never was.** Several environments at once start anew by themselves, in the step **after** the end.
# That step ignores your action and has reward 0. Learnt from, it teaches that the first observation of an episode
# follows from the last one:
#
# ```python
# poles = gym.make_vec("CartPole-v1", num_envs=1, vectorization_mode="vector_entry_point")
# poles.reset(seed=0)
# fell = [False]
# while not fell[0]:
#     _, _, fell, _, _ = poles.step(torch.ones(1, dtype=torch.int64).numpy())
# print(poles.step(torch.ones(1, dtype=torch.int64).numpy())[1])
# ```
# ```text
# [0.]
# ```
#
# Keep a mask of the steps that count, as `stands` above, or ask for a start within the same step:
#
# ```python
# same = {"autoreset_mode": gym.vector.AutoresetMode.SAME_STEP}
# poles = gym.make_vec("CartPole-v1", num_envs=1, vectorization_mode="sync", vector_kwargs=same)
# ```
#
# **The sign.** An optimizer makes a loss *smaller*. Without the minus, good actions become rarer:
#
# ```python
# from torch import nn
#
# policy, seen = nn.Linear(4, 2), torch.ones(1, 4)
# before = policy(seen).softmax(1)[0, 1].item()
# optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
# (2.0 * policy(seen).log_softmax(1)[0, 1]).backward()  # action 1 was good: an advantage of 2
# optimizer.step()
# print(policy(seen).softmax(1)[0, 1].item() > before)
# ```
# ```text
# False
# ```
#
# ```python
# optimizer.zero_grad()
# (-2.0 * policy(seen).log_softmax(1)[0, 1]).backward()
# optimizer.step()
# ```
#
# **An advantage that carries a gradient.** Then the loss of the policy also trains the value network, to make
# advantages large instead of right:
#
# ```python
# value = nn.Linear(4, 1)
# advantage = 3.0 - value(seen)[:, 0]
# (-(advantage * policy(seen).log_softmax(1)[:, 1])).mean().backward()
# print(value.weight.grad is None)
# ```
# ```text
# False
# ```
#
# ```python
# value.zero_grad(set_to_none=True)
# advantage = 3.0 - value(seen)[:, 0].detach()
# (-(advantage * policy(seen).log_softmax(1)[:, 1])).mean().backward()
# assert value.weight.grad is None
# ```
#
# ## Exercises
#
# In `lessons/answers/reinforcement.py`; check them with `make check-lesson NAME=reinforcement`.
#
# 1. `discounted_returns`: of one episode, from its last step to its first.
# 2. `q_target`: what a Q-value should be, with both kinds of ends.
# 3. `policy_loss`: REINFORCE.
#
# ## Where this lives
#
# - [`rl/algorithms`](../../packages/rl/src/torchworks/rl/algorithms/returns.py): a short file of equations for each:
#   returns and advantages here, [REINFORCE](../../packages/rl/src/torchworks/rl/algorithms/reinforce.py),
#   [PPO](../../packages/rl/src/torchworks/rl/algorithms/ppo.py),
#   [DQN](../../packages/rl/src/torchworks/rl/algorithms/dqn.py).
# - [`rl/environments/rules.py`](../../packages/rl/src/torchworks/rl/environments/rules.py): the rules written by hand
#   that every agent is measured by; in [README.md](../../packages/rl/README.md) some of them win.
# - [`rl/policies/rollouts.py`](../../packages/rl/src/torchworks/rl/policies/rollouts.py): true transitions only, and a
#   training that goes on exactly after a stop. `make train-rl` balances this pole by PPO and writes a film of it.
