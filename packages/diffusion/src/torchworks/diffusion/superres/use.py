"""The command `enlarge` for a run that was trained to enlarge."""

import dataclasses

import torch
from torch import Tensor

from torchworks.diffusion.images.sample import to_bytes
from torchworks.diffusion.restore.commands import Enlarge
from torchworks.diffusion.restore.pictures import Pictures, read_image, repeated, unit
from torchworks.diffusion.superres.predictor import Enlarger, open_enlarger
from torchworks.shared.config import UserError


def enlarge(arguments: Enlarge) -> int:
    """Enlarge the image and print the path of the picture."""
    enlarger = open_enlarger(arguments.run, arguments.device)
    check_arguments(arguments, enlarger.predictor.factor)
    enlarger = dataclasses.replace(enlarger, sampling=dataclasses.replace(enlarger.sampling, steps=arguments.steps))
    pictures = Pictures.of(arguments)
    channels, size, _ = enlarger.predictor.shape
    small = read_image(arguments.image, channels, size // enlarger.predictor.factor)
    drawn = enlarged(enlarger, small, arguments.n, arguments.seed)
    return pictures.write(repeated(small, enlarger.predictor.factor), to_bytes(drawn))


def enlarged(enlarger: Enlarger, small: Tensor, n: int, seed: int) -> Tensor:
    """`small`, uint8 (C, s, s), enlarged in N ways: (N, C, S, S), about in [-1, 1], the means of whose blocks are
    `small`."""
    return enlarger.enlarge(unit(small, n, torch.device("cpu")), seed)


def check_arguments(arguments: Enlarge, factor: int) -> None:
    """Raises `UserError` for what a run that was trained to enlarge has no use for."""
    if arguments.factor not in (None, factor):
        raise UserError(
            f"{arguments.run} was trained to enlarge by {factor}, and --factor is {arguments.factor}. Leave it out, or "
            f"train with --factor {arguments.factor}."
        )
    for name, value in (("--label", arguments.label), ("--guidance", arguments.guidance)):
        if value is not None:
            raise UserError(
                f"{arguments.run} was trained to enlarge without knowing what an image shows, so {name} says nothing "
                "to it. Leave it out, or use a run of flow."
            )
