"""A memory with each frame once gives what a memory of whole observations gives."""

import copy

import pytest
import torch

from torchworks.rl.environments.opening import kind_of
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.memory.acting import Acting
from torchworks.rl.memory.config import ReplayConfig
from torchworks.rl.memory.frames import FrameReplay, room
from torchworks.rl.memory.replay import Replay

SHAPE = (4, 6, 5)


def played(steps: int, length: int = 7, seed: int = 0) -> list[tuple[torch.Tensor, ...]]:
    """Steps of episodes of `length` steps, as a memory takes them, one a time."""
    random, found, number = torch.Generator().manual_seed(seed), [], 0
    while len(found) < steps:
        frames = torch.randint(256, (length + 1, *SHAPE[1:]), generator=random).float()
        frames = torch.cat([frames[:1].expand(3, -1, -1), frames])
        for t in range(length):
            values = torch.tensor([float(number)])
            found.append((frames[None, t : t + 4], values.long(), values, values, frames[None, t + 1 : t + 5]))
            number += 1
    return found[:steps]


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_it_gives_the_observations_that_it_was_given(alpha):
    plain, once = Replay(30, SHAPE, whole=True), FrameReplay(30, SHAPE, recent=64)
    uniform = torch.rand(50, generator=torch.Generator().manual_seed(1))
    for step in played(25):
        plain.add(*step)
        once.add(*step)
        ours, theirs = (each.draw(uniform, alpha=alpha, beta=0.4) for each in (once, plain))
        for name, value in theirs.items():
            assert torch.equal(ours[name], value), name
        for each, batch in ((once, ours), (plain, theirs)):
            each.surprise(batch["index"], batch["reward"].sin())
    assert int(once.frames) == 25 + 4  # one more for each episode


def test_steps_whose_frames_made_way_are_not_drawn():
    once, steps = FrameReplay(20, SHAPE, recent=16), played(200, length=2)  # three frames for two steps
    for step in steps:
        once.add(*step)
        batch = once.draw(torch.arange(0, 1, 0.01), alpha=0.0, beta=1.0)
        for i, number in enumerate(batch["action"].tolist()):
            assert torch.equal(batch["observation"][i], steps[number][0][0])
            assert torch.equal(batch["following"][i], steps[number][4][0])
    assert 8 <= len(once) <= 20
    assert batch["action"].max() == 199


def test_frames_are_known_again_after_the_state_was_loaded():
    once, other = FrameReplay(30, SHAPE, recent=64), FrameReplay(30, SHAPE, recent=64)
    steps = played(60)
    for step in steps[:31]:
        once.add(*step)
    other.load_state_dict(copy.deepcopy(once.state_dict()))
    for step in steps[31:]:
        once.add(*step)
        other.add(*step)
    assert all(torch.equal(a, b) for a, b in zip(once.buffers(), other.buffers(), strict=True))


def test_its_room_is_what_is_said():
    once = FrameReplay(100, SHAPE, recent=16)
    assert room(100, SHAPE, recent=16) == (once.frame.numel(), 2 * 100 * 4 * 30)


def test_play_that_sums_up_rewards_of_several_steps_keeps_each_frame_once():
    kind = kind_of("PixelBreakout10-v0")
    config = ReplayConfig(environments=3, warmup=120, capacity=200, n_step=3)
    once = FrameReplay(200, kind.grid, recent=64)
    envs = Environments(kind, [1, 2, 3])
    acting = Acting(envs, lambda seen, *_: torch.zeros(3).long(), once, config, steps=9, batch_size=4, seed=0)
    next(iter(acting))
    assert 100 < int(once.frames) < 1.3 * int(once.count)  # copies of frames, of three environments, are shared


@pytest.mark.parametrize(("signs", "life_ends"), [(False, False), (True, True)])
def test_signs_of_rewards_and_lost_lives_count_in_what_is_learnt_alone(signs, life_ends):
    kind = kind_of("PixelBreakout10-v0")
    config = ReplayConfig(environments=1, warmup=150, capacity=200, signs=signs, life_ends=life_ends)
    once, envs = FrameReplay(200, kind.grid, recent=64), Environments(kind, [1])
    step = envs.step
    envs.step = lambda actions: (lambda s: type(s)(**vars(s) | {"reward": 7 * s.reward}))(step(actions))
    next(iter(Acting(envs, lambda seen, *_: torch.zeros(1).long(), once, config, steps=9, batch_size=4, seed=0)))
    ends = int((once.discount[: len(once)] == 0).sum())
    assert once.reward.unique().tolist() == [0, 1 if signs else 7]
    assert ends == (3 if life_ends else 1) * len(envs.finished)
