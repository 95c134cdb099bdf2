"""Items by their titles, as people write them.

"the usual suspects" is "Usual Suspects, The": capitals, punctuation and the place of an article do not matter, and a
year behind the title, as in "Fargo (1996)", chooses among items of one title.
"""

import difflib
import re

from torchworks.hybrid_multimodal.data.interactions import Catalogue
from torchworks.shared.config import UserError

ARTICLES = ("the", "a", "an", "la", "le", "les", "il", "der", "die", "das", "el")
_YEAR = re.compile(r"\((\d{4})\)\s*$")


def plain(title: str) -> str:
    """A title without what does not matter: `the usual suspects`."""
    head, comma, tail = title.strip().rpartition(",")
    if comma and tail.strip().casefold() in ARTICLES:
        title = f"{tail} {head}"
    words = re.findall(r"[^\W_]+", title.casefold().replace("'", ""))
    return " ".join(words[1:] if len(words) > 1 and words[0] in ARTICLES else words)


class Titles:
    """Finds the number of an item of `catalogue` by its title, or by its token; of several with one title the one that
    was chosen most often, by `counts`."""

    def __init__(self, catalogue: Catalogue, counts: list[float]):
        self.catalogue = catalogue
        self._by_token = {token: number for number, token in enumerate(catalogue.items, 1)}
        self._by_title: dict[str, list[int]] = {}
        for number, title in enumerate(catalogue.titles, 1):
            self._by_title.setdefault(plain(_YEAR.sub("", title)), []).append(number)
        for numbers in self._by_title.values():
            numbers.sort(key=lambda number: -counts[number])

    def number(self, title: str) -> int:
        """Raises `UserError` that names the nearest titles."""
        year = _YEAR.search(title)
        found = self._by_title.get(plain(_YEAR.sub("", title)), [])
        if year is not None:
            found = [number for number in found if self.catalogue.years[number - 1] == int(year[1])]
        if found:
            return found[0]
        if title in self._by_token:
            return self._by_token[title]
        near = [self.catalogue.shown(number) for number in self._near(title)]
        named = f"The nearest titles are {'; '.join(near)}." if near else "No title is near it."
        raise UserError(f"There is no item with the title '{title}'. {named}")

    def _near(self, title: str, count: int = 3) -> list[int]:
        """Titles that have all its words, and then those that are spelled alike."""
        wanted = plain(_YEAR.sub("", title))
        words = set(wanted.split())
        holding = [key for key in self._by_title if words and words <= set(key.split())]
        close = difflib.get_close_matches(wanted, self._by_title, n=count, cutoff=0.5)
        keys = list(dict.fromkeys([*sorted(holding, key=len), *close]))
        return [self._by_title[key][0] for key in keys[:count]]
