"""What the commands of this package can be told. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.cnn_vision.anomaly.commands import COMMANDS as ANOMALY_COMMANDS
from torchworks.cnn_vision.autoencoders.commands import COMMANDS as AUTOENCODER_COMMANDS
from torchworks.cnn_vision.classification.recipes import study, transfer
from torchworks.cnn_vision.config import ClassifierConfig, TransferConfig
from torchworks.cnn_vision.style.commands import COMMANDS as STYLE_COMMANDS
from torchworks.shared.cli import Command

Run = Annotated[Path, Positional, arg(metavar="RUN", help="Directory of a finished run, as `train` printed it last.")]
Device = Annotated[str, arg(help="auto, cpu, cuda, cuda:N or mps.")]


def _by_default(metavar: str, text: str) -> object:
    """An option that may be left out; `text` says what happens then."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {text})")


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Predict:
    """Tell what is in images, by a finished run: their class or findings, objects and their boxes, or a class of each
    pixel. The last two are also drawn into the images."""

    run: Run
    images: Annotated[tuple[Path, ...], Positional, arg(metavar="IMAGES", help_behavior_hint="")]
    """Image files, or folders of them."""
    top: Annotated[int, arg(metavar="N")] = 3
    """How many classes or findings to name for each image, the likeliest first; what was found is always named."""
    least_score: float = 0.5
    """Objects with a lower score are left out."""
    out: Annotated[Path | None, _by_default("DIR", "RUN/predictions")] = None
    """Folder for the images with boxes, masks or maps drawn into them."""
    csv: Annotated[Path | None, _by_default("FILE", "none")] = None
    """Also write a table: the probability of every class or finding, the objects, or the share of each class."""
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Evaluate:
    """Score a run on its test images or on other data, and write a report.

    Writes evaluation.json, pictures (confusion matrix or ROC curves, calibration, the worst mistakes), and report.html,
    which holds them all. Of a detector: COCO's table; of a segmenter: IoU and Dice of each class.
    """

    run: Run
    data: Annotated[str | None, _by_default("SOURCE", "the run's own test images")] = None
    """All images of another source, such as folder:PATH, with the same class names."""
    out: Annotated[Path | None, _by_default("DIR", "RUN/evaluation")] = None
    """Folder to write to."""
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Explain:
    """Draw what in an image speaks for the class that is read in it, or for a finding (Grad-CAM).

    Without IMAGES: the run's most confident mistakes on its test images, and its surest right answers.
    """

    run: Run
    images: Annotated[tuple[Path, ...], Positional, _by_default("IMAGES", "the run's test images")] = ()
    """Image files, or folders of them."""
    n: Annotated[int, arg(metavar="N")] = 12
    """How many mistakes and how many right answers."""
    out: Annotated[Path | None, _by_default("DIR", "RUN/explanations")] = None
    """Folder to write to."""
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Models:
    """The architectures that --model knows, with their sizes."""

    parity: bool = False
    """Also measure how far each classifier is from torchvision's net with the same weights. Takes minutes and up to
    6 GB."""
    readme: Annotated[Path | None, _by_default("FILE", "none")] = None
    """Also write the table of classifiers into a Markdown file, between the lines <!-- models --> and
    <!-- /models -->."""


@dataclass(frozen=True)
class Tune:
    """Search learning rate, weight decay and augmentation with Optuna; poor settings are stopped early.

    Writes every trial, tune.json and tune.png. A search that was stopped goes on with the same --out.
    """

    config: Annotated[ClassifierConfig, arg(name="")] = field(default_factory=study)
    trials: Annotated[int, arg(metavar="N")] = 24
    """How many settings to try."""
    out: Annotated[Path | None, _by_default("DIR", "the next runs/cnn-vision/tune-…")] = None
    """Folder to write to."""


@dataclass(frozen=True)
class StudyAugmentation:
    """Train the same net with each augmentation, over several seeds, and print a table with the spread.

    Writes every run, study.json, study.md and study.png. A study that was stopped goes on with the same --out.
    """

    config: Annotated[ClassifierConfig, arg(name="")] = field(default_factory=study)
    seeds: Annotated[int, arg(metavar="N")] = 3
    """How many seeds, from 0 on."""
    out: Annotated[Path | None, _by_default("DIR", "the next runs/cnn-vision/study-augmentation-…")] = None
    """Folder to write to."""


@dataclass(frozen=True)
class StudyTransfer:
    """Fine-tune the same pretrained net in each way, over several seeds, and print a table with the spread.

    Without --pretrained the net is first trained on --pretrain-classes. Writes what study-augmentation writes.
    """

    config: Annotated[TransferConfig, arg(name="")] = field(default_factory=transfer)
    seeds: Annotated[int, arg(metavar="N")] = 3
    """How many seeds, from 0 on."""
    out: Annotated[Path | None, _by_default("DIR", "the next runs/cnn-vision/study-transfer-…")] = None
    """Folder to write to."""


COMMANDS = {
    "models": Command(Models, "torchworks.cnn_vision.studies.model_table:print_models"),
    "predict": Command(Predict, "torchworks.cnn_vision.inference.predict:predict"),
    "explain": Command(Explain, "torchworks.cnn_vision.inference.explain:explain"),
    "evaluate": Command(Evaluate, "torchworks.cnn_vision.classification.evaluate:evaluate"),
    "tune": Command(Tune, "torchworks.cnn_vision.studies.tune:tune"),
    "study-augmentation": Command(StudyAugmentation, "torchworks.cnn_vision.studies.seeds:study_augmentation"),
    "study-transfer": Command(StudyTransfer, "torchworks.cnn_vision.studies.seeds:study_transfer"),
    **ANOMALY_COMMANDS,
    **AUTOENCODER_COMMANDS,
    **STYLE_COMMANDS,
}
