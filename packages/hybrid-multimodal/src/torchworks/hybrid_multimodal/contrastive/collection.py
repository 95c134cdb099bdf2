"""A model that searches a collection of images by a sentence: the text encoder, with the images and their vectors.

Shape letters: M images, C channels, S pixels along a side, D size of a vector.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from torchworks.hybrid_multimodal.contrastive.pairs import TOKENIZER
from torchworks.hybrid_multimodal.contrastive.predictor import COLLECTION, build_clip
from torchworks.hybrid_multimodal.models.clip import CLIP
from torchworks.shared.config import UserError
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import read_files, save_model
from torchworks.shared.text import from_json

MOST_IMAGES = 10_000
"""Of a collection that is saved: the model holds them all."""


def check_size(count: int) -> None:
    """Raises `UserError` for a collection that is too large to be saved."""
    if count > MOST_IMAGES:
        raise UserError(
            f"--save keeps all images in the model, and there are {count:,}; {MOST_IMAGES:,} are the most. Search a "
            "smaller folder, or leave --save out: the command itself searches any number."
        )


def save_collection(
    run: Path, folder: Path, net: CLIP, *, names: Sequence[str], titles: Sequence[str], images: Tensor,
    vectors: Tensor, sentence: str,
) -> None:  # fmt: skip
    """Save into `folder` the model of `run` that searches `images` uint8 (M, C, S, S) with these `vectors` (M, D).
    `names` are what the images are called, each another, `titles` what people read. `sentence` becomes its example."""
    manifest = read_manifest(run)
    config: dict[str, Any] = manifest.config | {"use": "search", "names": list(names), "titles": list(titles)}
    collection = save({"vectors": vectors.contiguous(), "images": images.contiguous()})
    files: Mapping[str, bytes] = {**read_files(run), COLLECTION: collection}
    predictor = build_clip(config, files)
    predictor.net = net
    save_model(
        folder,
        predictor,
        package=manifest.package,
        recipe=manifest.recipe,
        builder=manifest.builder,
        config=config,
        golden={"text": torch.tensor([from_json(files[TOKENIZER]).encode(sentence)])},
        preprocessing={"text": {"tokenizer": TOKENIZER}},
        files=files,
    )
