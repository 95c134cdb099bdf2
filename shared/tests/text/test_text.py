"""Text becomes the same ids everywhere and comes back; byte pairs are those of Hugging Face's library."""

import json
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchworks.shared import text as room
from torchworks.shared.config import UserError
from torchworks.shared.text import SPECIALS, ByteLevelBPE, Characters, Tokenizer, Words, from_json
from torchworks.shared.text.bpe import split

CORPUS = [
    (room.__doc__ or "").replace("<end>", ""),
    "the cat sat on the mat, the hat sat on the cat\n\tthen  it's 1²Ⅳ½ café_日本 🙂",
] * 3
END = (*SPECIALS, "<end>")


def trained() -> list[Tokenizer]:
    bpe = ByteLevelBPE.train(CORPUS, size=400, specials=END)
    return [Characters.train(CORPUS, specials=END), Words.train(CORPUS, specials=END), bpe]


CHARACTERS, WORDS, BPE = trained()
ALL = pytest.mark.parametrize("tokenizer", [CHARACTERS, WORDS, BPE], ids=lambda each: each.kind)


@ALL
def test_a_tokenizer_survives_its_file_and_training_gives_the_same_file_again(tokenizer):
    read = from_json(tokenizer.to_json())
    assert read == tokenizer
    assert [read.encode(each) for each in CORPUS] == [tokenizer.encode(each) for each in CORPUS]
    assert tokenizer.to_json() in [again.to_json() for again in trained()]
    assert json.loads(tokenizer.to_json())["format"] == 1


@ALL
def test_special_ids_come_first_and_no_text_becomes_one(tokenizer):
    assert (tokenizer.padding, tokenizer.unknown, tokenizer.special("<end>"), tokenizer.special("<x>")) == (
        0,
        1,
        2,
        None,
    )
    ids = tokenizer.encode("the <pad> cat <end>")
    assert not {0, 2} & set(ids)
    assert max(ids) < len(tokenizer)
    assert tokenizer.decode([0, *tokenizer.encode("cat"), 0, 2]) == "cat"


@ALL
@given(text=st.text())
def test_any_text_has_ids_at_least_as_many_as_said(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.fewest(text) <= len(ids)
    assert all(0 < each < len(tokenizer) for each in ids)
    tokenizer.decode(ids)


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_byte_pairs_give_any_text_back(text):
    assert BPE.decode(BPE.encode(text)) == text
    assert "".join(split(text)) == text


def test_characters_and_words_that_training_has_not_seen_are_unknown():
    assert CHARACTERS.decode(CHARACTERS.encode("cat§")) == "cat\ufffd"
    assert WORDS.decode(WORDS.encode("The CAT, unheard")) == "the cat , \ufffd"
    assert Words.train(["b a", "a c"], size=3).tokens == ("a",)
    assert Characters.train(["aab"], min_count=2).tokens == ("a",)


def test_byte_pairs_are_trained_and_encoded_as_by_hugging_face():
    pytest.importorskip("tokenizers", reason="the oracle is not installed")
    from tokenizers import Tokenizer as Theirs
    from tokenizers import models, pre_tokenizers, trainers

    theirs = Theirs(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=420, min_frequency=2, special_tokens=list(SPECIALS), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    theirs.train_from_iterator(CORPUS, trainer)
    ours = ByteLevelBPE.train(CORPUS, size=420)
    assert len(ours) == theirs.get_vocab_size() > 300
    unseen = ["aaaa  aaa\n\n x", "they'll re-sat 12345 ½²", "Ein Kätzchen\u00a0saß\x1c da_ über'm", "猫の帽子🙂🙂"]
    for each in [*CORPUS, *unseen]:
        assert ours.encode(each) == theirs.encode(each).ids


def test_a_word_of_two_hundred_thousand_bytes_takes_seconds_and_not_hours():
    begun = time.process_time()
    assert len(ByteLevelBPE.train(["aaaa"] * 3, size=300).encode("a" * 200_000)) == 50_000
    assert time.process_time() - begun < 20


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "no tokenizer that can be read"),
        (b"[]", "no tokenizer"),
        (b'{"format": 2}', "format 2, but this version reads format 1"),
        (b'{"format": 1, "kind": "magic", "specials": ["<pad>", "<unk>"]}', "magic"),
        (b'{"format": 1, "kind": "characters", "specials": ["<unk>", "<pad>"], "tokens": []}', "begin with <pad> and"),
        (b'{"format": 1, "kind": "characters", "specials": ["<pad>", "<unk>"], "tokens": ["a", "a"]}', "twice"),
        (b'{"format": 1, "kind": "characters", "specials": ["<pad>", "<unk>"], "tokens": "ab"}', "list of strings"),
        (
            b'{"format": 1, "kind": "byte-level-bpe", "specials": ["<pad>", "<unk>"], "merges": ["ab c"]}',
            "'ab c' names",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_reason(content, named):
    with pytest.raises(UserError, match=named):
        from_json(content)


def test_ids_out_of_range_and_too_small_a_size_are_refused():
    with pytest.raises(UserError, match="ids 0 to 2, so 3 stands for nothing"):
        Characters(["a"]).decode([3])
    with pytest.raises(UserError, match="at least 258"):
        ByteLevelBPE.train(CORPUS, size=100)


def test_the_room_is_imported_without_torch():
    code = "import sys, torchworks.shared.text; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
