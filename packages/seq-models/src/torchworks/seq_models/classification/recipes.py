"""The recipes of classification. Their docstrings are what `list` prints."""

from torchworks.seq_models.classification.config import ClassifierConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def classify() -> ClassifierConfig:
    """A classifier of texts.

    seq-models train classify

    Whether a number in words is even or odd, three seeds: accuracy 100.0 ± 0.0 % of 2,000 test texts, logistic
    regression on bags of words 79.9 ± 0.0 %, majority class 50.0 %; 4 s (torch 2.14.1, one core of a CPU).
    """
    return ClassifierConfig(
        recipe="classify",
        optim=OptimConfig(lr=1e-2, schedule="one-cycle"),
        trainer=TrainerConfig(steps=300, batch_size=64, eval_every=100),
    )
