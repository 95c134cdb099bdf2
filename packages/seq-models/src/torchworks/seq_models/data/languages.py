"""The data source `languages`: short phrases in 14 languages, to be told apart.

The phrases are the names that the Unicode consortium's CLDR gives emojis ("face with tears of joy", "Gesicht mit
Freudentränen"), as they are in the files of the package emoji, which are read without importing it. Names of skin tones
are left out, being the same phrase again.

Emojis are split, not phrases: no emoji of the test part is named in the training part in any language, and a phrase
that two emojis share is not in both. Many names are the same in several languages ("robot", "Andorra"), so nobody can
reach 100 %: the notes of the source state the ceiling of its test part.
"""

import json
from collections import Counter, defaultdict
from importlib.metadata import PackageNotFoundError, distribution

from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.split import split
from torchworks.shared.data.texts import Row, text_source

NAME = "languages"
LANGUAGES = {
    "en": "English", "ar": "Arabic", "de": "German", "es": "Spanish", "fa": "Persian", "fr": "French",
    "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "pt": "Portuguese", "ru": "Russian",
    "tr": "Turkish", "zh": "Chinese",
}  # fmt: skip
_SKIN_TONES = {chr(code) for code in range(0x1F3FB, 0x1F400)}


def open_languages(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The split follows from `seed`."""
    if rest:
        raise UserError(f"The data source '{NAME}' takes nothing after a colon; '{NAME}:{rest}' was given.")
    names = emoji_names()
    train_keys, test_keys = split(list(names), [0] * len(names), config.test_fraction, seed)
    phrases = [*names.values()]
    train, test = (_rows([phrases[i] for i in keys]) for keys in (train_keys, test_keys))
    known = {text for text, _ in train}
    test = [row for row in test if row[0] not in known]
    note = f"Phrases of several languages at once set a ceiling of {ceiling(test):.1%} for the test part."
    return text_source(
        NAME, "Unicode license (CLDR names; through emoji, BSD-3)", train, test, notes=(note,), seed=seed
    )


def ceiling(rows: list[Row]) -> float:
    """The accuracy of always naming the most frequent class of each text."""
    by_text: dict[str, Counter[str]] = defaultdict(Counter)
    for text, label in rows:
        by_text[text][label] += 1
    return sum(max(counts.values()) for counts in by_text.values()) / len(rows)


def _rows(names: list[dict[str, str]]) -> list[Row]:
    """Each phrase once for each language."""
    return [*dict.fromkeys((text, LANGUAGES[code]) for name in names for code, text in name.items())]


def emoji_names() -> dict[str, dict[str, str]]:
    """The names of emojis: English name → language code → name; one entry for emojis of the same English name."""
    read = {code: _file(code) for code in LANGUAGES}
    found: dict[str, dict[str, str]] = {}
    for key, english in read["en"].items():
        if not _SKIN_TONES & set(key):
            found.setdefault(english, {code: names[key] for code, names in read.items() if names.get(key)})
    return found


def _file(code: str) -> dict[str, str]:
    """Emoji → name in a language."""
    try:
        package = distribution("emoji")
    except PackageNotFoundError:
        raise UserError(
            f"The data source '{NAME}' is read from the package emoji, which is not installed: pip install "
            "'emoji>=2.15'."
        ) from None
    name = "emoji.json" if code == "en" else f"emoji_{code}.json"
    with open(str(package.locate_file(f"emoji/unicode_codes/{name}")), encoding="utf-8") as file:
        names = json.load(file)
    written = {key: value["en"] if isinstance(value, dict) else value for key, value in names.items()}
    return {key: " ".join(name.strip(":").replace("_", " ").split()) for key, name in written.items()}
