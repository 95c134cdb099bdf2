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
