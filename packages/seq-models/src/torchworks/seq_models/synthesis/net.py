"""The net of a model that speaks: FastSpeech 2 or Tacotron 2, with the scale of what it says.

Shape letters: N sentences, P phonemes, T frames, M mels.
"""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from torchworks.seq_models.data.spoken_text import SYMBOLS
from torchworks.seq_models.models.fastspeech import FastSpeech2
from torchworks.seq_models.models.tacotron2 import Spoken, Tacotron2
from torchworks.seq_models.synthesis.prepare import Scale
from torchworks.seq_models.synthesis.spectrogram import NUM_MELS

FASTSPEECH, TACOTRON = "fastspeech", "tacotron"
MOST_PER_PHONEME = 24
"""Frames of a phoneme, on average, beyond which a Tacotron that does not stop is stopped."""


class SpeechNet(nn.Module):
    """`net` says log-mels of mean 0 and standard deviation 1; this one says log-mels."""

    mel_mean: Tensor
    mel_std: Tensor
    pitch_scale: Tensor
    energy_scale: Tensor

    def __init__(self, model: str, options: Mapping[str, Any], speakers: int = 1):
        super().__init__()
        self.net = new_net(model, options, speakers)
        for name, value in (("mel_mean", torch.zeros(NUM_MELS)), ("mel_std", torch.ones(NUM_MELS))):
            self.register_buffer(name, value)
        for name in ("pitch_scale", "energy_scale"):
            self.register_buffer(name, torch.tensor([0.0, 1.0]))

    @torch.no_grad()
    def set_scale(self, scale: Scale) -> "SpeechNet":
        for buffer, value in ((self.mel_mean, scale.mel[0]), (self.mel_std, scale.mel[1])):
            buffer.copy_(value)
        for buffer, pair in ((self.pitch_scale, scale.pitch), (self.energy_scale, scale.energy)):
            buffer.copy_(torch.tensor(pair))
        return self

    def normal(self, mel: Tensor) -> Tensor:
        return (mel - self.mel_mean) / self.mel_std

    def log_mel(self, normal: Tensor) -> Tensor:
        return normal * self.mel_std + self.mel_mean

    def normal_pitch(self, pitch: Tensor) -> Tensor:
        """Of log2 Hz; 0, the mean, for phonemes without voice, whose pitch is 0."""
        mean, std = self.pitch_scale.unbind()
        return torch.where(pitch > 0, (pitch - mean) / std, 0.0)

    def normal_energy(self, energy: Tensor) -> Tensor:
        mean, std = self.energy_scale.unbind()
        return (energy - mean) / std

    def say(
        self, phonemes: Tensor, frames: int, *, speaker: Tensor | None, speed: Tensor | float, semitones: Tensor | float
    ) -> tuple[Tensor, Tensor]:
        """FastSpeech: phonemes (N, P) → the first `frames` frames of log-mels (N, T, M), and the frames of each row,
        (N,)."""
        net = cast(FastSpeech2, self.net)
        raised = semitones / (12 * self.pitch_scale[1])
        mel, lengths = net.generate(phonemes, frames, speaker=speaker, speed=speed, pitch=raised)
        return self.log_mel(mel), lengths

    def say_by_steps(self, phonemes: Tensor, lengths: Tensor) -> Spoken:
        """Tacotron: the same, step by step, until it stops."""
        net = cast(Tacotron2, self.net)
        most = max(1, int(lengths.max()) * MOST_PER_PHONEME // net.frames_per_step)
        spoken = net.generate(phonemes, lengths, most=most)
        return Spoken(self.log_mel(spoken.mel), spoken.lengths, spoken.attention, spoken.stopped)


def new_net(model: str, options: Mapping[str, Any], speakers: int) -> nn.Module:
    """The architecture `model` with `options` of a `NetConfig`, with new weights."""
    vocabulary, hidden = len(SYMBOLS) + 1, options["hidden_dim"]
    if model == FASTSPEECH:
        sizes = {name: options[name] for name in ("embed_dim", "num_heads", "filter_dim", "drop_rate")}
        return FastSpeech2(
            vocabulary, num_mels=NUM_MELS, speakers=speakers, encoder_depth=options["depth"],
            decoder_depth=options["depth"], kernel_size=5, predictor_dim=hidden, predictor_drop_rate=0.2, **sizes,
        )  # fmt: skip
    return Tacotron2(
        vocabulary, num_mels=NUM_MELS, embed_dim=options["embed_dim"], conv_depth=options["depth"],
        attention_rnn_dim=hidden, decoder_dim=hidden, attention_dim=hidden // 2, location_filters=16,
        location_kernel=15, prenet_dim=hidden // 2, postnet_depth=3, postnet_dim=options["filter_dim"],
        frames_per_step=options["frames_per_step"], drop_rate=options["drop_rate"], conv_drop_rate=0.2,
        prenet_dropout="training", masked=True,
    )  # fmt: skip
