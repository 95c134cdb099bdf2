"""Decoding: beam search sums paths, alignments are the likeliest, streaming hears what the whole hears."""

from itertools import product

import numpy as np
import pytest
import torch

from torchworks.seq_models.recognition.decoding import aligned, beam_search, greedy, merged, words_of
from torchworks.seq_models.recognition.language import LetterModel
from torchworks.seq_models.recognition.metrics import edit_distance, scores


def some_probabilities(frames: int, letters: int, seed: int) -> np.ndarray:
    values = torch.randn(frames, letters, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.log_softmax(1).numpy()


def by_hand(found: np.ndarray) -> dict[tuple[int, ...], float]:
    """Every text of (R, V) with its probability: the sum over all paths."""
    texts: dict[tuple[int, ...], float] = {}
    for path in product(range(found.shape[1]), repeat=len(found)):
        text = tuple(merged(path))
        texts[text] = texts.get(text, 0.0) + float(np.exp(sum(found[t, i] for t, i in enumerate(path))))
    return texts


@pytest.mark.parametrize("seed", range(4))
def test_beam_search_finds_the_text_whose_paths_are_likeliest_together(seed):
    found = some_probabilities(5, 4, seed)
    texts = by_hand(found)
    assert tuple(beam_search(found, beams=300)) == max(texts, key=lambda text: texts[text])


def test_greedy_merges_repeats_and_drops_blanks_within_each_row():
    path = torch.tensor([[1, 1, 0, 1, 2, 2], [2, 0, 0, 1, 1, 1]])
    found = torch.nn.functional.one_hot(path, 3).float()
    assert greedy(found, torch.tensor([6, 2]), "ab") == ["aab", "b"]


@pytest.mark.parametrize("seed", range(3))
def test_the_alignment_is_the_likeliest_path_of_the_text(seed):
    found = some_probabilities(6, 3, seed)
    for text in ((1,), (1, 2), (2, 2), (1, 2, 1)):
        best, path = max(
            (sum(found[t, i] for t, i in enumerate(path)), path)
            for path in product(range(3), repeat=6)
            if tuple(merged(path)) == text
        )
        starts = [t for t in range(6) if path[t] and (t == 0 or path[t] != path[t - 1])]
        assert aligned(found, text) == starts, best


def test_the_alignment_equals_torchaudios():
    functional = pytest.importorskip("torchaudio.functional")
    found = torch.from_numpy(some_probabilities(30, 6, 0)).float()[None]
    letters = torch.tensor([[3, 1, 1, 5, 2]], dtype=torch.int32)
    path, _ = functional.forced_align(found, letters, blank=0)
    path = path[0].tolist()
    starts = [t for t in range(30) if path[t] and (t == 0 or path[t] != path[t - 1])]
    assert aligned(found[0].numpy(), letters[0].tolist()) == starts


def test_too_few_frames_for_a_text_are_refused():
    with pytest.raises(ValueError, match="too few"):
        aligned(some_probabilities(3, 3, 0), [1, 1, 2])


def test_a_language_model_decides_between_letters_that_sound_alike():
    alphabet = (" ", "a", "b")
    found = np.log(np.array([[0.05, 0.05, 0.85, 0.05], [0.05, 0.02, 0.35, 0.58]]))
    assert beam_search(found, beams=8) == [2, 3]
    language = LetterModel(["a", "a a", "a"] * 10, alphabet, 3)
    assert beam_search(found, beams=8, language=language, weight=1.5) == [2]
    again = LetterModel.from_json(language.to_json())
    assert again.log_probability((2,), 3) == language.log_probability((2,), 3)
    total = sum(np.exp(language.log_probability((2,), letter)) for letter in (None, 1, 2, 3))
    assert total == pytest.approx(1)


def test_words_have_the_times_of_their_letters():
    words = words_of("ab c", [2, 3, 5, 8], 0.1, 1.0)
    assert [(word.text, round(word.start, 2), round(word.end, 2)) for word in words] == [
        ("ab", 0.2, 0.5), ("c", 0.8, 1.0),
    ]  # fmt: skip


def test_error_rates_are_those_of_jiwer():
    jiwer = pytest.importorskip("jiwer")
    right = ["one two three", "four", "five six"]
    found = ["one too three three", "four", "six"]
    told = scores(found, right)
    assert told["wer"] == pytest.approx(jiwer.wer(right, found))
    assert told["cer"] == pytest.approx(jiwer.cer(right, found))
    assert told["exact"] == pytest.approx(1 / 3)
    assert edit_distance("kitten", "sitting") == 3
