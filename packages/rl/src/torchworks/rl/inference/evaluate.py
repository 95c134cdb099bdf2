"""The command `evaluate`: returns of many episodes."""

import numpy as np

from torchworks.rl.environments.baselines import baselines
from torchworks.rl.environments.opening import seeds_to_judge_by
from torchworks.rl.environments.playing import play
from torchworks.rl.inference.agent import open_agent
from torchworks.rl.inference.commands import Evaluate
from torchworks.rl.self_play.use import MOST_SEARCHED, is_board_game, print_strength
from torchworks.shared.options import check_number


def evaluate(arguments: Evaluate) -> int:
    """Print the mean return, its spread, the smallest and the largest, and those of baselines on the same episodes."""
    check_number("--episodes", arguments.episodes, 1, 10_000)
    if arguments.seed is not None:
        check_number("--seed", arguments.seed, 0)
    first = seeds_to_judge_by()[0] if arguments.seed is None else arguments.seed
    seeds = list(range(first, first + arguments.episodes))
    if is_board_game(arguments.run):
        check_number("--search", arguments.search, 0, MOST_SEARCHED)
        return print_strength(arguments.run, arguments.device, seeds, arguments.search)
    agent = open_agent(arguments.run, arguments.device)
    played = play(agent.kind, seeds, agent.rule)
    totals = np.array([each.total for each in played])
    figures = {
        "return": totals.mean(),
        "return_sd": totals.std(),
        "return_min": totals.min(),
        "return_max": totals.max(),
        "episode_steps": np.mean([each.steps for each in played]),
        **baselines(agent.kind, seeds),
    }
    for name, value in figures.items():
        print(f"{name:<16}{value:10.2f}")
    return 0
