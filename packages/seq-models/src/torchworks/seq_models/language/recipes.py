"""The recipes of language models. Their docstrings are what `list` prints."""

from dataclasses import replace

from torchworks.seq_models.language.config import LanguageConfig, NetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def lm() -> LanguageConfig:
    """A language model of characters: a Transformer as GPT.

    seq-models train lm
    """
    return LanguageConfig(
        recipe="lm",
        optim=OptimConfig(lr=2e-3, schedule="cosine", warmup=100),
        trainer=TrainerConfig(steps=2000, batch_size=8, eval_every=500, clip=1.0),
    )


def lm_lstm() -> LanguageConfig:
    """A language model of characters: an LSTM.

    seq-models train lm-lstm
    """
    return replace(lm(), recipe="lm-lstm", model="lstm", net=NetConfig(depth=1, hidden_dim=512))


def lm_gru() -> LanguageConfig:
    """A language model of characters: a GRU.

    seq-models train lm-gru
    """
    return replace(lm(), recipe="lm-gru", model="gru", net=NetConfig(depth=1, hidden_dim=512))


def lm_rnn() -> LanguageConfig:
    """A language model of characters: Elman's recurrent net.

    seq-models train lm-rnn
    """
    return replace(lm(), recipe="lm-rnn", model="rnn", net=NetConfig(depth=1, hidden_dim=512))


def code() -> LanguageConfig:
    """A language model of Python code: a Transformer on byte pairs.

    seq-models train code
    """
    return replace(lm(), recipe="code", data="code", tokens="bpe", vocabulary=1024, order=4, functions=100)
