"""The recipe of voice detection. Its docstring is what `list` prints."""

from torchworks.seq_models.voice_detection.config import VoiceDetectionConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def detect_speech() -> VoiceDetectionConfig:
    """When somebody speaks: a small causal net over log-mel frames of 10 ms.

    seq-models train detect-speech

    """
    return VoiceDetectionConfig(
        recipe="detect-speech",
        optim=OptimConfig(lr=4e-3, schedule="linear", warmup=30),
        trainer=TrainerConfig(steps=400, batch_size=16, eval_every=100, clip=1.0),
    )
