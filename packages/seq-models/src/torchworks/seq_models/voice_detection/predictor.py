"""A trained voice detector as it is used: sound to the probability of speech at each frame.

Shape letters: N sounds, L samples, F frames of 10 ms: 2 + L // 160, of which the last is padding.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.seq_models.data.speech_segments import HOP, RATE
from torchworks.seq_models.models.voice_detector import VoiceDetector
from torchworks.seq_models.sound.mel import LogMel
from torchworks.seq_models.voice_detection.features import MEL, MELS
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "seq-models-voice-detection"
MOST_SECONDS = 600


class VoicePredictor(Predictor):
    """audio, samples (N, L) in −1..1 at 16 kHz, and how many of each row are real → speech (N, F, 1), the probability
    that somebody speaks around F · 10 ms, 0 behind a sound's end, and how many frames are real, (N,)."""

    def __init__(self, net: VoiceDetector, signature: Signature):
        super().__init__(net, signature)
        self.front = LogMel(MEL)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        audio, length = inputs
        frames = self.front.frames(length)
        real = torch.arange(audio.shape[1], device=audio.device) < length[:, None]
        mel = self.front(F.pad(audio * real, (0, HOP))).transpose(1, 2)  # two frames or more: one would be a case apart
        shown = torch.arange(mel.shape[1], device=audio.device) < frames[:, None]
        return (self.net(mel).float().sigmoid() * shown)[..., None], frames


def build_voice_detection(config: dict[str, Any]) -> VoicePredictor:
    """The predictor of a voice detector, with new weights, from the `config` in `model.json` (its net).

    Builder "seq-models-voice-detection"."""
    audio = TensorSpec("audio", "audio", "float32", ("N", "L"), low=-1, high=1, pad=0.0, rate=RATE)
    length = TensorSpec("length", "features", "int64", ("N",), low=1)
    speech = TensorSpec(
        "speech", "series", "float32", ("N", "F", 1), low=0, high=1, labels=("speech",), every="PT0.01S"
    )
    frames = TensorSpec("speech_length", "features", "int64", ("N",), low=1)
    signature = Signature((audio, length), (speech, frames), most={"L": MOST_SECONDS * RATE})
    return VoicePredictor(VoiceDetector(MELS, **config["net"]), signature)
