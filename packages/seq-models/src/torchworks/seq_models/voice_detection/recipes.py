"""The recipe of voice detection. Its docstring is what `list` prints."""

from torchworks.seq_models.voice_detection.config import VoiceDetectionConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def detect_speech() -> VoiceDetectionConfig:
    """When somebody speaks: a small causal net over log-mel frames of 10 ms.

    seq-models train detect-speech

    Three seeds: 4.6 ± 0.5 % of the frames of unseen generated voices are wrong, AUROC 0.987 ± 0.002; a logistic
    regression of hand-made features 17.3 ± 1.3 %, energy 26.5 ± 3.0 %, always silence 39.0 ± 1.9 %; 52 s of CPU time
    (torch 2.14.1, fp32, one core of an AMD EPYC with AVX512-BF16).
    """
    return VoiceDetectionConfig(
        recipe="detect-speech",
        optim=OptimConfig(lr=4e-3, schedule="linear", warmup=30),
        trainer=TrainerConfig(steps=400, batch_size=16, eval_every=100, clip=1.0),
    )
