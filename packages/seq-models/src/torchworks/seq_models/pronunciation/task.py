"""The task of pronunciation: one net, the cross-entropy of each letter's unit, word and sound error.

Shape letters: N words, T letters, U units.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.seq_models.models.aligned_seq2seq import PADDING, AlignedSeq2Seq
from torchworks.seq_models.pronunciation.decoding import pronounced
from torchworks.seq_models.pronunciation.metrics import distance
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class Pronunciation(Task):
    """Trains `model`, from letters and units (N, T) to the logits of units. Batches for training hold `letters` and
    `units`; those for evaluation `letters` and `word`, whose pronunciations are `words[word]`. `names` are the sounds
    of each unit.

    Scores: `word_error` and `sound_error` of the likeliest pronunciation that a beam search finds."""

    units = "letters"
    watch, watch_mode = "word_error", "min"

    def __init__(
        self,
        model: AlignedSeq2Seq,
        *,
        words: Sequence[Sequence[str]],
        names: Sequence[str],
        lr: float,
        weight_decay: float,
        beams: int,
    ):
        self.model, self.words, self.names = model, words, names
        self.lr, self.weight_decay, self.beams = lr, weight_decay, beams

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        units = batch["units"]
        logits = self.model(batch["letters"], units).float()
        loss = F.cross_entropy(logits.flatten(0, 1), units.flatten(), ignore_index=PADDING)
        return Out(loss, weight=(units != PADDING).sum())

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        rows = [row[: int((row != PADDING).sum())].tolist() for row in batch["letters"]]
        wrong = edits = sounds = 0
        for found, number in zip(
            pronounced(self.model, rows, self.names, self.beams), batch["word"].tolist(), strict=True
        ):
            said = found[0].sounds.split()
            needed, length = min((distance(said, each.split()), len(each.split())) for each in self.words[number])
            wrong, edits, sounds = wrong + (needed > 0), edits + needed, sounds + length
        device = batch["letters"].device
        counts = batch["letters"].new_tensor([wrong, len(rows), edits, sounds], dtype=None).to(device).float()
        return {"word_error": (counts[0], counts[1]), "sound_error": (counts[2], counts[3])}
