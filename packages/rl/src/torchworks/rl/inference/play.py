"""The command `play`: a person plays, against the agent or beside it."""

from dataclasses import dataclass

import numpy as np

from torchworks.rl.environments.calling import close, reset, step
from torchworks.rl.environments.opening import Kind, as_numbers, as_taken, make
from torchworks.rl.environments.playing import player
from torchworks.rl.inference.agent import Agent, open_agent
from torchworks.rl.inference.asking import asked
from torchworks.rl.inference.commands import Play
from torchworks.rl.self_play.playing import play_connect_four
from torchworks.rl.self_play.use import MOST_SEARCHED, is_board_game, open_judge
from torchworks.shared.config import UserError
from torchworks.shared.options import check_number

NAMES = {
    "CartPole-v1": ("left", "right"),
    "Acrobot-v1": ("clockwise", "nothing", "counterclockwise"),
    "MountainCar-v0": ("left", "nothing", "right"),
    "FrozenLake-v1": ("left", "down", "right", "up"),
    "Snake10-v0": ("left", "straight", "right"),
    "Snake10Ways-v0": ("left", "straight", "right"),
    "Breakout10-v0": ("stay", "left", "right"),
}
"""What actions are called, a word each, where their numbers say nothing."""
SHOWN = 12
"""Numbers of an observation that are printed."""


def play(arguments: Play) -> int:
    """Connect Four against the agent; any other environment step by step, with the agent's advice."""
    check_number("--search", arguments.search, 0, MOST_SEARCHED)
    check_number("--seed", arguments.seed, 0)
    if is_board_game(arguments.run):
        judge = open_judge(arguments.run, arguments.device, ahead=not arguments.search)
        return play_connect_four(judge, begins=arguments.begins, simulations=arguments.search, advice=arguments.advice)
    agent = open_agent(arguments.run, arguments.device)
    if agent.kind.continuous:
        raise UserError(
            f"Actions of {agent.kind.id} are numbers, which nobody enters step by step. Watch the agent instead, by "
            f"`rl watch {arguments.run}`."
        )
    return _play_beside(agent, arguments.seed)


@dataclass
class _Words:
    """What a person may enter."""

    kind: Kind

    @property
    def names(self) -> tuple[str, ...]:
        return NAMES.get(self.kind.id.rpartition(":")[2], ())

    def of(self, action: int) -> str:
        number = self.kind.names[action]
        return f"{number} ({self.names[action]})" if self.names else number

    def actions(self, line: str) -> list[int] | None:
        """The actions that the words of `line` name, or None after saying which one is wrong."""
        found = []
        for word in line.split():
            known = next((names for names in (self.kind.names, self.names) if word in names), None)
            if known is None:
                print(f"'{word}' is no action. {self.help()}")
                return None
            found.append(known.index(word))
        return found

    def help(self) -> str:
        several = ", ".join(map(self.of, range(self.kind.actions)))
        return f"Enter {several}, or several of them; nothing for what the agent would do; q to end."


def _play_beside(agent: Agent, seed: int) -> int:
    kind, words = agent.kind, _Words(agent.kind)
    environment, total, steps, over, queue = make(kind.id), 0.0, 0, False, []
    seen, advice = reset(environment, kind.id, seed), player(agent.rule, 1)
    print(f"{kind.id}. {words.help()}")
    while not over:
        now = as_numbers(kind, [seen])
        advised = int(advice(now, [0])[0])
        if not queue:
            print(f"step {steps}   return {total:g}   {shown(now[0])}")
        while not queue:
            line = asked(f"your action (the agent: {words.of(advised)}): ")
            if line is None or line in ("q", "quit"):
                print(f"It ends here, with a return of {total:g} in {steps} steps.")
                return 0
            queue = [advised] if not line.strip() else words.actions(line) or []
        action = as_taken(kind, np.array([queue.pop(0)]))[0]
        seen, reward, terminated, truncated, _ = step(environment, kind.id, action)
        total, steps, over = total + reward, steps + 1, terminated or truncated
    close(environment, kind.id)
    print(f"step {steps}   return {total:g}   {shown(as_numbers(kind, [seen])[0])}")
    print(f"The episode {'is over' if terminated else 'is cut off'}: a return of {total:g} in {steps} steps.")
    return 0


def shown(seen: np.ndarray) -> str:
    """An observation as text: some of its numbers, or a grid with a sign for the uppermost plane in each cell."""
    if seen.ndim == 1:
        written = " ".join(f"{value:.2f}" for value in seen[:SHOWN])
        return f"{written} …" if len(seen) > SHOWN else written
    signs = np.full(seen.shape[1:], ".")
    for plane, values in enumerate(seen):
        signs[values > 0] = "#+*ox@"[plane % 6]
    return "\n" + "\n".join("  " + " ".join(row) for row in signs)
