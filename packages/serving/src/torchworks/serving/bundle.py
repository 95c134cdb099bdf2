"""A bundle: a folder with a model, ready to be served, and everything that is known about it.

    bundle = open_bundle(Path("bundles/classify-digits"))     # every file that is used is compared with its hash
    bundle.manifest.signature

| file | content |
|---|---|
| `serving.json` | the `BundleManifest` below |
| `model.onnx`, `model.pt2`, `model.ts` or `model.safetensors` with `model.json` | the model |
| `golden.safetensors` | example inputs and the outputs that they must give |
| `reference.json` | how inputs and outputs are spread over test data, to notice drift by |
| others, such as `tokenizer.json` | what the run was saved with besides, such as the tokenizer of a text |
| `PARITY.md` | how the exported model compares with the one that was trained: outputs, size, speed, score |

Imports no torch.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from torchworks.serving.formats import MODEL_FILES, Format
from torchworks.shared.config import UserError, from_dict, nearest
from torchworks.shared.models.denoising import PREDICTED, DenoisingSpec
from torchworks.shared.models.generation import GenerationSpec
from torchworks.shared.models.manifest import GOLDEN, RESTORE, DataEntry, FileEntry, Manifest, unreadable
from torchworks.shared.models.signature import Signature, check_name
from torchworks.shared.text import Tokenizer, from_json, tokenizer_files

FORMAT = 1
LONGEST_NAME = 64
BUNDLE, PARITY, REFERENCE = "serving.json", "PARITY.md", "reference.json"


@dataclass(frozen=True)
class BundleManifest:
    """The content of `serving.json`.

    `name` and `version` are the model's address in a service; the version is made from the hash of the model's file.
    `source` is the SHA-256 of the `model.json` that it was exported from. `direction` is set for a model that could
    translate the other way too. `defaults` are the inputs that may be left out, and the distribution, "normal" or
    "uniform", that they are then drawn from. `max_rows` is the largest batch that was run at export.

    `score` names what the model was judged by; `scores` has it as trained ("eager") and as exported ("exported"), each
    over `scored` samples. `parity` has the figures of `PARITY.md`: differences of outputs, and for each model that was
    compared its size in bytes, its seconds to load and its speed (no times if none were measured). `machine` is where
    they were measured. `versions` are those of the libraries that made the files; `instructions` are the CPU's that
    compiled code needs; `legacy` marks formats that PyTorch is about to drop. The golden example replays within
    `tolerance`, absolute plus relative. `generation` is set for a model that generates text, `denoising` for a
    diffusion model of which the file is one step.
    """

    format: int
    name: str
    version: str
    created: str
    form: Format
    package: str
    recipe: str
    builder: str
    signature: Signature
    tolerance: float
    files: tuple[FileEntry, ...]
    legacy: bool = False
    quantize: str = ""
    pruned: float = 0.0
    source: str = ""
    direction: str = ""
    defaults: dict = field(default_factory=dict)
    max_rows: int = 32
    preprocessing: dict = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    score: str = ""
    scored: int = 0
    scores: dict = field(default_factory=dict)
    parity: dict = field(default_factory=dict)
    machine: str = ""
    data: tuple[DataEntry, ...] = ()
    versions: dict = field(default_factory=dict)
    instructions: tuple[str, ...] = ()
    generation: GenerationSpec | None = None
    denoising: DenoisingSpec | None = None

    @property
    def graph_inputs(self) -> list[str]:
        """What the model's file takes, in its order: the inputs of the signature, of a generator, or of a step."""
        if self.denoising is not None:
            return self.denoising.graph_inputs
        if self.generation is None:
            return [spec.name for spec in self.signature.inputs]
        return ["tokens", "length", *self.generation.inputs]

    @property
    def graph_outputs(self) -> list[str]:
        """What the model's file gives, in its order."""
        if self.denoising is not None:
            return [PREDICTED]
        names = [spec.name for spec in self.signature.outputs]
        return names if self.generation is None else [*names, *self.generation.outputs]

    def feed(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Inputs of the signature as the model's file takes them: texts or images that begin."""
        if self.denoising is not None:
            return self.denoising.beginning(inputs)
        return inputs if self.generation is None else self.generation.beginning(inputs)

    def __post_init__(self) -> None:
        for name in ("version", "package", "recipe", "builder"):
            check_name(name, getattr(self, name))
        check_model_name(self.name)


def check_model_name(name: str) -> None:
    """Raise `UserError` unless `name` can stand in an address."""
    check_name("model's name", name)
    if len(name) > LONGEST_NAME:
        raise UserError(f"The model's name '{name}' has {len(name)} letters; at most {LONGEST_NAME} are allowed.")


@dataclass(frozen=True)
class Bundle:
    """A folder whose files are those that its manifest names."""

    folder: Path
    manifest: BundleManifest

    @property
    def model(self) -> Path:
        return self.folder / MODEL_FILES[self.manifest.form]

    def golden(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Example inputs, and the outputs that the model must give for them."""
        try:
            tensors = load_file(self.folder / GOLDEN)
        except (OSError, SafetensorError) as error:
            raise UserError(f"{self.folder / GOLDEN} cannot be read: {error}. {RESTORE}") from error
        return _part(tensors, "input."), _part(tensors, "output.")

    def golden_steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Of a generator: the tokens (N, K) that follow the golden example, and the logits (N, K + 1, V) that must come
        before and after each."""
        steps = _part(load_file(self.folder / GOLDEN), "steps.")
        if steps.keys() != {"tokens", "logits"}:
            raise UserError(f"{self.folder / GOLDEN} has no steps of generation to replay. {RESTORE}")
        return steps["tokens"], steps["logits"]

    def tokenizers(self) -> dict[str, Tokenizer]:
        """Those that the model's preprocessing names, by their files. Raises `UserError` for one that is not there or
        cannot be read."""
        return tokenizers_of(self.folder, self.manifest)

    def reference(self) -> dict[str, Any]:
        """How inputs and outputs were spread over test data; empty if that is not known. Raises `UserError` for a file
        that cannot be read."""
        if not any(entry.name == REFERENCE for entry in self.manifest.files):
            return {}
        try:
            return json.loads((self.folder / REFERENCE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{self.folder / REFERENCE} cannot be read: {error}. {RESTORE}") from error


def tokenizers_of(folder: Path, manifest: BundleManifest | Manifest) -> dict[str, Tokenizer]:
    """The tokenizers of a bundle or a run in `folder`, by the names of their files. Raises `UserError` for one that is
    not there or cannot be read."""
    named, found = {entry.name for entry in manifest.files}, {}
    generating = {manifest.generation.tokenizer} if manifest.generation else set()
    for name in sorted({*tokenizer_files(manifest.preprocessing).values()} | generating):
        if name not in named:
            raise UserError(f"The model in {folder} names the tokenizer {name}, which it lacks. {RESTORE}")
        found[name] = from_json((folder / name).read_bytes(), f"file {folder / name}")
    return found


def _part(tensors: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def open_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`, after each of its files was compared with its hash. Raises `UserError` for a folder that
    is none, is damaged, or is of a newer format."""
    bundle = Bundle(folder, read_bundle(folder))
    named = {entry.name for entry in bundle.manifest.files}
    for needed in (bundle.model.name, GOLDEN):
        if needed not in named:
            raise UserError(f"{folder / BUNDLE} does not name {needed}, so it cannot be verified or used. {RESTORE}")
    for entry in bundle.manifest.files:
        entry.verify(folder, BUNDLE)
    return bundle


def read_bundle(folder: Path) -> BundleManifest:
    """`serving.json` of `folder`; raises `UserError` if it is missing, damaged or of a newer format."""
    path = folder / BUNDLE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise _no_bundle(folder) from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    found = values.get("format") if isinstance(values, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise UserError(f"{path} has format {found}, but this version reads format {FORMAT}: update Torchworks.")
    return from_dict(BundleManifest, values, where=f"file {path}")


def _no_bundle(folder: Path) -> UserError:
    if folder.is_file():
        return UserError(f"{folder} is a file, and a bundle is a folder: give the one with {BUNDLE} in it.")
    if not folder.exists():
        near = nearest(folder.name, [path.name for path in folder.parent.glob("*")])
        return UserError(f"There is no folder {folder}.{near} Make a bundle of a finished run by `serving export RUN`.")
    inside = sorted(path.parent for path in folder.glob(f"*/{BUNDLE}"))
    if inside:
        return UserError(f"{folder} contains bundles but is not one itself. Did you mean {inside[-1]}?")
    return UserError(
        f"There is no bundle in {folder}: it has no {BUNDLE}. Make one of a finished run by `serving export RUN`."
    )
