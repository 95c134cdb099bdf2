"""The recipe of speaker verification. Its docstring is what `list` prints."""

from torchworks.seq_models.verification.config import VerificationConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def who() -> VerificationConfig:
    """Whether two recordings are of the same voice: x-vectors of generated voices. Not for identifying people.

    seq-models train who

    """
    return VerificationConfig(
        recipe="who",
        optim=OptimConfig(lr=3e-3, schedule="linear", warmup=30),
        trainer=TrainerConfig(steps=500, batch_size=64, eval_every=100, clip=5.0),
    )
