"""Command-line arguments of voice detection. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default

Sounds = Annotated[tuple[Path, ...], Positional, arg(metavar="FILES", help_behavior_hint="")]


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class DetectSpeech:
    """Find when somebody speaks in sounds, with a run of `detect-speech`.

    Prints a line for each segment: its start and end in seconds, with a tab between, as Audacity reads labels; of
    several files the file's name before. Files that cannot be read are named at the end, once all others are done; the
    exit code is 2 then.
    """

    run: Run
    files: Sounds
    """WAV or FLAC files."""
    threshold: Annotated[float | None, by_default("P", "that of the fewest errors on held-out sounds")] = None
    """Probability from which on speech begins; it lasts until 0.6 times that."""
    shortest: Annotated[float, arg(metavar="SECONDS")] = 0.08
    """Shorter segments are none."""
    gap: Annotated[float, arg(metavar="SECONDS")] = 0.15
    """Shorter gaps within speech are filled."""
    picture: Annotated[Path | None, by_default("FILE.png", "none")] = None
    """Draw the sound, the probability of speech and the segments of the only file."""
    out: Annotated[Path | None, by_default("FILE.json", "none")] = None
    """Also write the segments of each file."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"detect-speech": Command(DetectSpeech, "torchworks.seq_models.voice_detection.use:detect_speech")}
