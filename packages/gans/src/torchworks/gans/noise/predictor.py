"""A trained generator as it is used: latent vectors to images.

The builder rebuilds the predictor from the configuration in `model.json`; it is an entry point in the group
`torchworks.builders`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.gans.models import registry
from torchworks.gans.models.config import InfoGANNet, StyleGAN2Net, style_layers
from torchworks.gans.models.infogan import DRAWN, DRAWN_NUMBER
from torchworks.gans.models.pixels import from_unit, to_unit, unit_image
from torchworks.gans.noise.task import to_latent
from torchworks.gans.wrong_run import wrong_run
from torchworks.shared.config import UserError, from_dict, nearest
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.opening import FinishedRun, open_run

TRUNCATION, FINE, CROSSOVER = "truncation", "fine", "crossover"
"""Inputs of generators with styles: how typical an image is to be, 1 as trained and 0 the mean; latent vectors of
other images, and the first layer that has their styles."""

CATEGORY = "category"
"""The input of generators with a code that chooses its category: 1 and more, or 0 for the one in the latent vector."""


FARTHEST, NEAREST = 1e4, 1e-3
"""Beyond the one, squares and sums of latent numbers overflow. Where all of a vector are nearer to 0 than the other, it
has hardly a direction: StyleGAN2 divides by its length, and ONNX's optimizer takes 1e-8 that is added to that for 0."""


def number_name(index: int) -> str:
    """What the input for a code's number of this index is called."""
    return f"number_{index + 1}"


class GeneratorPredictor(Predictor):
    """latent (N, latent_dim)[, label (N,)][, truncation (N,), fine (N, latent_dim), crossover (N,)][, category (N,),
    number_1 (N,), …] → image (N, C, S, S) in [0, 1]."""

    def forward(self, *inputs: Tensor) -> Tensor:
        given = zip(self.signature.inputs, inputs, strict=False)
        return to_unit(self.net(*[bounded(value) if spec.kind == "latent" else value for spec, value in given]))


def bounded(latents: Tensor) -> Tensor:
    """`latents` (N, D) that give an image, whatever a request holds; those that were drawn stay as they are."""
    held = latents.clamp(-FARTHEST, FARTHEST)
    return torch.where(held.abs().amax(dim=1, keepdim=True) < NEAREST, NEAREST, held)


def generator_config(net: registry.GanNet, image_size: int, channels: int, classes: tuple[str, ...]) -> dict[str, Any]:
    """What `build_generator` needs, as plain data."""
    config = {
        "architecture": registry.architecture_of(net),
        "image_size": image_size,
        "channels": channels,
        "classes": list(classes),
        "net": asdict(net),
    }
    return config | ({"mixes": True} if isinstance(net, StyleGAN2Net) else {})


