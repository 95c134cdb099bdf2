"""Weights that a user brings, from a local safetensors file."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from torchworks.shared.config import UserError


def read_weights(path: str) -> dict[str, Tensor]:
    """The tensors of a local safetensors file. Raises `UserError` if there is none."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"--pretrained {path} is no file. Give a safetensors file with weights.")
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"--pretrained {path} is no safetensors file: {error}. Files of other kinds can contain programs, so they "
            "are not read; convert it first."
        ) from error
