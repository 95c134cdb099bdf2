"""A trained vocoder as it is used: log-mel spectrograms to sound.

Shape letters: N sounds, T frames, L = T · HOP samples, M mels.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.hifigan import HiFiGAN
from torchworks.seq_models.synthesis.spectrogram import HOP, MELS, NUM_MELS, RATE, silenced
from torchworks.seq_models.synthesis.vocoder_net import SourceVocos
from torchworks.shared.models.predictor import Predictor
from torchworks.shared.models.signature import Signature, TensorSpec

BUILDER = "seq-models-vocode"
VOCOS, HIFIGAN = "vocos", "hifigan"
RATES, KERNELS = (5, 5, 4, 2), (11, 11, 8, 4)
DILATIONS = (1, 3)
QUIET = math.log(MELS.floor)
BEYOND = 24
"""Frames of silence behind the last one, more than the net sees, so that what follows a row does not change it."""


class VocoderPredictor(Predictor):
    """mel (N, T, M), frames of `spectrogram.MELS`, and the length of each row in frames, (N,) → audio (N, L) in −1..1,
    and length (N,) in samples."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        mel, frames = inputs
        return vocoded(self.net, mel, frames), frames * HOP


def vocoded(net: nn.Module, mel: Tensor, frames: Tensor) -> Tensor:
    """Log-mels (N, T, M) with padding, whatever stands there → sound (N, T · HOP)."""
    real = (torch.arange(mel.shape[1], device=mel.device) < frames[:, None])[..., None]
    mel = F.pad(torch.where(real, mel, QUIET), (0, 0, 0, BEYOND), value=QUIET)
    return silenced(net(mel)[:, : real.shape[1] * HOP], frames)


class Vocoder(nn.Module):
    """As `MelToSound`, by a net."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, mel: Tensor, frames: Tensor) -> Tensor:
        return vocoded(self.net, mel, frames)


def build_vocoder(config: dict[str, Any]) -> VocoderPredictor:
    """The predictor with new weights, from the `config` in `model.json`, its architecture and its
    net. Runs of before there were two are HiFi-GANs. Builder "seq-models-vocode"."""
    mel = TensorSpec("mel", "series", "float32", ("N", "T", NUM_MELS), low=-20, high=20, pad=0.0, every="PT0.0125S")
    length = TensorSpec("length", "features", "int64", ("N",), low=1)
    audio = TensorSpec("audio", "audio", "float32", ("N", "L"), low=-1, high=1, rate=RATE)
    samples = TensorSpec("audio_length", "features", "int64", ("N",), low=1)
    net = new_vocoder(config.get("model", HIFIGAN), config["net"])
    return VocoderPredictor(net, Signature((mel, length), (audio, samples)))


def new_vocoder(model: str, options: Mapping[str, Any]) -> HiFiGAN | SourceVocos:
    """The architecture `model` with `options` of a `VocoderNetConfig`, and new weights."""
    if model == VOCOS:
        return SourceVocos(**{name: options[name] for name in ("embed_dim", "depth", "refinements")})
    return HiFiGAN(
        NUM_MELS, channels=options["channels"], upsample_rates=RATES, upsample_kernels=KERNELS,
        stack_kernels=tuple(options["stacks"]), stack_dilations=(DILATIONS,) * len(options["stacks"]),
    )  # fmt: skip
