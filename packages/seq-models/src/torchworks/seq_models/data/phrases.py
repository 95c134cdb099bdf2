"""The data source `phrases`: short phrases of one language and the same in another, written by people.

    face with tears of joy        → Gesicht mit Freudentränen
    woman firefighter             → Feuerwehrfrau

They are the names that the Unicode consortium's CLDR gives emojis, as they are in the files of the package emoji (see
`languages.py`, which has them as texts to be told apart), without skin tones: some 1,900 pairs. That is little, and
translators made free choices, so nobody can be right about all of them.

`phrases` is English to German; `phrases:fr-ja` is French to Japanese, and so on for any two of 14 languages. Emojis are
split: none of the test part is named in the training part, and phrases that are in both are left out of the test part.
"""

from torchworks.seq_models.data.languages import LANGUAGES, emoji_names
from torchworks.seq_models.data.pairs import Pair, pair_source
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.split import split

NAME = "phrases"
DEFAULT = "en-de"


def open_phrases(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The split follows from `seed`."""
    source, target = _languages(rest or DEFAULT)
    names = {key: name for key, name in emoji_names().items() if source in name and target in name}
    pairs: list[Pair] = [(name[source], name[target]) for name in names.values()]
    train_rows, test_rows = split(list(names), [0] * len(names), config.test_fraction, seed)
    train = [*dict([pairs[i] for i in train_rows]).items()]
    known = {text.casefold() for text, _ in train}
    test = [*dict([pairs[i] for i in test_rows if pairs[i][0].casefold() not in known]).items()]
    return pair_source(
        f"{NAME}, {LANGUAGES[source]} to {LANGUAGES[target]}",
        "Unicode license (CLDR names; through emoji, BSD-3)",
        train,
        test,
        notes=("No emoji of the test part is named in the training part.",),
        seed=seed,
    )


def _languages(given: str) -> tuple[str, str]:
    source, _, target = given.partition("-")
    if source not in LANGUAGES or target not in LANGUAGES or source == target:
        raise UserError(
            f"'{NAME}:{given}' names no two languages. Write it as {NAME}:{DEFAULT}, with two of "
            f"{', '.join(LANGUAGES)}."
        )
    return source, target
