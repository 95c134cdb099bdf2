"""Scores of a language model.

bits per character = (sum of -log2 p of all tokens) / (characters that they stand for)

It compares models whatever their tokens are. `perplexity` is of tokens, so it does not.
"""

import math

import torch
from torch import Tensor
from torchmetrics import Metric


class TextScores(Metric):
    """`bits_per_character`, `perplexity` (e to the mean negative log-likelihood of a token) and `next_token_accuracy`,
    over all tokens."""

    nats: Tensor
    tokens: Tensor
    characters: Tensor
    right: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("nats", "tokens", "characters", "right"):
            self.add_state(name, torch.zeros(()), dist_reduce_fx="sum")

    def update(self, nats: Tensor, characters: Tensor, right: Tensor) -> None:
        """Of each token (n,): its negative log-likelihood, the characters that it stands for, whether it was the
        likeliest."""
        self.nats += nats.sum()
        self.tokens += len(nats)
        self.characters += characters.sum()
        self.right += right.sum()

    def compute(self) -> dict[str, float]:
        nats, tokens = float(self.nats), float(self.tokens)
        return {
            "bits_per_character": nats / math.log(2) / float(self.characters) if self.characters else math.nan,
            "perplexity": math.exp(min(nats / tokens, 700)),
            "next_token_accuracy": float(self.right) / tokens,
        }
