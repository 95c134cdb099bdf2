"""Baselines of a language model, on the very characters that it is scored on: an n-gram model, how often each token
occurs, and a compressor."""

import lzma
import math
from collections.abc import Callable, Sequence

import numpy as np

from torchworks.seq_models.data.token_stream import characters_of
from torchworks.seq_models.language.ngram import WittenBell
from torchworks.shared.text import Tokenizer
from torchworks.shared.text.sampling import Sampling

COUNTED = 1 << 24
"""Most tokens of the training text, its end, that n-grams are counted in."""
READ = 1 << 21
"""Most characters of the training text, its end, that the compressor reads before the test text."""
FILTERS: list[dict[str, int]] = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


def baselines(train: np.ndarray, test: np.ndarray, tokenizer: Tokenizer, order: int) -> dict[str, float]:
    """Bits per character of test tokens (T,), all but the first, by n-grams of training tokens, and by LZMA."""
    bits = ngram_bits(train, test, tokenizer, order)
    texts = [tokenizer.decode(part[-READ:]) for part in (train, test)]
    return {
        f"bits_per_character_{order}_gram": float(bits[-1]),
        "bits_per_character_unigram": float(bits[0]),
        "bits_per_character_lzma": compressed_bits(*texts) / len(texts[1]),
    }


def ngram_bits(train: np.ndarray, test: np.ndarray, tokenizer: Tokenizer, order: int) -> np.ndarray:
    """Bits per character by the models of order 1 to n: (n,)."""
    model = WittenBell(train[-COUNTED:], len(tokenizer), order)
    bits = -np.log2(model.probabilities(test))[:, 1:].sum(1)  # of the first token, a net can say nothing
    return bits / characters_of(tokenizer).numpy()[test[1:]].sum()


def compressed_bits(before: str, text: str) -> int:
    """Bits that `text` adds to what LZMA, which finds again what it has met, makes of `before`."""
    return 8 * (_compressed(before + text) - _compressed(before))


def _compressed(text: str) -> int:
    return len(lzma.compress(text.encode(), lzma.FORMAT_RAW, filters=FILTERS))


def best_order(train: np.ndarray, valid: np.ndarray, tokenizer: Tokenizer, highest: int) -> int:
    """The order up to `highest` whose n-gram model gives `valid` the highest probability."""
    return int(ngram_bits(train, valid, tokenizer, highest).argmin()) + 1


def continuations(
    train: np.ndarray, vocabulary: int, order: int, sampling: Sampling, end: int | None
) -> Callable[[Sequence[Sequence[int]], int], list[list[int]]]:
    """Writes up to a number of tokens after each prompt by an n-gram model, as `generate` does by a net."""
    model = WittenBell(train[-COUNTED:], vocabulary, order)

    def write(prompts: Sequence[Sequence[int]], steps: int) -> list[list[int]]:
        return [continued(model, prompt, steps, sampling, number, end) for number, prompt in enumerate(prompts)]

    return write


def continued(
    model: WittenBell, prompt: Sequence[int], steps: int, sampling: Sampling, number: int, end: int | None
) -> list[int]:
    """Up to `steps` tokens after `prompt`, the text of this `number`."""
    written: list[int] = []
    for place in range(steps):
        before = [*prompt, *written][-model.order :]
        logits = np.log(model.distribution(before) + math.ulp(0.0))[None]
        written.append(int(sampling.choose(logits, seen=[before], seed=0, rows=[number], places=[place])[0]))
        if written[-1] == end:
            break
    return written
