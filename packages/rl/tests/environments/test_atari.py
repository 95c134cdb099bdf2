"""Games of the Atari 2600: without ale-py, what is said; with it, all the rest."""

import sys

import numpy as np
import pytest

from torchworks.rl.environments.opening import kind_of, make
from torchworks.rl.environments.state import restores
from torchworks.shared.config import UserError
from torchworks.shared.testing_runs import killed_and_resumed

GAMES = ["ALE/Pong-v5", "ALE/Breakout-v5", "ALE/SpaceInvaders-v5"]
SMALL = ["--net.width", "16", "--trainer.batch-size", "8", "--trainer.steps", "40", "--trainer.log-every", "1"]


def test_whoever_lacks_the_emulator_is_told_what_it_is_and_under_which_license(monkeypatch):
    monkeypatch.setitem(sys.modules, "ale_py", None)
    with pytest.raises(UserError, match=r"pip install ale-py.*PixelBreakout10-v0") as raised:
        kind_of("ALE/Pong-v5")
    assert "GPL-2.0-only" in str(raised.value)


@pytest.fixture
def ale():
    return pytest.importorskip("ale_py", reason="which is no dependency: whoever tests these games installs it")


def test_a_game_that_does_not_exist_is_told(ale):
    with pytest.raises(UserError, match=r"Did you mean 'ALE/Pong-v5'"):
        kind_of("ALE/Pongg-v5")


@pytest.mark.parametrize("name", GAMES)
def test_games_go_on_exactly_from_their_state(ale, name):
    for seed in range(3):
        assert restores(make(name), make(name), seed=seed, steps=400)


def test_images_are_those_of_gymnasium_up_to_rounding(ale):
    pytest.importorskip("cv2", reason="which the wrapper of Gymnasium needs")
    import gymnasium
    from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

    name = "PongNoFrameskip-v4"
    ours = make(name)
    theirs = FrameStackObservation(AtariPreprocessing(gymnasium.make(name), noop_max=0), 4)
    ours.env.noops = 0
    random = np.random.default_rng(0)
    pairs = [(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])]
    for _ in range(300):
        action = int(random.integers(6))
        (seen, *one, _), (found, *other, _) = ours.step(action), theirs.step(action)
        assert one == other
        pairs.append((seen, found))
    far = np.abs(np.array([seen.astype(int) - found for seen, found in pairs]))
    assert far.max() <= 1
    assert (far > 0).mean() < 0.01


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        ["dqn-atari", "--data", "ALE/Breakout-v5", "--replay.warmup", "100", "--replay.capacity", "400"],
        ["ppo-atari", "--data", "ALE/Pong-v5", "--rollout.steps", "8", "--trainer.batch-size", "16"],
    ],
    ids=["dqn", "ppo"],
)
def test_a_training_that_was_killed_goes_on_bit_for_bit(ale, tmp_path, words):
    killed_and_resumed(["-m", "torchworks.rl", "train", words[0], *SMALL, *words[1:]], tmp_path)
