"""Promises of the benchmarks of agents: what they compare is alike, and what they say follows from the times."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

pytest.importorskip("torchworks.rl", reason="needs the package that is measured")
pytest.importorskip("stable_baselines3", reason="needs the library that is measured beside it")
sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import agent_speed
import bench_agents
from agent_speed import OURS, SB3, SCRIPT
from bench_agents import Reached, Size
from race import Times

from torchworks.rl.policies.predictor import make_agent
from torchworks.rl.policies.recipes import ppo


def times(value: float) -> Times:
    return Times((value,) * 3, (value,) * 3)


def test_the_nets_that_are_compared_have_as_many_parameters():
    config = ppo()
    theirs = agent_speed.ppo_of_sb3(config, 0, lambda left: 1e-3).policy
    script = agent_speed.ppo_script(config, 0, lambda number: 1.0)
    ours = make_agent(agent_speed.kind_of(config.data), config.net)
    counts = [sum(p.numel() for p in each) for each in (ours.parameters(), theirs.parameters(), script.parameters)]
    assert counts == [counts[0]] * 3
    assert agent_speed.round_of(config) == agent_speed.PPO_STEPS


@pytest.mark.slow
def test_it_runs_with_few_steps_and_prints_every_table():
    text = io.StringIO()
    size = Size(rounds=2, ppo=1, updates=4, steps=3)
    tables = bench_agents.compared(Console(file=text, width=140), size)
    assert [set(table) >= {OURS, SB3} for table in tables.values()] == [True] * 4
    assert SCRIPT in tables["PPO, steps of environments"]
    assert "Gymnasium, vector_entry_point" in text.getvalue()


@pytest.mark.parametrize(("seconds", "met"), [(2.6, True), (2.4, False)])
def test_ppo_must_be_two_and_a_half_times_as_fast(seconds: float, met: bool):
    tables = {"PPO, steps of environments": {OURS: times(1.0), SB3: times(seconds)}}
    assert [target.met for target in bench_agents.speed_targets(tables)] == [met]


@pytest.mark.parametrize(
    ("ours", "theirs", "met"), [(3.0, 6.5, True), (3.0, 5.5, False)],
)  # fmt: skip
def test_the_pole_must_be_balanced_in_half_the_time(ours: float, theirs: float, met: bool):
    solved = {OURS: [Reached(ours, 30_000)] * 3, SB3: [Reached(theirs, 30_000)] * 3}
    assert [target.met for target in bench_agents.solved_targets(solved)] == [met]


def test_a_training_that_is_never_solved_meets_no_target():
    solved = {OURS: [Reached(1.0, None)], SB3: [Reached(9.0, 30_000)]}
    assert [target.met for target in bench_agents.solved_targets(solved)] == [False]
