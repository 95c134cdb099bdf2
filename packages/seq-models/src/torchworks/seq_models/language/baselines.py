"""Baselines of a language model, on the very characters that it is scored on: an n-gram model, how often each token
occurs, and a compressor."""

import lzma
import math
from collections.abc import Sequence

import numpy as np

from torchworks.seq_models.language.ngram import WittenBell

COUNTED = 1 << 24
"""Most tokens of the training text, its end, that n-grams are counted in."""
COMPRESSED = 1 << 21
"""Most bytes of the training text, its end, that the compressor reads before the test text."""
FILTERS: list[dict[str, int]] = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


def baselines(
    train: np.ndarray, test: np.ndarray, characters: np.ndarray, train_text: bytes, test_text: bytes, order: int
) -> dict[str, float]:
    """Bits per character of test tokens (T,) after training tokens, both after their first one; `characters` (V,) is the
    number that each token stands for. The texts are those of the tokens."""
    model = WittenBell(train[-COUNTED:], len(characters), order)
    bits = -np.log2(model.probabilities(test))[:, 1:].sum(1) / characters[test[1:]].sum()
    return {
        f"bits_per_character_{order}_gram": float(bits[-1]),
        "bits_per_character_unigram": float(bits[0]),
        "bits_per_character_lzma": compressed_bits(train_text, test_text) / len(test_text.decode()),
    }


def compressed_bits(before: bytes, text: bytes) -> int:
    """Bits that `text` adds to what `before` is compressed to by LZMA, which finds what was there before."""
    before = before[-COMPRESSED:]
    return 8 * (_compressed(before + text) - _compressed(before))


def _compressed(text: bytes) -> int:
    return len(lzma.compress(text, lzma.FORMAT_RAW, filters=FILTERS))


def best_order(train: np.ndarray, valid: np.ndarray, vocabulary: int, highest: int) -> int:
    """The order up to `highest` whose n-gram model gives `valid` the highest probability."""
    bits = -np.log2(WittenBell(train[-COUNTED:], vocabulary, highest).probabilities(valid)).mean(1)
    return int(bits.argmin()) + 1


def sample(
    model: WittenBell, prompt: Sequence[int], steps: int, temperature: float, rng: np.random.Generator
) -> list[int]:
    """`steps` tokens after `prompt`, drawn from the n-gram model at a `temperature` above 0."""
    tokens = list(prompt)
    for _ in range(steps):
        p = model.distribution(tokens[-model.order :] if model.order else [])
        p = p ** (1 / max(temperature, math.ulp(1.0))) if temperature != 1 else p
        tokens.append(int(rng.choice(len(p), p=p / p.sum())))
    return tokens[len(prompt) :]
