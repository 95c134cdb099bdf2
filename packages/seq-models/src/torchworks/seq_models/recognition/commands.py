"""Command-line arguments of recognition. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Transcribe:
    """Write down what is said in sound files, by a run of recognise.

    Prints a line for each file: its name, a tab, the text. WAV and FLAC files of any rate, with any number of channels.
    """

    run: Run
    files: Annotated[tuple[Path, ...], Positional, arg(metavar="FILE.wav", help_behavior_hint="")]
    """Sound files, or folders of them."""
    beams: Annotated[int, arg(metavar="N")] = 16
    """Texts kept at each frame by the beam search with the language model of the training transcripts; 1 takes the
    likeliest letter of each frame and no language model."""
    weight: Annotated[float, arg(metavar="X")] = 0.5
    """Weight of the language model."""
    times: bool = False
    """Also print when each word begins and ends, in seconds."""
    stream: Annotated[float | None, by_default("SECONDS", "the whole file at once")] = None
    """Listen to pieces of this length, as of a microphone, each with a second of context on both sides."""
    out: Annotated[Path | None, by_default("FILE.csv", "none")] = None
    """Also write a table with path and text, which `sounds:FOLDER` reads as transcripts.csv."""
    picture: Annotated[Path | None, by_default("FILE.png", "none")] = None
    """Draw the first file's spectrogram with its words."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"transcribe": Command(Transcribe, "torchworks.seq_models.recognition.use:transcribe")}
