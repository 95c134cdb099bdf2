"""A trained recogniser as it is used: sound to the probabilities of letters, and the letters with their times.

The log-mel spectrogram is part of it.

Shape letters: N sounds, L samples, R frames of the net, V letters with the blank.
"""

from collections.abc import Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.ctc_recognizer import BLANK, CTCRecognizer, real_frames
from torchworks.seq_models.models.padding import moved_to_front
from torchworks.seq_models.sound.mel import LogMel, MelConfig
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "seq-models-recognizer"
LANGUAGE = "language.json"
LOWEST = -69.0
"""Log-probabilities are kept above this, the logarithm of 10⁻³⁰, so that none is infinite."""


class RecognizerPredictor(Predictor):
    """audio (N, L) and the samples of each row (N,) →

    log_probability (N, R, V): of each letter, or the blank, in each frame, the first and last `silence` of which lie
    before and behind the sound; `log_probability_length` (N,), how many are real; letters (N, R): the likeliest
    letters, repeats merged, blanks removed, 0 behind them; `letters_length` (N,), how many; seconds (N, R): when each
    of them begins; 0 behind them."""

    def __init__(self, net: nn.Module, signature: Signature, mel: LogMel, step: float):
        super().__init__(net, signature)
        self.mel, self.step = mel, step

    @property
    def silence(self) -> int:
        """Frames of the net before the sound, and behind it."""
        return cast(CTCRecognizer, self.net).silence

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        audio, length = inputs
        length = length.clamp(max=audio.shape[1])
        heard = audio * (torch.arange(audio.shape[1], device=audio.device) < length[:, None]).to(audio.dtype)
        heard = F.pad(heard, (0, self.mel.config.hop))  # one frame more than needed: exports want two at least
        found, frames = self.net(self.mel(heard).transpose(1, 2), self.mel.frames(length))
        found = found.float().clamp_min(LOWEST)
        real = real_frames(frames, found.shape[1])
        found = torch.where(real[:, :, None], found, torch.zeros_like(found))
        best = found.argmax(2).masked_fill(~real, BLANK)
        before = F.pad(best, (1, 0), value=BLANK)[:, :-1]
        new = (best != BLANK) & (best != before)
        letters, count = moved_to_front(best, new)
        places, _ = moved_to_front(torch.ones_like(best).cumsum(1) - 1, new)
        places = (places - self.silence).clamp_min(0)
        return found, frames, letters, count, places.to(torch.float32) * self.step


def mel_config(front: Mapping[str, Any], rate: int) -> MelConfig:
    """Settings of the front end from those of a `FrontConfig`."""
    window, hop = (round(front[name] * rate / 1000) for name in ("window", "hop"))
    n_fft = 1 << (window - 1).bit_length()
    return MelConfig(
        rate=rate, n_fft=n_fft, window=window, hop=hop, num_mels=front["num_mels"], low=front["low"], high=0.49 * rate
    )


def new_net(net: Mapping[str, Any], front: Mapping[str, Any], alphabet: int) -> CTCRecognizer:
    """The net of these options, with new weights, for `alphabet` letters."""
    kept = {name: front[name] for name in ("loudness_range", "silence") if name in front}  # earlier runs have neither
    return CTCRecognizer(alphabet + 1, num_mels=front["num_mels"], **kept, **net)


def build_recognizer(config: dict[str, Any]) -> RecognizerPredictor:
    """The predictor of a recogniser, with new weights, from the `config` in `model.json` (its alphabet, rate, front end
    and net).

    Builder "seq-models-recognizer"."""
    alphabet, rate = tuple(config["alphabet"]), config["rate"]
    net = new_net(config["net"], config["front"], len(alphabet))
    mel = LogMel(mel_config(config["front"], rate))
    labels = ("", *alphabet)
    outputs = (
        TensorSpec("log_probability", "features", "float32", ("N", "R", len(labels)), high=0, labels=labels),
        TensorSpec("log_probability_length", "features", "int64", ("N",), low=1),
        TensorSpec("letters", "tokens", "int64", ("N", "R"), low=0, high=len(alphabet), labels=labels),
        TensorSpec("letters_length", "features", "int64", ("N",), low=0),
        TensorSpec("seconds", "features", "float32", ("N", "R"), low=0),
    )
    inputs = (
        TensorSpec("audio", "audio", "float32", ("N", "L"), low=-1, high=1, pad=0.0, rate=rate),
        TensorSpec("length", "features", "int64", ("N",), low=1),
    )
    return RecognizerPredictor(net, Signature(inputs, outputs), mel, seconds_of_frame(net, mel))


def seconds_of_frame(net: nn.Module, mel: LogMel) -> float:
    """From one frame of the net to the next."""
    step = mel.config.hop / mel.config.rate
    for stride in cast(CTCRecognizer, net).strides:
        step *= stride
    return step
