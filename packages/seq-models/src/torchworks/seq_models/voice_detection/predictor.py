"""A trained voice detector as it is used: sound, as a whole or in pieces, to the probability of speech at each frame.

Shape letters: N sounds, L samples, F frames of 10 ms: 2 or more, the last of which are padding.
"""

from typing import Any, cast

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
HALF = MEL.window // 2


class VoicePredictor(Predictor):
    """audio, samples (N, L) in −1..1 at 16 kHz, and how many of each row are real → speech (N, F, 1), the probability
    that somebody speaks around F · 10 ms, 0 behind a sound's end, and how many frames are real, (N,).

    A sound may come in pieces. With `more` (N,) 1, others follow, and only frames whose 12.5 ms behind their centre are
    there are answered, perhaps none; with 0 the sound ends, and silence follows. What is remembered of the pieces
    before is `heard` (N, 400), their last samples; `beyond` (N,), samples behind the centre of the next frame; `near`,
    `far` and `memory`, the state of the net. All may be left out at the beginning. What comes after is answered with
    the same names, as `next_heard` and so on; at a sound's end, it is as at the beginning."""

    def __init__(self, net: VoiceDetector, signature: Signature):
        super().__init__(net, signature)
        self.front = LogMel(MEL)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        audio, length, more, heard, beyond, *state = inputs
        real = torch.arange(audio.shape[1], device=audio.device) < length[:, None]
        sound = F.pad(torch.cat([heard, audio * real], 1), (0, 2 * MEL.window))
        complete = torch.where(more > 0, (beyond + length + 2 * HOP - HALF) // HOP - 1, (beyond + length) // HOP + 1)
        frames = complete.clamp(min=0)
        begins = MEL.window - HALF - beyond  # where the next frame's window begins
        width = audio.shape[1] + MEL.window + HALF  # of as many frames as there can be
        window = sound.gather(1, begins[:, None] + torch.arange(width, device=audio.device))
        mel = self.front.of_windows(window).transpose(1, 2)
        near, far, memory = state
        given = near, far, memory[None]
        logits, (near, far, memory) = cast(VoiceDetector, self.net).advance(mel, given, frames)
        shown = torch.arange(mel.shape[1], device=audio.device) < frames[:, None]
        speech = (logits.float().sigmoid() * shown)[..., None]
        heard = sound.gather(1, length[:, None] + torch.arange(MEL.window, device=audio.device))
        beyond = (beyond + length - HOP * frames) * more
        rest = (each * more.view(-1, *[1] * (each.ndim - 1)) for each in (heard, near, far, memory[0]))
        heard, *state = rest
        return speech, frames, heard, beyond, *state


def build_voice_detection(config: dict[str, Any]) -> VoicePredictor:
    """The predictor of a voice detector, with new weights, from the `config` in `model.json` (its net).

    Builder "seq-models-voice-detection"."""
    net = VoiceDetector(MELS, **config["net"])
    audio = TensorSpec("audio", "audio", "float32", ("N", "L"), low=-1, high=1, pad=0.0, rate=RATE)
    length = TensorSpec("length", "features", "int64", ("N",), low=1)
    more = TensorSpec("more", "features", "int64", ("N",), low=0, high=1, default=0.0)
    speech = TensorSpec(
        "speech", "series", "float32", ("N", "F", 1), low=0, high=1, labels=("speech",), every="PT0.01S"
    )
    frames = TensorSpec("speech_length", "features", "int64", ("N",), low=0)
    signature = Signature(
        (audio, length, more, *_states(net, "", 0.0)),
        (speech, frames, *_states(net, "next_", None)),
        most={"L": MOST_SECONDS * RATE},
    )
    return VoicePredictor(net, signature)


def _states(net: VoiceDetector, prefix: str, default: float | None) -> tuple[TensorSpec, ...]:
    near, far = (kernel - 1 for kernel in net.kernels)
    shapes = {"near": (near, net.num_mels), "far": (far, net.channels), "memory": (net.hidden_dim,)}
    heard = TensorSpec(f"{prefix}heard", "state", "float32", ("N", MEL.window), default=default)
    beyond = TensorSpec(f"{prefix}beyond", "state", "int64", ("N",), low=0, high=HALF - 1, default=default)
    others = (TensorSpec(prefix + name, "state", "float32", ("N", *s), default=default) for name, s in shapes.items())
    return heard, beyond, *others
