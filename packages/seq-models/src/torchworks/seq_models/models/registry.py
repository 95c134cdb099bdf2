"""Every model by name: the one list of them. A new one is a file in this folder, and a line here.

Nothing here imports torch before a net is built, so that listing names is quick.
"""

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from torchworks.shared.config import UserError, nearest

if TYPE_CHECKING:
    from torch import nn

MODELS: dict[str, str] = {
    "text_cnn": "text_cnn:TextCNN",
    "word2vec": "word2vec:Word2Vec",
    "glove": "glove:GloVe",
    "rnn": "recurrent:RNN",
    "lstm": "recurrent:LSTM",
    "gru": "recurrent:GRU",
    "recurrent_lm": "recurrent_lm:RecurrentLM",
    "fcn": "fcn_series:FCN",
    "inception_time": "inception_time:InceptionTime",
    "recurrent_series": "recurrent_series:RecurrentSeriesClassifier",
    "transformer_series": "transformer_series:TransformerSeriesClassifier",
    "autoregressive_density": "autoregressive_density:AutoregressiveDensity",
    "causal_density": "causal_density:CausalDensity",
    "autoencoder": "autoencoder_rows:Autoencoder",
    "window_autoencoder": "autoencoder_rows:WindowAutoencoder",
    "recurrent_classifier": "recurrent_classifier:RecurrentClassifier",
    "attention_seq2seq": "seq2seq:AttentionSeq2Seq",
    "transformer": "transformer:Transformer",
    "aligned_seq2seq": "aligned_seq2seq:AlignedSeq2Seq",
    "pointer_generator": "pointer_generator:PointerGenerator",
    "gpt": "gpt:GPT",
    "bert": "bert:BERT",
    "bert_masked_lm": "bert:BERTForMaskedLM",
    "bert_classification": "bert:BERTForClassification",
    "bert_question_answering": "bert:BERTForQuestionAnswering",
    "sentence_bert": "sentence_bert:SentenceBERTClassifier",
    "rotary_encoder": "rotary_encoder:RotaryEncoder",
    "t5": "t5:T5",
    "nlinear": "nlinear:NLinear",
    "lstm_forecaster": "lstm_forecaster:LSTMForecaster",
    "nbeats": "nbeats:NBEATS",
    "patchtst": "patchtst:PatchTST",
    "tcn": "tcn:TCN",
    "voice_detector": "voice_detector:VoiceDetector",
    "x_vector": "x_vector:XVector",
    "tacotron2": "tacotron2:Tacotron2",
    "fastspeech2": "fastspeech:FastSpeech2",
    "wavernn": "wavernn:WaveRNN",
    "hifigan": "hifigan:HiFiGAN",
    "vocos": "vocos:Vocos",
    "harmonic_source": "harmonic_source:HarmonicSource",
    "griffin_lim": "griffin_lim:GriffinLim",
    "deep_speech": "deep_speech:DeepSpeech",
    "ctc_recognizer": "ctc_recognizer:CTCRecognizer",
    "conformer": "conformer:Conformer",
    "wav2vec2": "wav2vec2:Wav2Vec2",
    "wav2vec2_ctc": "wav2vec2:Wav2Vec2ForCTC",
    "whisper": "whisper:Whisper",
    "rnn_nade": "rnn_nade:NoteByNote",
    "roll_rnn": "roll_rnn:RollRNN",
    "music_tcn": "music_tcn:MusicTCN",
    "tabular_mlp": "tabular_mlp:TabularMLP",
    "tabular_resnet": "tabular_resnet:TabularResNet",
    "ft_transformer": "ft_transformer:FTTransformer",
}
"""The module of this folder and the class of each model."""


def list_models() -> list[str]:
    return list(MODELS)


def find_model(name: str) -> type["nn.Module"]:
    """The class of the model `name`; raises `UserError` with the nearest known name."""
    if name not in MODELS:
        raise UserError(f"There is no model '{name}'.{nearest(name, MODELS)} Known: {', '.join(MODELS)}.")
    module, _, made = MODELS[name].partition(":")
    return getattr(importlib.import_module(f"torchworks.seq_models.models.{module}"), made)


def create_model(name: str, *sizes: Any, **options: Any) -> "nn.Module":
    """The model `name` with new weights; raises `UserError` for an option it has not."""
    known = options_of(name)
    for option in options:
        if option not in known:
            raise UserError(f"{name} has no option '{option}'.{nearest(option, known)} It has: {', '.join(known)}.")
    return find_model(name)(*sizes, **options)


def options_of(name: str) -> list[str]:
    """The names of the model's arguments."""
    return list(inspect.signature(find_model(name)).parameters)
