"""What a finished model needs to be used without its training code: a predictor, its signature, a golden example.

    predictor = load_predictor(Path("runs/gans/dcgan-digits/001"))
    predictor.signature.check({"latent": latent})
    images = predictor(latent)

A folder holds `model.json` (see `manifest.py`), `model.safetensors`, `golden.safetensors` and perhaps
`samples.safetensors`, test data by which an exported copy can be judged, and further files, such as a tokenizer.
Nothing in it is code: `model.json` names a builder, a function from a configuration to a `Predictor` that an installed
package offers in the entry-point group `torchworks.builders`. A builder with a second parameter, `files`, gets the
contents of the further files by their names.
"""

import copy
import inspect
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from torchworks.shared.config import UserError, nearest, to_dict
from torchworks.shared.data import Dataset, Source, nbytes
from torchworks.shared.data.dataset import collate
from torchworks.shared.models.denoising import DenoisingSpec
from torchworks.shared.models.generation import GenerationSpec
from torchworks.shared.models.manifest import (
    FORMAT,
    GOLDEN,
    MANIFEST,
    SAMPLES,
    TAKEN,
    WEIGHTS,
    DataEntry,
    FileEntry,
    Manifest,
    read_manifest,
)
from torchworks.shared.models.signature import Signature, TensorSpec, check_name
from torchworks.shared.training.checkpoint import sync, write_tensors
from torchworks.shared.training.guard import TrainingFailed

__all__ = ["Manifest", "Predictor", "Signature", "TensorSpec", "check_golden", "load_predictor", "save_model"]

BUILDERS = "torchworks.builders"
SAMPLE_BYTES = 1 << 26
"""Most that the samples of a model may take."""


