"""Command-line arguments of `models`, `tune` and the studies. Imports no torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, arg, configure

from torchworks.cnn_vision.classification.config import ClassifierConfig, TransferConfig
from torchworks.cnn_vision.classification.recipes import study, transfer
from torchworks.shared.cli import Command
from torchworks.shared.options import by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Models:
    """List the architectures that --model accepts, with their sizes."""

    parity: bool = False
    """Also measure the difference of each classifier from torchvision's net with the same weights. Takes minutes and up
    to 6 GB."""
    readme: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also write the table of classifiers into a Markdown file, between the lines <!-- models --> and
    <!-- /models -->."""
    add: bool = False
    """With --parity and --readme: measure only the classifiers that the file's table lacks, and keep its other rows."""


@dataclass(frozen=True)
class Tune:
    """Search learning rate, weight decay and augmentation with Optuna; poor settings are stopped early.

    Writes every trial, tune.json and tune.png. A search that was stopped continues with the same --out.
    """

    config: Annotated[ClassifierConfig, arg(name="")] = field(default_factory=study)
    trials: Annotated[int, arg(metavar="N")] = 24
    """Number of settings to try."""
    out: Annotated[Path | None, by_default("DIR", "the next runs/cnn-vision/tune-…")] = None
    """Folder to write to."""


@dataclass(frozen=True)
class StudyAugmentation:
    """Train the same net with each augmentation, over several seeds, and print a table with the spread.

    Writes every run, study.json, study.md and study.png. A study that was stopped continues with the same --out.
    """

    config: Annotated[ClassifierConfig, arg(name="")] = field(default_factory=study)
    seeds: Annotated[int, arg(metavar="N")] = 3
    """Number of seeds, from 0 on."""
    out: Annotated[Path | None, by_default("DIR", "the next runs/cnn-vision/study-augmentation-…")] = None
    """Folder to write to."""


@dataclass(frozen=True)
class StudyTransfer:
    """Fine-tune the same pretrained net in each way, over several seeds, and print a table with the spread.

    Without --pretrained the net is first trained on --pretrain-classes. Writes what study-augmentation writes.
    """

    config: Annotated[TransferConfig, arg(name="")] = field(default_factory=transfer)
    seeds: Annotated[int, arg(metavar="N")] = 3
    """Number of seeds, from 0 on."""
    out: Annotated[Path | None, by_default("DIR", "the next runs/cnn-vision/study-transfer-…")] = None
    """Folder to write to."""


COMMANDS = {
    "models": Command(Models, "torchworks.cnn_vision.studies.model_table:print_models"),
    "tune": Command(Tune, "torchworks.cnn_vision.studies.tune:tune"),
    "study-augmentation": Command(StudyAugmentation, "torchworks.cnn_vision.studies.seeds:study_augmentation"),
    "study-transfer": Command(StudyTransfer, "torchworks.cnn_vision.studies.seeds:study_transfer"),
}
