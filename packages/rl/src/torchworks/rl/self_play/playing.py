"""A person against the agent in the terminal."""

import numpy as np

from torchworks.rl.environments.games import four_rules as rules
from torchworks.rl.environments.games.four_search import Judge, search
from torchworks.rl.inference.asking import asked

HELP = "Enter the number of a column. u takes your last move back, q ends the game."


def play_connect_four(judge: Judge, *, begins: str, simulations: int, advice: bool) -> int:
    """A game against what `judge` thinks best, which ends with the input too."""
    print(f"You are X, the agent is O. {HELP}")
    past: list[tuple[int, int]] = []  # positions in which the person was to move
    own, both = 0, 0
    if begins == "agent":
        own, both = _answer(judge, own, both, simulations)
    while True:
        print(board(own, own ^ both))
        if advice:
            column, share, value = think(judge, own, both, simulations)
            print(f"the agent would take column {column + 1} ({share:.0%}); it gives you {value:+.2f} of −1 to 1")
        word = asked("your column: ")
        if word is None or word in ("q", "quit"):
            print("The game ends here.")
            return 0
        if word in ("u", "undo"):
            if past:
                own, both = past.pop()
            else:
                print("There is no move of yours to take back.")
            continue
        if (column := _column(word, both)) is None:
            continue
        past.append((own, both))
        own, both = rules.drop(own, both, column)
        if rules.won(own ^ both):
            return _over(own ^ both, own, "You have won.")
        if rules.full(both):
            return _over(own ^ both, own, "A draw.")
        own, both = _answer(judge, own, both, simulations)
        if rules.won(own ^ both):
            return _over(own, own ^ both, "The agent has won.")
        if rules.full(both):
            return _over(own, own ^ both, "A draw.")


def think(judge: Judge, own: int, both: int, simulations: int) -> tuple[int, float, float]:
    """The column that the agent would take in an open position, how sure it is, and what it thinks the position
    worth."""
    position = np.array([own]), np.array([both])
    if simulations:
        found = search(*position, judge, simulations)
        shares, value = found.shares, found.value
    else:
        shares, value = judge(*position)
    shares = np.where(rules.legal(position[1]), shares, -1.0)[0]
    return int(shares.argmax()), float(shares.max()), float(value[0])


def board(yours: int, theirs: int) -> str:
    """The stones as text, X and O, with the numbers of the columns below."""
    lines = []
    for row in rules.SHIFTS.tolist():
        lines.append("  " + " ".join("X" if yours >> bit & 1 else "O" if theirs >> bit & 1 else "." for bit in row))
    return "\n".join(["", *lines, "  " + " ".join(str(column + 1) for column in range(rules.COLUMNS)), ""])


def _answer(judge: Judge, own: int, both: int, simulations: int) -> tuple[int, int]:
    column, share, value = think(judge, own, both, simulations)
    print(f"the agent takes column {column + 1} ({share:.0%}); it gives itself {value:+.2f} of −1 to 1")
    return rules.drop(own, both, column)


def _column(word: str, both: int) -> int | None:
    """The column that `word` names, or None after saying why it names none."""
    if not (word.isdecimal() and 1 <= int(word) <= rules.COLUMNS):
        print(f"'{word}' is no column. {HELP}")
        return None
    if not rules.playable(both) & int(rules.COLUMN[int(word) - 1]):
        print(f"Column {word} is full. Take another one.")
        return None
    return int(word) - 1


def _over(yours: int, theirs: int, words: str) -> int:
    print(board(yours, theirs))
    print(words)
    return 0