class Predictor(nn.Module):
    """A trained `net` with everything around it that turns inputs as users have them into answers.

    Subclasses extend `forward` by tensor operations only (normalize, net, softmax), so that it exports whole.
    """

    generation: GenerationSpec | None = None
    """Set for a model that generates text (`generator.py`)."""
    denoising: DenoisingSpec | None = None
    """Set for a diffusion model of which one step is exported (`denoiser.py`)."""
    exported_with_gradients = True
    """False where `forward` has a scan over time by which gradients cannot pass, as one that chooses by `argmax`."""

    def __init__(self, net: nn.Module, signature: Signature):
        super().__init__()
        self.net, self.signature = net, signature

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The outputs in the signature's order; a single one by itself."""
        return self.net(*inputs)

    @torch.no_grad()
    def predict(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """`forward` in evaluation mode by names, with inputs and outputs checked against the signature."""
        sizes = self.signature.check(inputs)
        answers = self.eval()(*(inputs[spec.name] for spec in self.signature.inputs))
        answers = answers if isinstance(answers, tuple) else (answers,)
        outputs = dict(zip((spec.name for spec in self.signature.outputs), answers, strict=True))
        self.signature.check_outputs(outputs, sizes)
        return outputs

    @property
    def graph_inputs(self) -> list[str]:
        """Names of what `forward` takes, in their order."""
        return [spec.name for spec in self.signature.inputs]

    @property
    def graph_shapes(self) -> list[tuple[int | str, ...]]:
        """The shapes of `graph_inputs`."""
        return [spec.shape for spec in self.signature.inputs]

    @property
    def graph_outputs(self) -> list[str]:
        """Names of what `forward` gives, in their order."""
        return [spec.name for spec in self.signature.outputs]

    def continued(self, inputs: Mapping[str, Tensor], tokens: Tensor | None = None) -> dict[str, Tensor]:
        """More of the golden example, for a model that generates text; see `Generator`."""
        return {}


# -------------------------------------------------------------------------------------------------- save


def save_model(
    folder: Path,
    predictor: Predictor,
    *,
    package: str,
    recipe: str,
    builder: str,
    config: dict[str, Any],
    golden: dict[str, Tensor],
    preprocessing: dict[str, Any] | None = None,
    labels: Sequence[str] = (),
    data: Iterable[Source] = (),
    samples: dict[str, Tensor] | None = None,
    targets: dict[str, Tensor] | None = None,
    files: Mapping[str, bytes] | None = None,
    tolerance: float = 1e-4,
) -> None:
    """Write `predictor` into `folder`, after the copy just written was loaded and replayed the golden example.

    `golden` are example inputs by name, on any device; their outputs are computed here. `samples` are inputs that the
    model has not learnt from, `targets` what the outputs of that name should be: class numbers (N,) or sets of labels
    (N, K) for probabilities, pixels for images (see `samples_of`). `files` are kept beside the weights and go into
    bundles, such as {"tokenizer.json": tokenizer.to_json()}. Raises `UserError` if the model does not fit its signature
    or does not load and replay, or a file has a name that is taken, and `TrainingFailed` if the disk refuses it.
    """
    files = _checked_names(files or {})
    predictor = copy.deepcopy(predictor).cpu().float()
    golden = {name: value.detach().cpu() for name, value in golden.items()}
    tensors = {
        WEIGHTS: predictor.net.state_dict(),
        GOLDEN: _prefixed("input", golden)
        | _prefixed("output", predictor.predict(golden))
        | predictor.continued(golden),
    }
    if samples:
        tensors[SAMPLES] = _prefixed("input", samples) | _prefixed("target", targets or {})
    aside = folder / ".writing-model"
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        entries = tuple(_write_tensors(aside / name, content) for name, content in tensors.items())
        entries += tuple(_write_bytes(aside / name, content) for name, content in files.items())
        manifest = Manifest(
            FORMAT, package, recipe, builder, config, predictor.signature,
            preprocessing or {}, tuple(labels), tolerance, str(torch.__version__), entries,
            tuple(DataEntry(source.name, source.licence) for source in data), predictor.generation,
        )  # fmt: skip
        (aside / MANIFEST).write_text(json.dumps(to_dict(manifest), indent=2) + "\n", encoding="utf-8")
        check_golden(aside)
        for name in (*tensors, *files, MANIFEST):  # the manifest last: it tells whether the others are its own
            sync(aside / name)
            (aside / name).replace(folder / name)
        sync(folder)
    except (OSError, SafetensorError) as error:
        raise TrainingFailed(
            f"The model could not be written to {folder}: {error}. Free disk space or fix the permissions there; the "
            "weights are in the newest checkpoint."
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _checked_names(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    for name in files:
        check_name("file name", name.lower())
        if name.lower() in TAKEN:
            raise UserError(
                f"A model cannot be saved with a file called {name}, as runs and bundles have one themselves."
            )
    return files


def samples_of(dataset: Dataset) -> dict[str, Tensor]:
    """The fields of `dataset`, of as many rows as may be kept with a model, evenly spread; (M, …) each, ragged ones
    padded and with their lengths, as in a batch."""
    row = max(sum(value.nbytes for value in dataset[0].values()), nbytes(dataset) // len(dataset))
    count = max(1, min(len(dataset), SAMPLE_BYTES // row))
    return collate([dataset[i * len(dataset) // count] for i in range(count)], dataset.schema)


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _write_bytes(path: Path, content: bytes) -> FileEntry:
    path.write_bytes(content)
    return FileEntry.of(path)


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> FileEntry:
    write_tensors(path, {key: value.detach().clone().contiguous() for key, value in tensors.items()})
    return FileEntry.of(path)


# -------------------------------------------------------------------------------------------------- load


def load_predictor(folder: Path) -> Predictor:
    """The predictor saved in `folder`, verified, on the CPU in evaluation mode. Raises `UserError` for a folder
    without a model, damaged or foreign files, a builder that is not installed, and weights that do not fit."""
    manifest = read_manifest(folder)
    for entry in manifest.files:
        entry.verify(folder)
    predictor = _checked(build_predictor(manifest, folder), manifest, folder)
    try:
        predictor.net.load_state_dict(_read_tensors(folder / WEIGHTS, manifest))
    except RuntimeError as error:
        raise UserError(
            f"The weights in {folder} do not fit the model that '{manifest.builder}' builds: {error} "
            "They were saved by another version of the package; install that one, or train again."
        ) from error
    return predictor.eval()


def _read_tensors(path: Path, manifest: Manifest) -> dict[str, Tensor]:
    if path.name not in {entry.name for entry in manifest.files}:
        raise UserError(f"{path.parent / MANIFEST} does not name {path.name}, so it cannot be verified or used.")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path} is not a safetensors file: {error}.") from error


def read_files(folder: Path) -> dict[str, bytes]:
    """The files that the model in `folder` was saved with besides, verified, by their names. Raises `UserError`."""
    manifest = read_manifest(folder)
    for entry in manifest.extra:
        entry.verify(folder)
    return {entry.name: (folder / entry.name).read_bytes() for entry in manifest.extra}


def build_predictor(manifest: Manifest, folder: Path) -> Predictor:
    """What the manifest's builder makes of its configuration and, if it takes them, the further files in `folder`.
    Weights are as they are drawn. Raises `UserError`."""
    build = find_builder(manifest.builder, manifest.package)
    try:
        return build(manifest.config, read_files(folder)) if takes_files(build) else build(manifest.config)
    except (KeyError, TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(
            f"The builder '{manifest.builder}' cannot use the configuration in {folder / MANIFEST}: {error!r}."
        ) from error


def takes_files(build: Callable[..., Predictor]) -> bool:
    """Whether a builder has a second parameter, `files`."""
    return "files" in inspect.signature(build).parameters


def _asked(generation: GenerationSpec | None) -> dict[str, Any] | None:
    """What whoever generates by a model relies on: all but how its graph hands on its state, which may change."""
    if generation is None:
        return None
    return {each.name: getattr(generation, each.name) for each in fields(generation) if each.name != "state"}


def _checked(predictor: Predictor, manifest: Manifest, folder: Path) -> Predictor:
    assert isinstance(predictor, Predictor), f"builder {manifest.builder} returned {type(predictor).__name__}"
    built, saved = ((each.signature, _asked(each.generation)) for each in (predictor, manifest))
    if built != saved:
        raise UserError(
            f"The model in {folder} has another signature than '{manifest.builder}' builds now: it was saved by "
            "another version of the package. Install that one, or train again."
        )
    return predictor


def find_builder(name: str, package: str) -> Callable[..., Predictor]:
    """The installed builder `name`; raises `UserError` naming the `package` to install."""
    points = {point.name: point for point in entry_points(group=BUILDERS)}
    if name not in points:
        raise UserError(
            f"No installed package offers the builder '{name}'.{nearest(name, points)} Install the package "
            f"'{package}', which saved this model; installed builders: {', '.join(sorted(points)) or 'none'}."
        )
    return points[name].load()


def check_golden(folder: Path) -> float:
    """Replay the golden example of `folder`; returns the largest difference. Raises `UserError` beyond the
    tolerance that `model.json` states."""
    manifest, predictor = read_manifest(folder), load_predictor(folder)
    golden = _read_tensors(folder / GOLDEN, manifest)
    found = {spec.name: golden.get(f"input.{spec.name}") for spec in manifest.signature.inputs}
    inputs = {name: value for name, value in found.items() if value is not None}
    outputs = _prefixed("output", predictor.predict(inputs)) | predictor.continued(inputs, golden.get("steps.tokens"))
    return max(_compare(name, value, golden, manifest.tolerance, folder) for name, value in outputs.items())


def _compare(name: str, value: Tensor, golden: dict[str, Tensor], tolerance: float, folder: Path) -> float:
    saved = golden.get(name)
    if saved is None or saved.shape != value.shape or saved.dtype != value.dtype:
        raise UserError(f"The golden example in {folder} has no '{name}' as the model makes it.")
    value, saved, name = value.double(), saved.double(), name.removeprefix("output.")
    if not torch.allclose(value, saved, rtol=tolerance, atol=tolerance):
        difference = (value - saved).abs().max().item()
        raise UserError(
            f"The model in {folder} does not replay its golden example: '{name}' differs by {difference:.3g}, allowed "
            f"is {tolerance:g}. Its builder does not rebuild what was saved, or this machine computes differently."
        )
    return (value - saved).abs().max().item()
