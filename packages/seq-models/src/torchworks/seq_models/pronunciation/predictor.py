"""A trained model of pronunciation as it is used: letters to the units of sounds that each of them makes.

A service turns a word into letters by the tokenizer that is kept with the model.

Shape letters: N words, T letters.
"""

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from torchworks.seq_models.models.aligned_seq2seq import AlignedSeq2Seq
from torchworks.seq_models.pronunciation.decoding import SILENT
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import from_json

BUILDER = "seq-models-pronunciation"
TOKENIZER = "tokenizer.json"


class PronunciationPredictor(Predictor):
    """text, the ids of a word's letters, int64 (N, T), padded with 0 → sounds, int64 (N, T), the unit of sounds that
    each letter makes, 0 at padding, and the probability (N,) of all of them. The likeliest unit is taken at each letter
    after those before it."""

    exported_with_gradients = False

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        units, total = cast(AlignedSeq2Seq, self.net).greedy(inputs[0])
        return units, total.exp()


def build_pronunciation(config: dict[str, Any], files: Mapping[str, bytes]) -> PronunciationPredictor:
    """The predictor of a model of pronunciation, with new weights, from the `config` in `model.json` (its units, the
    longest word, its net) and the tokenizer in `files`.

    Builder "seq-models-pronunciation"."""
    names, letters = shown(config["units"]), len(from_json(files[TOKENIZER]))
    text = TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=letters - 1, pad=0)
    sounds = TensorSpec("sounds", "label", "int64", ("N", "T"), low=0, high=len(names) - 1, labels=names)
    probability = TensorSpec("probability", "features", "float32", ("N",), low=0, high=1)
    signature = Signature((text,), (sounds, probability), most={"T": config["longest"]})
    return PronunciationPredictor(AlignedSeq2Seq(letters, len(names), **config["net"]), signature)


def shown(units: list[str]) -> tuple[str, ...]:
    """What each unit is called: nothing for padding, `SILENT` for no sound, else its sounds."""
    return ("", *(unit or SILENT for unit in units[1:]))
