"""Command-line arguments of music. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default

Seed = Annotated[int, arg(metavar="N")]


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Compose:
    """Write pieces of music: of each a MIDI file, its sound as WAV, and a picture of its notes.

    Prints how often the pieces break rules of writing for four voices, and how often the run's test pieces do.
    """

    run: Run
    n: Annotated[int, arg(metavar="N")] = 1
    """Number of pieces."""
    length: Annotated[int, arg(metavar="N")] = 64
    """Frames of a piece: quarter notes, unless the run read finer ones."""
    temperature: Annotated[float, arg(metavar="X")] = 1.0
    """Below 1 the model takes what is probable more often; 0: always."""
    tempo: Annotated[float, arg(metavar="X")] = 84.0
    """Quarter notes a minute."""
    seed: Seed = 0
    """Change it for different pieces."""
    out: Annotated[Path | None, by_default("DIR", "RUN/compositions")] = None
    """Folder to write 1.mid, 1.wav, 1.png, 2.mid, … to."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Harmonise:
    """Add lower voices to a melody, which stays exactly as it is.

    Of several notes at a time the highest is the melody. Writes a MIDI file, and beside it its sound as WAV and a
    picture of its notes.
    """

    run: Run
    melody: Annotated[Path, Positional, arg(metavar="MELODY.mid")]
    """MIDI file with the melody."""
    particles: Annotated[int, arg(metavar="N")] = 64
    """Pieces that are tried at the same time; more fit the melody better, and take longer."""
    temperature: Annotated[float, arg(metavar="X")] = 1.0
    """Below 1 the model takes what is probable more often; 0: always."""
    seed: Seed = 0
    """Change it for another harmony."""
    out: Annotated[Path | None, by_default("FILE", "MELODY-harmonised.mid, beside MELODY.mid")] = None
    """MIDI file to write; the sound and the picture get its name, with .wav and .png."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "compose": Command(Compose, "torchworks.seq_models.composing.use:compose"),
    "harmonise": Command(Harmonise, "torchworks.seq_models.composing.use:harmonise"),
}
