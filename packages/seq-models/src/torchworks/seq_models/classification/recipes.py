"""The recipes of classification. Their docstrings are what `list` prints."""

from torchworks.seq_models.classification.config import ClassifierConfig, NetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def classify_text() -> ClassifierConfig:
    """A convolutional classifier of texts, by default of reviews in which the order of words decides.

    seq-models train classify-text
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
    """
    return ClassifierConfig(
        recipe="classify-lstm",
        net=NetConfig(architecture="lstm", embed_dim=64, hidden_dim=64, drop_rate=0.3),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1500, batch_size=64, eval_every=250, clip=1.0),
    )


def classify_transformer() -> ClassifierConfig:
    """The same reviews, by a Transformer's encoder.

    seq-models train classify-transformer
    """
    return ClassifierConfig(
        recipe="classify-transformer",
        net=NetConfig(architecture="transformer", embed_dim=64, depth=2, num_heads=4, ff_dim=128, drop_rate=0.1),
        optim=OptimConfig(lr=1e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=3000, batch_size=64, eval_every=500, clip=1.0),
    )


def classify_bert() -> ClassifierConfig:
    """The same reviews, by a small BERT that starts from nothing and reads word pieces.

    seq-models train classify-bert
    """
    return ClassifierConfig(
        recipe="classify-bert",
        tokenizer="wordpiece",
        vocabulary=2000,
        longest=128,
        net=NetConfig(architecture="bert", embed_dim=64, depth=2, num_heads=4, ff_dim=128, drop_rate=0.1),
        optim=OptimConfig(lr=1e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=3000, batch_size=64, eval_every=500, clip=1.0),
    )


def classify_spam() -> ClassifierConfig:
    """Spam whose words are disguised by signs that were not seen in training, by its characters.

    seq-models train classify-spam
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
    """
    return ClassifierConfig(
        recipe="classify-languages",
        data="languages",
        tokenizer="characters",
        net=NetConfig(widths=(1, 2, 3, 4, 5), filters=96),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=2000, batch_size=64, eval_every=500),
    )
