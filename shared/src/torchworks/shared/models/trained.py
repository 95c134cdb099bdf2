"""A trained model as an experiment describes it; the runner saves it when training has ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from torchworks.shared.config import Config
from torchworks.shared.data import Dataset, Source
from torchworks.shared.models.predictor import Predictor, find_builder, samples_of, save_model, takes_files


@dataclass(kw_only=True)
class TrainedModel:
    """What becomes of `net` once it is trained: `builder` makes a predictor from `config`, `net` is put into it.

    `net` is one of the task's exported nets, or holds one. Without `golden` the first two rows kept of `test` are the
    golden example.
    """

    builder: str
    """Name of an entry point in the group `torchworks.builders`."""
    config: dict[str, Any]
    """What the builder rebuilds the predictor from, as plain data."""
    net: nn.Module
    complete: Callable[[], dict[str, Any]] = dict
    """More of `config`, known only after training, such as thresholds chosen on the validation part."""
    golden: dict[str, Tensor] = field(default_factory=dict)
    """Example inputs by name, at least one row."""
    test: Dataset | None = None
    """Rows that the model has not learnt from; some are kept, by which an export can be judged (see `samples_of`)."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Input → the field of `test` that it takes."""
    targets: dict[str, str] = field(default_factory=dict)
    """Output → the field of `test` that it should equal."""
    labels: tuple[str, ...] = ()
    """Class names."""
    preprocessing: dict[str, Any] | None = None
    """What an image file goes through to become an input; None: resized to the input's size, 0 to 255."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Contents of further files to keep with the model, by name, such as a tokenizer; a builder with a parameter
    `files` gets them."""
    tolerance: float = 1e-4
    """Largest difference that replaying the golden example may show."""
    place: str = ""
    """Sub-folder of the run, for a second model of one run."""

    def save(self, folder: Path, config: Config, sources: tuple[Source, ...]) -> None:
        """Write `model.json` and the weights to the run directory `folder` of `config`."""
        completed = {**self.config, **self.complete()}
        build = find_builder(self.builder, config.package)
        predictor = build(completed, self.files) if takes_files(build) else build(completed)
        predictor.net = self.net
        kept = {} if self.test is None else samples_of(self.test)
        samples = {name: kept[item] for name, item in self.inputs.items()}
        save_model(
            folder / self.place,
            predictor,
            package=config.package,
            recipe=config.recipe,
            builder=self.builder,
            config=completed,
            golden=self.golden or {name: value[:2] for name, value in samples.items()},
            preprocessing=image_preprocessing(predictor) if self.preprocessing is None else self.preprocessing,
            labels=self.labels,
            data=sources,
            samples=samples,
            targets={name: kept[item] for name, item in self.targets.items()},
            files=self.files,
            tolerance=self.tolerance,
        )


def image_preprocessing(predictor: Predictor) -> dict[str, Any]:
    """For each image input (N, C, S, S) in bytes: resized to S, grey or color."""
    return {
        spec.name: {"size": spec.shape[-1], "mode": "L" if spec.shape[1] == 1 else "RGB", "range": [0, 255]}
        for spec in predictor.signature.inputs
        if spec.kind == "image"
    }
