"""Command-line arguments of speech synthesis. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Speak:
    """Speak a text by a run of `speak` or `speak-tacotron`, into a WAV file.

    Words that the lexicon does not have come from pocketsphinx's dictionary (extra seq-models[speech]), or are written
    as phonemes: seq-models speak RUN "hello [W ER1 L D]" --out hello.wav. A comma is a short silence.
    """

    run: Run
    text: Annotated[str, Positional, arg(help_behavior_hint="")]
    """Words, digits, or phonemes of ARPAbet in brackets."""
    out: Annotated[Path, arg(metavar="FILE.wav", help_behavior_hint="")]
    """WAV file to write."""
    picture: Annotated[Path | None, by_default("FILE.png", "none")] = None
    """Draw the spectrogram beside that of the speaker itself, and a Tacotron's attention."""
    vocoder: Annotated[Path | None, by_default("RUN", "Griffin-Lim")] = None
    """Run of `vocode` that makes the sound of the spectrogram."""
    speed: Annotated[float, arg(metavar="X")] = 1.0
    """Speak so many times as fast, 0.5 to 2 (FastSpeech)."""
    pitch: Annotated[float, arg(metavar="SEMITONES")] = 0.0
    """Raise the voice, -12 to 12 (FastSpeech). The training sentences span some five semitones; far from these the
    spectrogram is a guess."""
    voice: Annotated[int, arg(metavar="N")] = 1
    """Which of the voices of its data speaks."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Loop:
    """Text to speech to text: speak new sentences by a run, and count the words that are understood.

    Listeners are pocketsphinx, whose only words are the ten digits, and a run of `recognise`. The same sentences said
    by the speaker that the training data come from, and by Griffin-Lim or the vocoder from its true spectrograms, stand
    beside.
    """

    run: Run
    recogniser: Annotated[Path | None, by_default("RUN", "none"), Positional] = None
    """Run of `recognise` that listens too."""
    vocoder: Annotated[Path | None, by_default("RUN", "Griffin-Lim")] = None
    """Run of `vocode` that makes the sound of the spectrograms."""
    n: Annotated[int, arg(metavar="N")] = 50
    """Number of sentences, of two to six digits each; none is in the training data."""
    shown: Annotated[int, arg(metavar="N")] = 5
    """Number of sentences to print."""
    device: Device = "auto"


COMMANDS = {
    "speak": Command(Speak, "torchworks.seq_models.synthesis.use:speak"),
    "loop": Command(Loop, "torchworks.seq_models.synthesis.use:loop"),
}
