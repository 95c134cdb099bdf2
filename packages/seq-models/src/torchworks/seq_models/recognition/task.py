"""The task of recognition: one net, the CTC loss of the transcripts, error rates of greedy decoding.

Shape letters: N sounds, T frames, M mel channels, R frames after the strides, S letters of a transcript.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.seq_models.models.ctc_recognizer import BLANK
from torchworks.seq_models.recognition.augment import augmented
from torchworks.seq_models.recognition.config import AugmentConfig
from torchworks.seq_models.recognition.decoding import greedy
from torchworks.seq_models.recognition.metrics import edit_distance
from torchworks.shared.task import Out, Preview, Task
from torchworks.shared.training import parallel
from torchworks.shared.training.optim import adamw, parameter_groups


class Recognition(Task):
    """Trains `model`, from log-mel (N, T, M) and frames (N,) to log-probabilities (N, R, V), by the CTC loss a letter.
    Logs the share of frames in which the blank is likeliest: a model that only ever says blank has 1.

    Scores: `wer`, `cer`, and `blank`. `show`, which gets the model, makes what is shown at each evaluation."""

    watch, watch_mode = "wer", "min"

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        weight_decay: float,
        alphabet: Sequence[str],
        augment: AugmentConfig | None = None,
        show: Callable[[nn.Module], Mapping[str, Preview]] | None = None,
    ):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.alphabet, self.augment, self.show = tuple(alphabet), augment, show

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        mel, frames = batch["mel"], batch["mel_length"].to(batch["mel"].device)
        if self.augment is not None:
            mel, frames = augmented(mel, frames, self.random, self.augment)
        found, frames = self.model(mel, frames)
        nats = F.ctc_loss(
            found.float().transpose(0, 1), batch["letters"], frames, batch["letters_length"], BLANK,
            reduction="none", zero_infinity=True,
        )  # fmt: skip
        loss = (nats / batch["letters_length"].to(nats)).mean()
        return Out(loss, logs={"blank": _blank(found, frames)[0] / frames.sum()})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        frames = batch["mel_length"].to(batch["mel"].device)
        found, frames = self.model(batch["mel"], frames)
        texts = greedy(found, frames, self.alphabet)
        right = [
            "".join(self.alphabet[i - 1] for i in row[:length])
            for row, length in zip(batch["letters"].tolist(), batch["letters_length"].tolist(), strict=True)
        ]
        pairs = list(zip(texts, right, strict=True))
        return {
            "wer": (sum(edit_distance(a.split(), b.split()) for a, b in pairs), sum(len(b.split()) for b in right)),
            "cer": (sum(edit_distance(a, b) for a, b in pairs), sum(map(len, right))),
            "blank": _blank(found, frames),
        }

    def preview(self) -> Mapping[str, Preview]:
        if self.show is None or any(map(parallel.is_sharded, self.model.parameters())):
            return {}
        return self.show(self.model)


def _blank(found: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """How many real frames have the blank as their likeliest, and how many there are."""
    from torchworks.seq_models.models.ctc_recognizer import real_frames

    real = real_frames(frames, found.shape[1])
    return ((found.argmax(2) == BLANK) & real).sum().float(), frames.sum().float()
