"""Numbers in words, as a data source and as tokens."""

import pytest

from torchworks.seq_models.data.numbers import COUNT, spelled
from torchworks.seq_models.data.tokens import texts_in, tokenized
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import labels_of, open_source
from torchworks.shared.text import Words


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (42, "forty-two"),
        (100, "one hundred"),
        (342, "three hundred and forty-two"),
        (7008, "seven thousand and eight"),
        (7300, "seven thousand three hundred"),
        (9999, "nine thousand nine hundred and ninety-nine"),
    ],
)
def test_numbers_are_spelled_as_one_says_them(number, text):
    assert spelled(number) == text


def test_the_source_has_each_number_once_with_its_class():
    source = open_source("seq-models-numbers", LoaderConfig())
    texts = [*texts_in(source.train), *texts_in(source.test)]
    labels = [*labels_of(source.train).tolist(), *labels_of(source.test).tolist()]
    assert sorted(zip(texts, labels, strict=True)) == sorted((spelled(n), n % 2) for n in range(COUNT))
    assert len(source.test) == COUNT // 5


def test_the_split_follows_from_the_seed():
    parts = [open_source("seq-models-numbers", LoaderConfig(), seed).fingerprint for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]


def test_a_mistaken_name_of_the_source_is_explained():
    with pytest.raises(UserError, match="takes nothing after a colon"):
        open_source("seq-models-numbers:9", LoaderConfig())


def test_texts_become_tokens_and_long_ones_are_cut():
    source = open_source("seq-models-numbers", LoaderConfig())
    tokenizer = Words.train(texts_in(source.train))
    tokens = tokenized(source.test, tokenizer, 4)
    for i, text in zip(range(50), texts_in(source.test), strict=False):
        assert tokens[i]["tokens"].tolist() == tokenizer.encode(text)[:4]
