"""Command-line arguments of the speaker. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Overwrite, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Say:
    """Say a text by the speaker, a formant synthesiser that was not trained: the data of the recipes of speech.

    Words that are not in its lexicon come from pocketsphinx's dictionary (extra seq-models[speech]), or are written as
    phonemes: seq-models say "hello [W ER L D]" --out hello.wav
    """

    text: Annotated[str, Positional, arg(help_behavior_hint="")]
    """Words, digits, or phonemes of ARPAbet in brackets."""
    out: Annotated[Path, arg(metavar="FILE.wav", help_behavior_hint="")]
    """WAV file to write."""
    picture: Annotated[Path | None, by_default("FILE.png", "none")] = None
    """Draw the spectrogram, with the borders of phonemes and the pitch."""
    voice: Annotated[int | None, by_default("N", "a man's voice")] = None
    """Number of a random voice."""
    channel: Annotated[int | None, by_default("N", "none")] = None
    """Number of a random room, microphone and line."""
    pitch: Annotated[float | None, by_default("HZ", "the voice's")] = None
    """Mean pitch, 60 to 400 Hz."""
    size: Annotated[float | None, by_default("X", "the voice's")] = None
    """Factor of all formants: 1 a man, 1.17 a woman, 1.3 a child."""
    speed: Annotated[float | None, by_default("X", "the voice's")] = None
    """Speak so many times as fast."""
    rate: Annotated[int, arg(metavar="HZ")] = 16_000
    """Samples a second, 8000 to 48000."""
    seed: Annotated[int, arg(metavar="N")] = 0
    """Random seed; change it for another melody and other durations."""
    overwrite: Overwrite = False


COMMANDS = {"say": Command(Say, "torchworks.seq_models.sound.use:say_text")}
