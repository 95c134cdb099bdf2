"""The recipes of speech synthesis. Their docstrings are what `list` prints."""

from torchworks.seq_models.synthesis.config import NetConfig, SpeakConfig, VocodeConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def speak() -> SpeakConfig:
    """Speaks texts: a FastSpeech 2 that makes all frames at once, and Griffin-Lim.

    seq-models train speak
    """
    return SpeakConfig(
        recipe="speak",
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=16, eval_every=200, clip=1.0),
    )


def speak_tacotron() -> SpeakConfig:
    """Speaks texts frame by frame: a Tacotron 2 with guided attention, and Griffin-Lim.

    seq-models train speak-tacotron
    """
    return SpeakConfig(
        recipe="speak-tacotron",
        model="tacotron",
        net=NetConfig(depth=2, filter_dim=96, hidden_dim=160),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=450, batch_size=16, eval_every=150, clip=1.0),
    )


def vocode() -> VocodeConfig:
    """Makes sound of log-mel spectrograms: a small HiFi-GAN generator, trained without a discriminator.

    seq-models train vocode
    """
    return VocodeConfig(
        recipe="vocode",
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=300, batch_size=8, eval_every=150, clip=10.0),
    )
