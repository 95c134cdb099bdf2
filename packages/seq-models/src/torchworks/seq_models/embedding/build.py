"""From a configuration to an experiment of word vectors: text, vocabulary, net, task, baselines, and the model to
save."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn

from torchworks.seq_models.data.documents import cut, documents_of
from torchworks.seq_models.data.word_stream import (
    Rows,
    cooccurrences,
    keep_rates,
    thinned,
    word_stream,
    word_vocabulary,
)
from torchworks.seq_models.embedding.baselines import ppmi_svd, random_vectors
from torchworks.seq_models.embedding.config import EmbeddingConfig
from torchworks.seq_models.embedding.metrics import (
    CANDIDATES,
    affix_analogies,
    analogy_accuracy,
    cloze_accuracy,
    cloze_questions,
    pmi_correlation,
)
from torchworks.seq_models.embedding.predictor import TOKENIZER, names, new_net
from torchworks.seq_models.embedding.task import Factorization, NegativeSampling
from torchworks.shared.config import UserError
from torchworks.shared.data import Field, LoaderFactory, Schema, Source, TensorDataset, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.task import Task
from torchworks.shared.text import Words
from torchworks.shared.training.experiment import Experiment


@dataclass(frozen=True)
class Text:
    """The three parts of a text as rows of words, int32 (T,), and how often each word occurs in training, (V,)."""

    words: Words
    counts: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    config: EmbeddingConfig

    @cached_property
    def keep(self) -> np.ndarray:
        """The share of each word's occurrences that is kept, (V,)."""
        return keep_rates(self.counts, self.config.sample)

    def cooccurrences(self, stream: np.ndarray, *, harmonic: bool) -> scipy.sparse.csr_array:
        return cooccurrences(stream, len(self.words), self.config.window, harmonic=harmonic)

    def questions(self, stream: np.ndarray) -> dict[str, Tensor]:
        """Places of a part, of frequent words as few as in training."""
        kept = thinned(stream, self.keep, (0,))
        return cloze_questions(kept, self.config.window, self.config.questions, seed=0)


def build(config: EmbeddingConfig, device: Device) -> Experiment:
    """Word vectors from the text of a source. Raises `UserError` for data without text, or with too little."""
    source = open_source(config.data, config.loader, config.seed)
    text = divided(source, config)
    net = new_net(config.method, len(text.words), config.embed_dim)
    valid, test = (_as_data(text.questions(part), len(text.words)) for part in (text.valid, text.test))
    loaders = LoaderFactory(config, device)
    task, train = _factorization(text, net, loaders) if config.method == "glove" else _sampling(text, net, device)
    return Experiment(
        task=task,
        train=train,
        select=loaders.ordered(valid),
        test=loaders.ordered(test),
        sources=(source,),
        models=(_model(config, net, text.words, test),),
        baselines=lambda: compared(text, net.embeddings().detach().cpu()),
    )


def divided(source: Source, config: EmbeddingConfig) -> Text:
    """The vocabulary is of the training part alone."""
    source.need("text")
    rest, held = cut(documents_of(source.train), config.valid_fraction)
    words, counts = word_vocabulary(rest, config.vocabulary, config.min_count)
    parts = [word_stream(part, words, config.window) for part in (rest, held, documents_of(source.test))]
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if np.count_nonzero(part) < 2 * CANDIDATES:
            raise UserError(
                f"Known words in the {name} part of the text: {np.count_nonzero(part)}, which is too little. Use a "
                "longer text, or a smaller --min-count."
            )
    return Text(words, counts, *parts, config)


def _sampling(text: Text, net: Any, device: Device) -> tuple[Task, Rows]:
    config = text.config
    task = NegativeSampling(
        net, counts=torch.from_numpy(text.counts), lr=config.optim.lr, window=config.window,
        negatives=config.negatives, shared=config.shared, cbow=config.method == "cbow",
    )  # fmt: skip
    rows = Rows(
        text.train, text.keep, window=config.window, length=config.length, batch_size=config.trainer.batch_size,
        seed=config.seed, device=device.device, rank=device.rank, world=device.world,
    )  # fmt: skip
    return task, rows


def _factorization(text: Text, net: Any, loaders: LoaderFactory) -> tuple[Task, Any]:
    entries = text.cooccurrences(text.train, harmonic=True).tocoo()
    pairs = {
        "row": torch.from_numpy(entries.row.astype(np.int64)),
        "column": torch.from_numpy(entries.col.astype(np.int64)),
        "count": torch.from_numpy(entries.data.astype(np.float32)),
    }
    task = Factorization(net, lr=text.config.optim.lr, x_max=text.config.x_max, alpha=text.config.alpha)
    return task, loaders.training(TensorDataset(pairs))


def _as_data(questions: dict[str, Tensor], vocabulary: int) -> TensorDataset:
    fields = (Field(name, "tokens", tuple(value.shape[1:]), vocabulary=vocabulary) for name, value in questions.items())
    return TensorDataset(questions, Schema(tuple(fields)))


def compared(text: Text, vectors: Tensor) -> dict[str, float]:
    """What else is said of the vectors, and all scores of random vectors and of PPMI with SVD."""
    config, tested = text.config, text.questions(text.test)
    near = text.cooccurrences(text.train, harmonic=False)
    others = {
        "ppmi_svd": ppmi_svd(near, config.embed_dim, config.seed),
        "random": random_vectors(len(text.words), config.embed_dim, config.seed),
    }
    found = measured(text, vectors)
    for name, each in others.items():
        found[f"cloze_accuracy_{name}"] = cloze_accuracy(each, tested)
        found |= {f"{score}_{name}": value for score, value in measured(text, each).items()}
    return found


def measured(text: Text, vectors: Tensor) -> dict[str, float]:
    """The scores that are not watched during training."""
    near = text.cooccurrences(text.test, harmonic=False)
    return {
        "pmi_correlation": pmi_correlation(vectors, near),
        "affix_accuracy": analogy_accuracy(vectors, affix_analogies(names(text.words))),
    }


def _model(config: EmbeddingConfig, net: nn.Module, words: Words, test: TensorDataset) -> TrainedModel:
    return TrainedModel(
        builder="seq-models-embedding",
        config={"method": config.method, "embed_dim": config.embed_dim},
        net=net,
        test=test,
        inputs={"text": "text"},
        preprocessing={"text": {"tokenizer": TOKENIZER}},
        files={TOKENIZER: words.to_json()},
    )
