"""The recipes of recognition. Their docstrings are what `list` prints."""

from torchworks.seq_models.recognition.config import NetConfig, RecognizerConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def recognise() -> RecognizerConfig:
    """Recognise speech: strings of digits by generated speakers, letters by CTC (Deep Speech 2 in small).

    seq-models train recognise
    """
    return RecognizerConfig(
        recipe="recognise",
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1200, batch_size=32, eval_every=300, clip=5.0),
    )


def recognise_conformer() -> RecognizerConfig:
    """The same strings of digits, by layers of attention and convolution (Conformer).

    seq-models train recognise-conformer
    """
    return RecognizerConfig(
        recipe="recognise-conformer",
        net=NetConfig(architecture="conformer", channels=(64, 96), hidden_dim=128, depth=2),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1200, batch_size=32, eval_every=300, clip=5.0),
    )
