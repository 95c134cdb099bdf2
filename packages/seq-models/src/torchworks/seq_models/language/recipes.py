"""The recipes of language models. Their docstrings are what `list` prints."""

from typing import Literal

from torchworks.seq_models.language.config import LanguageConfig, NetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def lm() -> LanguageConfig:
    """A language model of characters: GPT, a Transformer.

    seq-models train lm

    Documentation of Python 3.11.7, three seeds: 1.636 ± 0.007 bits per character of the test part; Witten-Bell 5-gram
    1.88, LZMA 1.71, unigram 4.64; 248 to 266 s of CPU time (torch 2.14.1, one core of an AMD EPYC, Zen 2). Dropout,
    depth and rates were chosen by the validation part, of which four blocks had 2.60 bits after 300 steps, and 2.91
    with dropout of 0.1.
    """
    return LanguageConfig(
        recipe="lm",
        muon_lr=0.02,
        net=NetConfig(depth=3, drop_rate=0.0),
        optim=OptimConfig(lr=4e-3, schedule="cosine", warmup=100),
        trainer=TrainerConfig(steps=1900, batch_size=8, eval_every=475, clip=1.0),
    )


def lm_lstm() -> LanguageConfig:
    """A language model of characters: an LSTM.

    seq-models train lm-lstm

    Documentation of Python 3.11.7, three seeds: 1.573 ± 0.007 bits per character of the test part; Witten-Bell 5-gram
    1.88, LZMA 1.71, unigram 4.64; 286 to 297 s of CPU time (torch 2.14.1, one core of an AMD EPYC, Zen 2).
    """
    return _recurrent("lm-lstm", "lstm")


def lm_gru() -> LanguageConfig:
    """A language model of characters: a GRU.

    seq-models train lm-gru

    Documentation of Python 3.11.7, three seeds: 1.591 ± 0.007 bits per character of the test part; Witten-Bell 5-gram
    1.88, LZMA 1.71, unigram 4.64; 409 to 504 s of CPU time beside other work (torch 2.14.1, one core of an AMD EPYC,
    Zen 2).
    """
    return _recurrent("lm-gru", "gru")


def lm_rnn() -> LanguageConfig:
    """A language model of characters: Elman's recurrent net.

    seq-models train lm-rnn

    Documentation of Python 3.11.7, three seeds: 1.766 ± 0.006 bits per character of the test part; Witten-Bell 5-gram
    1.88, LZMA 1.71, unigram 4.64; 168 to 196 s of CPU time (torch 2.14.1, one core of an AMD EPYC, Zen 2).
    """
    return _recurrent("lm-rnn", "rnn")


def _recurrent(recipe: str, model: Literal["lstm", "gru", "rnn"]) -> LanguageConfig:
    return LanguageConfig(
        recipe=recipe,
        model=model,
        net=NetConfig(depth=1, drop_rate=0.2),
        optim=OptimConfig(lr=4e-3, schedule="cosine", warmup=100),
        trainer=TrainerConfig(steps=2400, batch_size=8, eval_every=400, clip=1.0),
    )


def code() -> LanguageConfig:
    """A language model of Python code: a GPT on byte pairs.

    seq-models train code

    Python 3.11.7's library, three seeds: 1.571 ± 0.017 bits per character of the test part, and 0.3 ± 0.6 % of the
    functions that it writes can be parsed; 4-gram of byte pairs 1.86 and 3 %, LZMA after the last 2 MB 1.45, unigram
    3.19. 457 to 490 s of CPU time beside other work (torch 2.14.1, one core of an AMD EPYC, Zen 2). Of the validation
    part it has 1.58, an LSTM 1.65, a GPT with dropout of 0.1 that AdamW trained 1.89.
    """
    return LanguageConfig(
        recipe="code",
        data="code",
        tokens="bpe",
        order=4,
        functions=100,
        muon_lr=0.02,
        net=NetConfig(drop_rate=0.0),
        optim=OptimConfig(lr=4e-3, schedule="cosine", warmup=100),
        trainer=TrainerConfig(steps=1700, batch_size=8, eval_every=500, clip=1.0),
    )
