"""Training of word vectors by skip-gram beside gensim's: raw words per second on one thread, of the same text, window,
negatives, subsampling and size of vectors.

gensim trains on whole documents in its loop in C; ours makes the steps of the recipe `embed`: rows of words, loss,
gradients, Adam. Both count the words of the text, those that subsampling leaves out among them.
"""

import importlib
import warnings
from typing import Any

import numpy as np
import torch
from race import Times, in_turns
from report import Target, rates, table_of
from rich.console import Console

from torchworks.seq_models.data.bundled_text import standard_library
from torchworks.seq_models.data.word_stream import Rows, keep_rates, word_stream, word_vocabulary
from torchworks.seq_models.embedding.recipes import embed
from torchworks.seq_models.embedding.task import NegativeSampling
from torchworks.seq_models.models.word2vec import Word2Vec
from torchworks.shared.numbers.stream import StepRandom

OURS, THEIRS = "ours", "gensim"
LEAST = 0.55
"""The speed of ours that is wanted, in multiples of gensim's."""
CONFIG = embed()


class Text:
    """The first words of the standard library: rows of numbers, and documents of words."""

    def __init__(self, most: int):
        documents = list(standard_library())
        self.words, counts = word_vocabulary(documents, CONFIG.vocabulary, CONFIG.min_count)
        self.stream = word_stream(documents, self.words, CONFIG.window)[:most]
        self.counts = np.bincount(self.stream, minlength=len(counts))
        self.counts[0] = 0
        self.size = int(self.counts.sum())

    def documents(self) -> list[list[str]]:
        parts = np.split(self.stream, np.flatnonzero(self.stream == 0))
        return [[self.words.tokens[i - 2] for i in part if i] for part in parts if part.any()]


def ours(text: Text) -> Any:
    """An epoch of ours."""
    keep = keep_rates(text.counts, CONFIG.sample)
    loader = Rows(
        text.stream, keep, window=CONFIG.window, length=CONFIG.length, batch_size=CONFIG.trainer.batch_size
    )  # fmt: skip
    task = NegativeSampling(
        Word2Vec(len(text.words), CONFIG.embed_dim), counts=torch.from_numpy(text.counts), lr=CONFIG.optim.lr,
        window=CONFIG.window, negatives=CONFIG.negatives, shared=CONFIG.shared, cbow=False,
    )  # fmt: skip
    task.random, optimizer = StepRandom(0), task.optimizer("model")

    def epoch() -> None:
        for step, batch in enumerate(loader):
            task.random.at("train", step, rows=len(batch["words"]), total=len(batch["words"]))
            task.loss("train", batch).loss.backward()
            optimizer.step()
            for parameter in task.model.parameters():
                parameter.grad = None

    return epoch


def theirs(text: Text) -> Any:
    """An epoch of gensim's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gensim = importlib.import_module("gensim.models")  # of the group peers

    documents = text.documents()
    model = gensim.Word2Vec(
        vector_size=CONFIG.embed_dim, window=CONFIG.window, negative=CONFIG.negatives, sample=CONFIG.sample, sg=1,
        workers=1, min_count=1, seed=0,
    )  # fmt: skip
    model.build_vocab(documents)
    return lambda: model.train(documents, total_examples=len(documents), epochs=1)


def training(console: Console, *, words: int, rounds: int) -> dict[str, Any]:
    """Seconds per epoch of both, taking turns, and how many words an epoch has."""
    text = Text(words)
    times = in_turns({OURS: ours(text), THEIRS: theirs(text)}, rounds=rounds)
    table = table_of(f"word vectors, skip-gram, {text.size:,} words an epoch: raw words per second of CPU time")
    for name, each in times.items():
        table.add_row(name, *rates(each, "processor", text.size))
    console.print(table)
    return {"words": text.size, "times": times}


def target(found: dict[str, Any]) -> Target:
    """Ours at least `LEAST` times as fast as gensim."""
    times: dict[str, Times] = found["times"]
    speed = times[THEIRS].ratio(times[OURS], "processor")
    return Target(
        f"skip-gram reads at least {LEAST} times as many words a second as gensim", f"{speed:.2f}", speed >= LEAST
    )
