"""The source of a module for one model, for editors and type checkers. Imports no torch."""

import keyword
import re

from torchworks.serving import output_kinds
from torchworks.serving.bundle import BundleManifest
from torchworks.shared.models.signature import TensorSpec


def stub(manifest: BundleManifest) -> str:
    """The source of a module with a class for this model alone, whose `predict` names its inputs, their classes and
    the type of its rows, for editors and type checkers."""
    inputs, outputs = manifest.signature.inputs, manifest.signature.outputs
    told, found = list(output_kinds.answered(manifest.signature)), output_kinds.detections(manifest.signature)
    ranked = output_kinds.ranking(manifest.signature)
    latent = any(spec.kind == "latent" for spec in inputs)
    seeds = list(manifest.signature.more_latents)
    drawn = ["seed: int | None = None", "n: int | None = None"] if latent else []
    drawn += [f"{_identifier(name)}: int | None = None" for name in seeds]
    wanted = ["least_score: float | None = None"] if found else []
    optional = any(spec.kind == "latent" or spec.default is not None for spec in inputs)
    ordered = sorted(inputs, key=lambda spec: spec.kind == "latent" or spec.default is not None)
    body = CLASS.format(
        name=_class_name(manifest.name),
        model=manifest.name,
        literals="".join(_literal(spec) for spec in inputs if spec.labels and spec.kind != "series"),
        takes=", ".join(map(_written, inputs)),
        gives=", ".join(map(_written, outputs)),
        given=", ".join([*(_parameter(spec, latent) for spec in ordered), *drawn, *wanted]),
        row=_row_type(told[0], found, ranked) if len(told) == 1 else "dict[str, Any]",
        inputs=", ".join(f"{name!r}: {_identifier(name)}" for name in (*(spec.name for spec in inputs), *seeds)),
        sent="{name: value for name, value in inputs.items() if value is not None}" if optional else "inputs",
        options=(", seed=seed, n=n" if latent else "") + (", least_score=least_score" if found else ""),
    )
    title = f'"""The model {manifest.name}, version {manifest.version}. Written by torchworks.serving.client.stub."""'
    return "\n".join([title, "", *_imports(body), body])


CLASS = '''
{literals}

@dataclass(frozen=True)
class {name}:
    """{takes} → {gives}."""

    model: Model

    @classmethod
    def at(cls, client: Client) -> "{name}":
        """The model as this service has it."""
        return cls(client.model({model!r}))

    def predict(self, *, {given}) -> Prediction[{row}]:
        """A row for each row of the inputs."""
        inputs: dict[str, Any] = {{{inputs}}}
        return self.model.predict({sent}{options})
'''
IMPORTS = {
    "collections.abc": ("Sequence",),
    "dataclasses": ("dataclass",),
    "pathlib": ("Path",),
    "typing": ("Any", "Literal"),
    "numpy": ("ndarray",),
    "PIL": ("Image",),
    "torchworks.serving.client": (
        "Classification",
        "Client",
        "Detection",
        "Findings",
        "Mask",
        "Model",
        "Picture",
        "Prediction",
        "Ranked",
        "Sound",
    ),
}


def _imports(body: str) -> list[str]:
    """Those that `body` needs."""
    used = {module: [name for name in names if re.search(rf"\b{name}\b", body)] for module, names in IMPORTS.items()}
    return [f"from {module} import {', '.join(names)}" for module, names in used.items() if names]


def _class_name(model: str) -> str:
    name = "".join(part.capitalize() for part in re.split(r"[-._]", model))
    return name if name[0].isalpha() else f"Model{name}"


def _identifier(name: str) -> str:
    """A name of a model or tensor as Python can write it."""
    plain = name.replace("-", "_").replace(".", "_")
    return f"{plain}_" if keyword.iskeyword(plain) or not plain.isidentifier() else plain


def _written(spec: TensorSpec) -> str:
    return f"{spec.name} ({', '.join(map(str, spec.shape))}), {spec.dtype}"


def _literal(spec: TensorSpec) -> str:
    return f"{_identifier(spec.name).capitalize()}Class = Literal[{', '.join(map(repr, spec.labels))}]\n"


def _parameter(spec: TensorSpec, drawn: bool) -> str:
    name, array = _identifier(spec.name), "ndarray"
    if spec.kind == "latent":
        return f"{name}: {array} | None = None"
    if spec.kind == "image":
        return f"{name}: Picture | Sequence[Picture]"
    if spec.kind == "label" and spec.labels:
        one, optional = f"{name.capitalize()}Class | int", " | None = None" if drawn else ""
        return f"{name}: {one} | Sequence[{one}]{optional}"
    if spec.kind in ("audio", "series"):
        one = f"Path | bytes | {array}" if spec.kind == "audio" else f"Path | bytes | dict[str, Any] | {array}"
        return f"{name}: {one} | Sequence[{one}]"
    if spec.kind in ("text", "molecule"):
        return f"{name}: str | Sequence[str]"
    if spec.kind == "id":
        rows = "" if spec.pad is None else " | Sequence[Sequence[str | int]]"
        return f"{name}: str | int | Sequence[str | int]{rows}{'' if spec.default is None else ' | None = None'}"
    if spec.default is not None:
        return f"{name}: {array} | float | None = None"
    return f"{name}: {array}"


def _row_type(spec: TensorSpec, found: output_kinds.Detections | None, ranked: output_kinds.Ranking | None) -> str:
    if found is not None and spec == found.boxes:
        return "list[Detection]"
    if ranked is not None and spec == ranked.label:
        return "list[Ranked]"
    if spec.kind == "text":
        return "str"
    if spec.kind == "label" and spec.labels and spec.dtype in output_kinds.INTEGERS:
        return "str" if len(spec.shape) == 1 else "list[str]"
    if spec.kind == "audio" and spec.rate is not None and len(spec.shape) == 2:
        return "Sound"
    if spec.kind == "series" and spec.labels:
        return "dict[str, list]"
    if spec.kind == "image":
        return "list[Image.Image]" if len(spec.shape) == 5 else "Image.Image"
    if output_kinds.is_mask(spec) and not output_kinds.is_map(spec):
        return "Mask"
    if not spec.labels:
        return "ndarray"
    if spec.kind == "features" and spec.shape[1:] == (len(spec.labels),):
        return "dict[str, float]"
    return {"probabilities": "Findings", "label": "Classification"}.get(spec.kind, "ndarray")
