"""The front end of voice detection: log-mel frames of 10 ms, of whole sounds or as sound comes in.

Shape letters: N sounds, L samples, T frames, M mel channels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.seq_models.data.speech_segments import HOP, RATE
from torchworks.seq_models.models.voice_detector import State, VoiceDetector
from torchworks.seq_models.sound.mel import LogMel, MelConfig

MELS = 40
MEL = MelConfig(rate=RATE, n_fft=512, window=400, hop=HOP, num_mels=MELS)
BATCH = 32


@torch.no_grad()
def mel_frames(audio: Tensor) -> Tensor:
    """Samples (N, L) → log-mel frames (N, 1 + L // HOP, M)."""
    front = LogMel(MEL)
    return torch.cat([front(part).transpose(1, 2) for part in audio.split(BATCH)])


class Stream:
    """A detector that is fed piece by piece: the probabilities are those that it has of the whole sound.

        stream = Stream(net)
        stream.feed(samples)      # (L,) of any length → probabilities of the frames that are complete now, (T,)
        stream.end()              # those of the last frames, behind which silence is assumed

    A frame is complete when the 12.5 ms behind its centre are there."""

    def __init__(self, net: VoiceDetector):
        self.net, self.front = net.eval(), LogMel(MEL)
        self.reset()

    def reset(self) -> None:
        self.waiting = torch.zeros(MEL.window // 2)  # silence before the first frame's centre
        self.state: State = self.net.beginning(1, self.net.output.bias)

    def feed(self, samples: Tensor) -> Tensor:
        self.waiting = torch.cat([self.waiting, samples.float()])
        frames = max(0, (len(self.waiting) - MEL.window) // HOP + 1)
        return self._advance(frames)

    def end(self) -> Tensor:
        left = len(self.waiting) - MEL.window // 2  # real samples behind the centre of the next frame
        frames = 1 + left // HOP if left >= 0 else 0
        self.waiting = F.pad(self.waiting, (0, MEL.window))
        found = self._advance(frames)
        self.reset()
        return found

    @torch.no_grad()
    def _advance(self, frames: int) -> Tensor:
        if not frames:
            return torch.zeros(0)
        used = self.waiting[: (frames - 1) * HOP + MEL.window]
        logits, self.state = self.net.advance(self.front.of_windows(used[None]).transpose(1, 2), self.state)
        self.waiting = self.waiting[frames * HOP :]
        return logits[0].sigmoid()