def build_generator(config: dict[str, Any]) -> GeneratorPredictor:
    """The predictor of a generator; builder "gans-generator"."""
    net = from_dict(registry.ARCHITECTURES[config["architecture"]], config["net"])
    size, channels, classes = config["image_size"], config["channels"], tuple(config["classes"])
    limit = 1.0 if registry.latent_of(net) == "uniform" else None
    inputs = [TensorSpec("latent", "latent", "float32", ("N", net.latent_dim), low=limit and -limit, high=limit)]
    if classes:
        inputs.append(TensorSpec("label", "label", "int64", ("N",), low=0, high=len(classes) - 1, labels=classes))
    if isinstance(net, StyleGAN2Net):
        inputs.append(TensorSpec(TRUNCATION, "features", "float32", ("N",), low=0.0, high=1.0, default=1.0))
    if config.get("mixes"):  # runs that were saved before mixing have no such entry
        layers = style_layers(size)
        inputs += [
            TensorSpec(FINE, "latent", "float32", ("N", net.latent_dim)),
            TensorSpec(CROSSOVER, "features", "int64", ("N",), low=0, high=layers, default=layers // 2),
        ]
    if isinstance(net, InfoGANNet):
        inputs += code_inputs(net)
    signature = Signature(tuple(inputs), (unit_image(channels, size),))
    return GeneratorPredictor(registry.generator(net, size, channels, len(classes)), signature)


def code_inputs(net: InfoGANNet) -> list[TensorSpec]:
    """The code of InfoGAN, each part of which may be left to the latent vector."""
    category = TensorSpec(CATEGORY, "features", "int64", ("N",), low=0, high=net.categories, default=DRAWN)
    numbers = [
        TensorSpec(number_name(i), "features", "float32", ("N",), low=-2.0, high=2.0, default=DRAWN_NUMBER)
        for i in range(net.numbers)
    ]
    return [category, *numbers]


class Generator:
    """The generator of a finished run; `classes` is empty unless it draws what class is asked for, and `styled` says
    whether it has styles, which can be mixed and truncated."""

    def __init__(self, run: FinishedRun):
        self.run = run
        specs = {spec.name: spec for spec in run.predictor.signature.inputs}
        self.latent = specs["latent"]
        self.classes = specs["label"].labels if "label" in specs else ()
        self.styled, self.mixes = TRUNCATION in specs, FINE in specs
        numbers = (specs.get(number_name(i)) for i in range(len(specs)))
        self.code = [spec for spec in (specs.get(CATEGORY), *numbers) if spec is not None]

    def latents(self, seed: int, indices: range) -> Tensor:
        """Standard normal (N, latent_dim), row i of which depends on (seed, indices[i]) alone."""
        return sample_normal(seed, indices, int(self.latent.shape[1]))

    def draw(
        self, latents: Tensor, labels: Tensor | None, truncation: float = 1.0, code: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Images, uint8 (N, C, S, S), of standard normal `latents` (N, latent_dim) and, if there are classes, of
        `labels` (N,); of a styled generator with this `truncation`; of one with a code, of those of its parts (N,) that
        `code` names, the others left to the latents."""
        code = code or {}
        inputs = [to_latent(latents, "normal" if self.latent.low is None else "uniform")]
        inputs += [labels] if labels is not None else []
        inputs += [torch.full((len(latents),), truncation)] if self.styled else []
        inputs += [inputs[0], torch.zeros(len(latents), dtype=torch.int64)] if self.mixes else []
        inputs += [code.get(spec.name, _default(spec, len(latents))) for spec in self.code]
        return from_unit(self.run.compute(*inputs))

    def need_styles(self, option: str) -> None:
        """Raise `UserError` for a generator without styles; `option` is what asks for them."""
        if not self.styled:
            leave = "Leave it out, or train" if option.startswith("--") else "Train"
            raise UserError(
                f"{option} is for generators with styles, and {self.run.folder} is a run of {self.run.config.recipe}. "
                f"{leave} the recipe stylegan2."
            )

    def class_indices(self, names: Sequence[str]) -> list[int]:
        """The classes called `names`; all of them if there are no names. Raises `UserError` for an unknown one."""
        if names and not self.classes:
            raise UserError(
                f"{self.run.folder} is a run of {self.run.config.recipe}, which knows no classes, so it cannot draw a "
                "chosen one. Leave out --labels, or train the recipe cgan on labelled data."
            )
        for name in names:
            if name not in self.classes:
                known = ", ".join(self.classes[:20]) + (", …" if len(self.classes) > 20 else "")
                raise UserError(f"There is no class '{name}'.{nearest(name, self.classes)} Classes: {known}.")
        return [self.classes.index(name) for name in names or self.classes]


def _default(spec: TensorSpec, rows: int) -> Tensor:
    """What an input is where nobody asks for anything."""
    assert spec.default is not None
    return torch.full((rows,), spec.default, dtype=getattr(torch, spec.dtype))


def open_generator(folder: Path, device: str = "auto") -> Generator:
    """Raises `UserError` unless `folder` is a finished run of a recipe that draws images from noise."""
    run = open_run(folder, "gans", device)
    if not isinstance(run.predictor, GeneratorPredictor):
        raise wrong_run(run, "draws none from noise", "the recipe cgan-mnist, dcgan or stylegan2")
    return Generator(run)
