"""Promises of rows of words, and of how often words stand near each other."""

import itertools

import numpy as np
import pytest
import torch

from torchworks.seq_models.data.documents import Document
from torchworks.seq_models.data.word_stream import Rows, cooccurrences, keep_rates, word_stream, word_vocabulary
from torchworks.shared.config import UserError
from torchworks.shared.text import Words

STREAM = np.array([0, 0, 3, 4, 3, 5, 0, 0, 4, 4, 5, 3, 0, 0], np.int32)


@pytest.mark.parametrize("harmonic", [False, True])
def test_cooccurrences_equal_a_count_by_hand(harmonic):
    expected = np.zeros((6, 6))
    for i, j in itertools.permutations(range(len(STREAM)), 2):
        if abs(i - j) <= 2 and STREAM[i] and STREAM[j]:
            expected[STREAM[i], STREAM[j]] += 1 / abs(i - j) if harmonic else 1
    np.testing.assert_allclose(cooccurrences(STREAM, 6, 2, harmonic=harmonic).toarray(), expected)


def test_words_are_in_lower_case_and_documents_apart():
    documents = [Document.of("a", "Open(file, 12)\nopen"), Document.of("b", "file unknown open")]
    words = Words(["open", "file"])
    assert word_stream(documents, words, 2).tolist() == [0, 0, 2, 3, 2, 0, 0, 3, 2, 0, 0]


def test_a_vocabulary_has_the_most_frequent_words_and_no_numbers():
    text = " ".join(f"word{i} " * (60 - i) for i in range(60)) + " 7 7 7 , , ,"
    words, counts = word_vocabulary([Document.of("a", text)], 54, 3)
    assert words.tokens[:2] == ("word0", "word1")
    assert len(words) == 54 == len(counts)
    assert counts[:4].tolist() == [0, 0, 60, 59]
    with pytest.raises(UserError, match="50 are needed"):
        word_vocabulary([Document.of("a", "few words")], 100, 1)


def test_frequent_words_are_left_out_more_often():
    keep = keep_rates(np.array([0, 0, 900, 90, 10]), 0.01)
    assert keep[0] == 1
    assert keep[2] == pytest.approx((0.01 / 0.9) ** 0.5 + 0.01 / 0.9)
    assert keep[2] < keep[3] < keep[4] == 1
    assert (keep_rates(np.array([0, 0, 9]), 0.0) == 1).all()


def rows(**options):
    stream = np.concatenate([STREAM] * 20)
    return Rows(stream, np.ones(6, np.float32), window=2, length=4, batch_size=3, **options)


def test_an_epoch_has_every_word_as_a_center_once():
    loader = Rows(STREAM, np.ones(6, np.float32), window=2, length=5, batch_size=1)
    assert loader.batches == 3
    found, _ = loader._epoch(0)
    assert found[:, 2:-2].flatten().tolist() == STREAM[2:-2].tolist()


def test_training_can_go_on_at_any_batch():
    whole = [batch["words"] for batch in itertools.islice(rows().iter_from(0), 60)]
    assert whole[0].shape == (3, 8)
    for start in (1, rows().batches - 1, rows().batches, 40):
        again = [batch["words"] for batch in itertools.islice(rows().iter_from(start), 5)]
        assert all(torch.equal(a, b) for a, b in zip(again, whole[start:], strict=False))


def test_two_processes_share_the_rows_of_an_epoch():
    parts = [list(rows(rank=rank, world=2)) for rank in range(2)]
    assert len(parts[0]) == len(parts[1]) == rows(world=2).batches
    assert not torch.equal(parts[0][0]["words"], parts[1][0]["words"])
