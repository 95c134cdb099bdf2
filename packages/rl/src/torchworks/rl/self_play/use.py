"""Finished runs of a board game in use: against opponents, and against people."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor

from torchworks.rl.environments.games.four_film import film
from torchworks.rl.environments.games.four_matches import Score, match
from torchworks.rl.environments.games.four_opponents import OPPONENTS, Player, at_random, opponent
from torchworks.rl.environments.games.four_search import Judge
from torchworks.rl.self_play.config import BoardGameConfig
from torchworks.rl.self_play.players import judge_of, looking_judge, player_of
from torchworks.rl.self_play.predictor import BoardPredictor
from torchworks.shared.machine.device import Device
from torchworks.shared.runs.files import check_finished, load_config
from torchworks.shared.runs.opening import open_run

MOST_SEARCHED = 10_000
"""Positions that a search may look at."""


def is_board_game(folder: Path) -> bool:
    """Whether a finished run has learnt a board game. Raises `UserError` unless it is a finished run."""
    check_finished(folder)
    return isinstance(load_config(folder), BoardGameConfig)


def open_judge(folder: Path, device: str, *, ahead: bool = True) -> Judge:
    """What the net of a finished run thinks of positions, by itself or with a look one move ahead. Raises `UserError`
    unless it is one of this package."""
    run = open_run(folder, "rl", device)
    assert isinstance(run.predictor, BoardPredictor)
    return (looking_judge if ahead else judge_of)(run.predictor.net, Device(run.device))


def strength(player: Player, games: Sequence[int]) -> Iterator[tuple[str, Score]]:
    """What comes of `games` against each opponent."""
    for name in OPPONENTS:
        yield name, match(player, opponent(name), games)


def print_strength(folder: Path, device: str, games: Sequence[int], search: int) -> int:
    """A table of won, drawn and lost games and the share of points, for the net, for it with a look one move ahead and
    with a search, for chance."""
    net = open_judge(folder, device, ahead=False)
    players = {"agent (looks one move ahead)": player_of(open_judge(folder, device)), "its net alone": player_of(net)}
    if search:
        players[f"with a search of {search} positions"] = player_of(net, search)
    players["random moves"] = at_random
    for title, player in players.items():
        print(f"{title:<34}  won drawn  lost   points")
        for name, score in strength(player, games):
            print(
                f"  against {name:<24}{score.won:5}{score.drawn:6}{score.lost:6}{100 * score.share:7.1f} %", flush=True
            )
    return 0


def game_film(folder: Path, device: str, game: int) -> Tensor:
    """Game number `game` of the agent, yellow, against alpha-beta: uint8 (T, 3, H, W)."""
    return film(player_of(open_judge(folder, device)), opponent("minimax-4"), game)
