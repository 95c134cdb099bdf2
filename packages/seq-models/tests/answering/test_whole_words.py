"""Answers end where words and numbers of the user's text do."""

import numpy as np
import pytest

from torchworks.seq_models.answering.whole_words import all_copied, all_whole, grown
from torchworks.seq_models.data.questions import Row
from torchworks.shared.text import ByteLevelBPE
from torchworks.shared.text.copied_numbers import CopiedNumbers


@pytest.mark.parametrize(
    ("text", "part", "whole"),
    [
        ("she paid 200 euros", "20", "200"),
        ("she paid 1,350.50 euros.", "350", "1,350.50"),
        ("it rose by 53 %", "5", "53"),
        ("it is 5km away", "k", "5km"),
        ("Votaki came", "tak", "Votaki"),
        ("she paid 200 euros", "200 eu", "200 euros"),
        ("ends with 12.", "12", "12"),
        ("我喜欢猫", "喜", "喜"),
        ("she paid 200 euros", "paid", "paid"),
    ],
)
def test_a_span_grows_to_the_ends_of_the_words_that_it_cuts(text, part, whole):
    begin = text.index(part)
    begin, end = grown(text, begin, begin + len(part))
    assert text[begin:end] == whole


def test_answers_within_words_are_learned_as_such():
    assert all_whole([Row("she paid 52 euros", answer="52", start=9), Row("she paid 52 euros", answer="")])
    assert not all_whole([Row("she paid 52km", answer="52", start=9)])
    assert all_copied([("she paid 52 euros", "52"), ("she came", "not in the text")])
    assert not all_copied([("20 and 53", "73")])


def generated(prompt: str, wanted: str) -> str:
    """What is written greedily by a model that would write `wanted`, and of other tokens likes the first ones more."""
    tokenizer = ByteLevelBPE.train(["20 53 200"] * 3, size=300, specials=("<pad>", "<unk>", "<end>"))
    restrict, end = CopiedNumbers(tokenizer, [prompt]), tokenizer.special("<end>")
    ids: list[int] = []
    for token in [*tokenizer.encode(wanted), end]:
        logits = -np.arange(len(tokenizer), dtype=np.float32)
        logits[token] = 1.0
        ids.append(int(restrict(0, logits, ids).argmax()))
        if ids[-1] == end:
            break
    return tokenizer.decode(ids)


def test_a_number_that_is_written_is_one_of_the_prompts():
    assert generated("she sold 200 apples and 53 pears", "200 and 53") == "200 and 53"
    written = generated("she sold 200 apples and 53 pears", "20 and 5")
    assert written.startswith("200")
    assert written.split()[-1] in ("200", "53", "and") or not written.split()[-1].isdecimal()
    assert "7" not in generated("no number here", "it is 7")
