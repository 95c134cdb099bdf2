"""Our nets beside those of other libraries: which, and at which sizes.

An architecture that has an oracle is a line in `ORACLES`: its name, and the function that makes the `Comparison`. A
test compares each line, and `seq-models models --parity` prints all of them. How is in
`torchworks.shared.models.parity`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from torchworks.shared.models import parity
from torchworks.shared.models.parity import exported_difference, onnx_difference

__all__ = ["LENGTHS", "ORACLES", "ROWS", "Comparison", "Sizes", "comparison", "exported_difference", "onnx_difference"]

_HERE = "torchworks.seq_models.models.oracles"

ORACLES: dict[str, str] = {
    "RNN": f"{_HERE}.torch_nn:rnn",
    "RNN, relu": f"{_HERE}.torch_nn:rnn_relu",
    "RNN, 2 layers, both directions, lengths": f"{_HERE}.torch_nn:rnn_lengths",
    "LSTM": f"{_HERE}.torch_nn:lstm",
    "LSTM, proj_size": f"{_HERE}.torch_nn:lstm_projected",
    "LSTM, 2 layers, both directions, lengths": f"{_HERE}.torch_nn:lstm_lengths",
    "GRU": f"{_HERE}.torch_nn:gru",
    "GRU, 2 layers, both directions, lengths": f"{_HERE}.torch_nn:gru_lengths",
    "multi-head attention": f"{_HERE}.torch_attention:multi_head",
    "Transformer encoder": f"{_HERE}.torch_attention:encoder",
    "Transformer encoder, pre-norm": f"{_HERE}.torch_attention:encoder_pre_norm",
    "Transformer decoder": f"{_HERE}.torch_attention:decoder",
    "Transformer decoder, pre-norm": f"{_HERE}.torch_attention:decoder_pre_norm",
    "GPT-2": f"{_HERE}.hugging_face:gpt2",
    "BERT": f"{_HERE}.hugging_face:bert_model",
    "BERT, masked tokens": f"{_HERE}.hugging_face:bert_masked_lm",
    "BERT, classes": f"{_HERE}.hugging_face:bert_classification",
    "BERT, answers": f"{_HERE}.hugging_face:bert_question_answering",
    "T5": f"{_HERE}.hugging_face:t5_relu",
    "T5 1.1": f"{_HERE}.hugging_face:t5_gated",
    "Tacotron 2": f"{_HERE}.sound:tacotron2",
    "FastSpeech 2, variance adaptor": f"{_HERE}.sound:fastspeech2",
    "WaveRNN": f"{_HERE}.sound:wavernn",
    "HiFi-GAN": f"{_HERE}.sound:hifigan",
    "Deep Speech": f"{_HERE}.speech:of_deep_speech",
    "Conformer": f"{_HERE}.speech:of_conformer",
    "wav2vec 2.0": f"{_HERE}.speech:of_wav2vec2",
    "wav2vec 2.0, layer norm": f"{_HERE}.speech:of_wav2vec2_layer_norm",
    "Whisper": f"{_HERE}.speech:of_whisper",
}
"""Where the comparison of each architecture is made, as "module:function"."""

ROWS, LENGTHS = (1, 3), (1, 5, 17)
"""Sizes at which exports are compared. Their example has others: 2 rows, and 4, 6, … for each length."""
Sizes = parity.Sizes


@dataclass(frozen=True)
class Comparison(parity.Comparison):
    """Open sizes other than "N" are lengths."""

    def example(self) -> tuple[Tensor, ...]:
        lengths = [name for name in self._names if name != "N"]
        return self.make({"N": 2, **{name: 4 + 2 * i for i, name in enumerate(lengths)}})

    def cases(self) -> Iterator[tuple[Tensor, ...]]:
        values = [ROWS if name == "N" else LENGTHS for name in self._names]
        for sizes in product(*values):
            yield self.make(dict(zip(self._names, sizes, strict=True)))

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for axes in self.axes for name in axes.values()))


def comparison(name: str) -> Comparison:
    """The comparison of the architecture `name`. Raises `UserError` for an unknown name, and where the oracle's library
    is not installed."""
    return parity.find_comparison(name, ORACLES)
