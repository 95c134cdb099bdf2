"""The bundled source `faces`: 100 small grey photographs of faces, 25 × 25 pixels.

What it is: the first half of scikit-image's `lfw_subset.npy`, which was cut from Labeled Faces in the Wild (Huang et
al. 2007), a collection of press photographs of well-known people; its second half shows no faces. Names are not among
the data. `faces:all` has both halves, with the classes other and face.

So few images are soon learned by heart: what is drawn from them may show a person who was photographed.
"""

from pathlib import Path

import numpy as np

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.arrays import ArrayDataset
from torchworks.shared.data.packaged import packaged_file
from torchworks.shared.data.schema import Field, Schema, image_schema
from torchworks.shared.data.split import digests, fingerprint, split

FACES, CLASSES = 100, ("other", "face")
LICENCE = (
    "Labeled Faces in the Wild (Huang et al. 2007), press photographs, for research; through scikit-image, which "
    "states no terms for them"
)


def open_faces(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source. Raises `UserError` for anything but nothing or `all` behind the colon, or without scikit-image."""
    if rest not in ("", "all"):
        raise UserError(f"The data source 'faces' takes 'all' after a colon, or nothing; 'faces:{rest}' was given.")
    config = ImageConfig.of(config, "faces")
    images = np.rint(np.load(_file()) * 255).clip(0, 255).astype(np.uint8)[:, None]  # (200, 1, 25, 25)
    labels = (np.arange(len(images)) < FACES).astype(np.int64)
    if not rest:
        images = images[:FACES]
    names = digests(images)
    train, test = split(names, labels[: len(images)].tolist(), config.test_fraction, seed)
    channels, size = config.channels or 1, config.image_size
    schema = (
        image_schema(channels, size, CLASSES) if rest else Schema((Field("image", "image", (channels, size, size)),))
    )
    parts = [ArrayDataset(images[rows], labels[rows] if rest else None, schema) for rows in (train, test)]
    mark = fingerprint([names[i] for i in train], [names[i] for i in test])
    return Source("faces:all" if rest else "faces", LICENCE, parts[0], parts[1], schema, mark)


def _file() -> Path:
    return packaged_file(
        "scikit-image",
        "skimage/data/lfw_subset.npy",
        said="The data 'faces' lie",
        extra="scikit-image",
        instead="a folder of your own images: --data folder:DIR",
        version="0.25 or later",
    )
