"""A trained model that speaks, as it is used: a text to sound.

A service turns a text into the numbers of its words by the tokenizer that is kept with the model. The words' phonemes
are looked up in the graph, so text goes in and sound comes out. Words that the model does not know are passed over, and
named in the answer; the command `speak` knows those of pocketsphinx's dictionary too, and refuses others.

Shape letters: N texts, W words of the longest, K phonemes of the longest word, P phonemes, T frames, L samples.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.seq_models.data.spoken_text import SYMBOLS, numbers_of, stressed
from torchworks.seq_models.models.padding import moved_to_front
from torchworks.seq_models.models.tacotron2 import Tacotron2
from torchworks.seq_models.sound.lexicon import DIGITS, lexicon
from torchworks.seq_models.sound.phonemes import SILENCE
from torchworks.seq_models.synthesis.net import FASTSPEECH, SpeechNet
from torchworks.seq_models.synthesis.saying import SEMITONES, SPEEDS
from torchworks.seq_models.synthesis.spectrogram import HOP, RATE, MelToSound
from torchworks.shared.models.predictor import Predictor
from torchworks.shared.models.signature import Signature, TensorSpec
from torchworks.shared.text import from_json
from torchworks.shared.text.vocabulary import Words

BUILDER = "seq-models-speak"
TOKENIZER, PRONUNCIATIONS = "tokenizer.json", "pronunciations.json"
MOST_WORDS = 40
FRAMES_OF_WORD, FRAMES_AROUND = 80, 40
"""Frames that there is room for: 1 s a word, and half a second around the text."""
PAD, SILENT = 0, SYMBOLS.index(SILENCE) + 1
_SPECIALS = ("<pad>", "<unk>")


class SpeakPredictor(Predictor):
    """text, the numbers of its words, int64 (N, W), padded with 0 → audio (N, L) in −1..1, of which length (N,) samples
    are speech. A FastSpeech also takes speed (N, 1), a factor, and pitch (N, 1), semitones to be added."""

    pronunciations: Tensor

    def __init__(self, net: SpeechNet, signature: Signature, pronunciations: Tensor, iterations: int):
        super().__init__(net, signature)
        self.register_buffer("pronunciations", pronunciations, persistent=False)
        self.to_sound = MelToSound(iterations, by_conv=True)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        text = inputs[0]
        phonemes, lengths = self.phonemes(text)
        frames = text.shape[1] * FRAMES_OF_WORD + FRAMES_AROUND
        net = cast(SpeechNet, self.net)
        if isinstance(net.net, Tacotron2):
            steps = -(-frames // net.net.frames_per_step)
            mel, count, _ = net.net.generate_steps(phonemes, lengths, steps)
            mel = net.log_mel(mel)
        else:
            mel, count = net.say(phonemes, frames, speaker=None, speed=inputs[1], semitones=inputs[2])
        room = (text != PAD).sum(1) * FRAMES_OF_WORD + FRAMES_AROUND  # of each row, whatever padding follows
        count = torch.minimum(count, room)
        return self.to_sound(mel, count), count * HOP

    def phonemes(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of words (N, W) → phonemes (N, W · K + 2), padded, and how many there are, (N,)."""
        inner = self.pronunciations[text].flatten(1)  # (N, W · K)
        inner = F.pad(inner, (1, 1))
        places = torch.arange(inner.shape[1], device=inner.device)
        ends = (places == 0) | (places == inner.shape[1] - 1)
        inner = torch.where(ends, SILENT, inner)
        return moved_to_front(inner, inner != PAD)


def build_speaker(config: dict[str, Any], files: Mapping[str, bytes]) -> SpeakPredictor:
    """The predictor with new weights, from the `config` in `model.json` (its architecture, its net, the number of its
    voices, the iterations of Griffin-Lim), and the words and pronunciations in `files`.

    Builder "seq-models-speak"."""
    tokenizer = from_json(files[TOKENIZER])
    table = pronunciation_table(json.loads(files[PRONUNCIATIONS]), cast(Words, tokenizer).tokens)
    net = SpeechNet(config["model"], config["net"], config["speakers"])
    text = TensorSpec("text", "text", "int64", ("N", "W"), low=0, high=len(tokenizer) - 1)
    inputs: tuple[TensorSpec, ...] = (text,)
    if config["model"] == FASTSPEECH:
        inputs += (
            TensorSpec("speed", "features", "float32", ("N", 1), low=SPEEDS[0], high=SPEEDS[1], default=1.0),
            TensorSpec("pitch", "features", "float32", ("N", 1), low=SEMITONES[0], high=SEMITONES[1], default=0.0),
        )
    outputs = (
        TensorSpec("audio", "audio", "float32", ("N", "L"), low=-1, high=1, rate=RATE),
        TensorSpec("length", "features", "int64", ("N",), low=1),
    )
    signature = Signature(inputs, outputs, most={"W": MOST_WORDS})
    return SpeakPredictor(net, signature, table, config["iterations"])


def pronunciation_table(known: Mapping[str, list[str]], words: tuple[str, ...]) -> Tensor:
    """Phonemes of the numbers of words, padded, int64 (V, K); none for padding and unknown words."""
    rows = [[] for _ in _SPECIALS] + [numbers_of(known[word]) for word in words]
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


def known_words() -> tuple[Words, dict[str, list[str]]]:
    """The words that a model is kept with: those of the lexicon, single digits, and marks, which are a silence or
    nothing. What a text has beside them is unknown; a service names it in the `warnings` of its answer."""
    known = {word: stressed(variants[0]) for word, variants in sorted(lexicon().items())}
    known |= {str(i): known[word] for i, word in enumerate(DIGITS)}
    known |= {mark: [SILENCE] for mark in ",.;:!?"} | {mark: [] for mark in '-()"“”'}
    return Words(tuple(known), _SPECIALS), known
