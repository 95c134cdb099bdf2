"""The command `watch`: a film of an episode."""

from torchworks.rl.environments.playing import film
from torchworks.rl.inference.agent import open_agent
from torchworks.rl.inference.commands import Watch
from torchworks.rl.self_play.use import game_film, is_board_game
from torchworks.shared.config import UserError
from torchworks.shared.options import check_number
from torchworks.shared.runs.outputs import prepare_file, save_film


def watch(arguments: Watch) -> int:
    """Write the film and print its path and the episode's return."""
    check_number("--every", arguments.every, 1, 1000)
    check_number("--seed", arguments.seed, 0)
    path = arguments.out or arguments.run / f"episode-seed{arguments.seed}.gif"
    if path.suffix.lower() != ".gif":
        raise UserError(f"--out {path} is no film: a film is written as GIF. Give it a name that ends in .gif.")
    if is_board_game(arguments.run):
        prepare_file(path, overwrite=arguments.overwrite or arguments.out is None)
        save_film(path, list(game_film(arguments.run, arguments.device, arguments.seed)), milliseconds=700)
        print("a game against alpha-beta, which looks 4 moves ahead")
        print(path)
        return 0
    agent = open_agent(arguments.run, arguments.device)
    prepare_file(path, overwrite=arguments.overwrite or arguments.out is None)
    frames, played = film(agent.kind, arguments.seed, agent.rule, every=arguments.every)
    save_film(path, frames, milliseconds=20 * arguments.every)
    print(f"return {played.total:g} in {played.steps} steps")
    print(path)
    return 0
