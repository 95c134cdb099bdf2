"""The model of a finished run, and the data by which an exported copy of it is judged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import Tensor, nn

from torchworks.shared.config import UserError
from torchworks.shared.models.denoiser import DenoisingStep
from torchworks.shared.models.manifest import GOLDEN, RESTORE, SAMPLES, Manifest, read_manifest
from torchworks.shared.models.predictor import Predictor, build_predictor, load_predictor
from torchworks.shared.models.signature import Signature, TensorSpec

Arrays = dict[str, np.ndarray]

MOST_SAMPLES = 2048
"""Rows that a model is judged by, at the most."""
DRAWN = 256
"""Rows that are drawn for a model whose inputs are noise and labels."""
OPEN_SIZE = 8
"""What open sizes other than the rows are there."""
CALIBRATION = 4
"""Every so many samples one is for calibration and the others are for scoring."""


@dataclass(frozen=True)
class Trained:
    """The model of the run in `folder`."""

    folder: Path
    manifest: Manifest
    predictor: Predictor

    @property
    def signature(self) -> Signature:
        """As it is served."""
        return self.predictor.signature


def open_trained(folder: Path, direction: str | None) -> Trained:
    """The model of the finished run in `folder`, translating in `direction` if one is given. Raises `UserError` for a
    damaged run, a package that is not installed, and a model without directions."""
    manifest, predictor = read_manifest(folder), load_predictor(folder)
    manifest = replace(
        manifest, generation=predictor.generation
    )  # its state may have another form than when it was saved
    if direction is not None:
        if not manifest.config.get("direction"):
            raise UserError(f"The model in {folder} translates in one direction only. Leave out --direction.")
        manifest = replace(manifest, config={**manifest.config, "direction": direction})
        net, predictor = predictor.net, build_predictor(manifest, folder)
        predictor.net = net
    if predictor.denoising is not None:
        predictor = DenoisingStep(predictor).eval()
    return Trained(folder, manifest, predictor)


def parameters(net: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """How many trained numbers the outputs for `inputs` depend on: of a net for two directions, those of one; of a net
    whose weights are all held fast, or whose outputs no gradient comes from, all."""
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if not trained:
        return sum(parameter.numel() for parameter in net.parameters())
    with torch.enable_grad():
        outputs = net(*inputs)
        learned = [o.sum() for o in (outputs if isinstance(outputs, tuple) else (outputs,)) if o.requires_grad]
        if not learned:
            return sum(parameter.numel() for parameter in trained)
        gradients = torch.autograd.grad(learned, trained, allow_unused=True)
    return sum(parameter.numel() for parameter, found in zip(trained, gradients, strict=True) if found is not None)


# ---- samples ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Samples:
    """Rows of inputs and, where they are known, what the outputs should be (`targets`). `origin` says in words where
    they are from."""

    inputs: Arrays
    targets: Arrays
    origin: str

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def rows(self, chosen: np.ndarray | slice) -> "Samples":
        """Those that an index chooses."""
        inputs, targets = ({k: v[chosen] for k, v in part.items()} for part in (self.inputs, self.targets))
        return Samples(inputs, targets, self.origin)

    def batches(self, size: int) -> list[Arrays]:
        """The inputs, `size` rows at a time."""
        return [self.rows(slice(i, i + size)).inputs for i in range(0, len(self), size)]

    def split(self) -> tuple["Samples", "Samples"]:
        """For scoring, and for calibration; the same rows only where there are too few to share."""
        if len(self) < 2 * CALIBRATION:
            return self, self
        calibration = np.arange(len(self)) % CALIBRATION == CALIBRATION - 1
        return self.rows(~calibration), self.rows(calibration)


def open_samples(trained: Trained) -> Samples:
    """The test data that the run kept; else noise and labels for a generator, and for others the golden example."""
    named = {entry.name: entry for entry in trained.manifest.files}
    specs = trained.signature.inputs
    if SAMPLES in named:
        named[SAMPLES].verify(trained.folder)
        samples = _completed(_read(trained.folder / SAMPLES, "test data of the run"), specs)
        return samples.rows(np.linspace(0, len(samples) - 1, min(len(samples), MOST_SAMPLES)).astype(int))
    if all(spec.kind in ("latent", "label") or spec.default is not None for spec in specs):
        random = np.random.default_rng(0)
        return Samples({spec.name: _draw(spec, random) for spec in specs}, {}, "noise drawn for this")
    return _completed(_read(trained.folder / GOLDEN, "the run's golden example, for it kept no test data"), specs)


def _completed(samples: Samples, specs: Sequence[TensorSpec]) -> Samples:
    """With the inputs that a service may be given besides, such as how many steps an image is drawn in."""
    missing = [spec for spec in specs if spec.default is not None and spec.name not in samples.inputs]
    more = {spec.name: np.full(len(samples), spec.default, spec.dtype) for spec in missing}
    return Samples(samples.inputs | more, samples.targets, samples.origin)


def _read(path: Path, origin: str) -> Samples:
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read: {error}. {RESTORE}") from error
    inputs, targets = (
        {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        for prefix in ("input.", "target.")
    )
    return Samples(inputs, targets, origin)


def _draw(spec: TensorSpec, random: np.random.Generator) -> np.ndarray:
    shape = (DRAWN, *(size if isinstance(size, int) else OPEN_SIZE for size in spec.shape[1:]))
    if spec.default is not None:
        return np.full(shape, spec.default, spec.dtype)
    if spec.kind == "label":
        return (np.arange(DRAWN) % max(1, len(spec.labels))).astype(spec.dtype)
    if spec.low is not None and spec.high is not None:
        return random.uniform(spec.low, spec.high, shape).astype(spec.dtype)
    return random.standard_normal(shape).astype(spec.dtype)


def drawn_by(spec: TensorSpec) -> str:
    """The distribution of a latent input: uniform where it has limits, else normal."""
    return "normal" if spec.low is None or spec.high is None else "uniform"


def tensors_of(signature: Signature, arrays: Arrays, rows: int) -> tuple[Tensor, ...]:
    """The first `rows` of inputs as `forward` takes them."""
    return tuple(torch.from_numpy(arrays[spec.name][:rows].copy()) for spec in signature.inputs)
