"""A small table of events with two tastes, for tests: who likes an even film likes even ones."""

from pathlib import Path

import numpy as np

USERS, ITEMS = 40, 30


def write(folder: Path) -> str:
    """The name of the table as a source: each user has 12 of the 15 films of a taste, in random order."""
    random = np.random.default_rng(0)
    lines = ["user,item,time,title,genres,year"]
    for user in range(USERS):
        films = random.permutation(np.arange(user % 2, ITEMS, 2))[:12]
        lines += [
            f"u{user},{100 + film},{place},{title(film)},{('Drama', 'War')[film % 2]},{1990 + film % 3}"
            for place, film in enumerate(films)
        ]
    file = folder / "films.csv"
    file.write_text("\n".join(lines) + "\n")
    return f"ratings:{file}"


def title(film: int) -> str:
    return f'"Film {film}, The"'
