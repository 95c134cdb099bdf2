"""Scores of a language model.

bits per character = (sum of -log2 p of all tokens) / (characters that they stand for)

It compares models whatever their tokens are. `perplexity` is of tokens, so it does not.
"""

import math

import torch
from torch import Tensor, nn

TOTALS = ("nats", "tokens", "characters", "right")


class TextScores(nn.Module):
    """`bits_per_character`, `perplexity` (e to the mean negative log-likelihood of a token) and `next_token_accuracy`,
    over all tokens.

    The trainer takes it as it takes a `torchmetrics.Metric`. It is none, because importing that takes twice as long as
    importing PyTorch, and each command on a language model would wait for it."""

    sync_on_compute = False

    nats: Tensor
    tokens: Tensor
    characters: Tensor
    right: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in TOTALS:
            self.register_buffer(name, torch.zeros(()), persistent=False)

    def reset(self) -> None:
        """Forget all tokens."""
        for name in TOTALS:
            getattr(self, name).zero_()

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
