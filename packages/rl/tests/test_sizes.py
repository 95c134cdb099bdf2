"""Sizes that would keep a machine busy forever are refused before anything is made."""

import pytest

from torchworks.rl.commands import COMMANDS
from torchworks.shared.cli import main

MUCH = "1000000000000"


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("ppo", ("--rollout.environments", MUCH)),
        ("ppo", ("--rollout.steps", MUCH)),
        ("ppo", ("--rollout.environments", "10000", "--rollout.steps", "10000")),
        ("ppo", ("--net.width", MUCH)),
        ("ppo", ("--net.layers", MUCH)),
        ("ppo-lstm", ("--net.memory", MUCH)),
        ("snake", ("--net.channels", "16", MUCH)),
        ("dqn", ("--replay.environments", MUCH)),
        ("dqn", ("--replay.capacity", MUCH)),
        ("rainbow", ("--net.atoms", MUCH)),
        ("rainbow", ("--net.high", "inf")),
        ("sac", ("--net.width", MUCH)),
        ("a3c", ("--workers", MUCH)),
        ("connect-four", ("--play.boards", MUCH)),
        ("connect-four", ("--play.search", MUCH)),
        ("connect-four", ("--net.blocks", MUCH)),
    ],
)
def test_what_no_machine_can_hold_is_refused(capsys, recipe: str, options: tuple[str, ...]):
    assert main("rl", default="ppo", commands=COMMANDS, arguments=["train", recipe, *options]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "must be" in said or "Choose at most" in said


def test_gradients_may_be_clipped_to_more_than_one(capsys):
    """`max_norm` is a norm, not a share."""
    words = ["train", "ppo", "--max-norm", "10", "--dry-run", "--device", "cpu"]
    assert main("rl", default="ppo", commands=COMMANDS, arguments=words) == 0
