"""The data source `seq-models-numbers`: numbers in words, such as "three hundred and two", even or odd.

It is made by rules, so nothing is downloaded, and the answer to each text is known. It takes a little more than words:
"forty-two" and "two hundred and forty-one" have a two and a forty both.
"""

from collections.abc import Sequence

import torch

from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Field, Schema, Source, TensorDataset, pad_to_longest
from torchworks.shared.data.split import fingerprint, split

NAME = "seq-models-numbers"
CLASSES = ("even", "odd")
COUNT = 10_000
"""The numbers are those below."""
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def open_numbers(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The split follows from `seed`."""
    if rest:
        raise UserError(f"The data source '{NAME}' takes nothing after a colon; '{NAME}:{rest}' was given.")
    texts = [spelled(number) for number in range(COUNT)]
    labels = [number % 2 for number in range(COUNT)]
    parts = split(texts, labels, config.test_fraction, seed)
    longest = max(map(len, texts))
    schema = Schema((Field("text", "text", (longest,), ragged=True), Field("label", "label", (), CLASSES)))
    train, test = (texts_of([texts[i] for i in rows], [labels[i] for i in rows], schema) for rows in parts)
    return Source(NAME, "none needed: made by rules", train, test, schema, fingerprint(*parts))


def texts_of(texts: Sequence[str], labels: Sequence[int], schema: Schema) -> TensorDataset:
    """Texts and the number of the class of each."""
    rows = [torch.tensor(list(text.encode()), dtype=torch.uint8) for text in texts]
    padded, lengths = pad_to_longest(rows)
    return TensorDataset({"text": padded, "text_length": lengths, "label": torch.tensor(labels)}, schema)


def spelled(number: int) -> str:
    """A number from 0 to 9,999 in words."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")
    size, name, link = (100, "hundred", " and ") if number < 1000 else (1000, "thousand", " ")
    count, rest = divmod(number, size)
    if 0 < rest < 100:
        link = " and "
    return f"{_ONES[count]} {name}" + (link + spelled(rest) if rest else "")
