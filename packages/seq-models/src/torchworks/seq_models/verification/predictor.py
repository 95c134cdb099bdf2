"""A trained net of voices as it is used: sound to a vector, which is alike for recordings of one voice.

Shape letters: N sounds, L samples, E numbers of a vector.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.seq_models.data.speaker_pairs import RATE
from torchworks.seq_models.models.x_vector import XVector
from torchworks.seq_models.sound.mel import LogMel
from torchworks.seq_models.voice_detection.features import MEL, MELS
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "seq-models-verification"
MOST_SECONDS = 60


class VoiceVectors(Predictor):
    """audio, samples (N, L) in −1..1 at 16 kHz, and how many of each row are real → embedding (N, E) of length 1: the
    cosine of two says how alike the voices are."""

    def __init__(self, net: XVector, signature: Signature):
        super().__init__(net, signature)
        self.front = LogMel(MEL)

    def forward(self, *inputs: Tensor) -> Tensor:
        audio, length = inputs
        real = torch.arange(audio.shape[1], device=audio.device) < length[:, None]
        mel = self.front(F.pad(audio * real, (0, MEL.hop)))  # two frames or more: one would be a case apart in a graph
        return self.net(mel.transpose(1, 2), self.front.frames(length)).float()


def build_verification(config: dict[str, Any]) -> VoiceVectors:
    """The predictor of a net of voices, with new weights, from the `config` in `model.json` (its net).

    Builder "seq-models-verification"."""
    audio = TensorSpec("audio", "audio", "float32", ("N", "L"), low=-1, high=1, pad=0.0, rate=RATE)
    length = TensorSpec("length", "features", "int64", ("N",), low=1)
    embedding = TensorSpec("embedding", "features", "float32", ("N", config["net"]["embed_dim"]), low=-1.01, high=1.01)
    signature = Signature((audio, length), (embedding,), most={"L": MOST_SECONDS * RATE})
    return VoiceVectors(XVector(MELS, **config["net"]), signature)
