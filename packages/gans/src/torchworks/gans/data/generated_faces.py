"""The source `generated-faces`: cartoon images of one face, drawn from random poses (`face_drawing.py`).

    generated-faces                                  person 3, 600 images to learn from and 100 to test on
    generated-faces:person=8,train=200,test=50

Poses are drawn alike for all persons, in each part from numbers of its own. Beside the image is the pose it was drawn
from, so that what a face swap should give is known: `draw_face(person(8), pose, size)`.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from torchworks.gans.data.face_drawing import draw_face
from torchworks.gans.data.face_numbers import POSE, person, pose_of, random_pose, vector
from torchworks.shared.config import ImageConfig, LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.schema import Field, Schema
from torchworks.shared.data.source_options import parse

if TYPE_CHECKING:
    from torch import Tensor

    from torchworks.shared.data import TensorDataset

NAME = "generated-faces"
LICENCE = "drawn by this package from random numbers; no photograph and no real person has any part in them"
MOST = 100_000


@dataclass(frozen=True)
class Options:
    """What can be asked for after the colon."""

    person: int = 3
    train: int = 600
    test: int = 100


class GeneratedFaces:
    """Images of the person of a `number`, in poses (N, 17), drawn when they are asked for."""

    drawn = True

    def __init__(self, number: int, poses: NDArray[np.float32], schema: Schema):
        self.number, self.poses, self.schema = number, poses, schema
        self._resident: TensorDataset | None = None

    def __len__(self) -> int:
        return len(self.poses)

    def preview(self, i: int) -> dict[str, np.ndarray]:
        """Sample i as arrays."""
        size = self.schema["image"].shape[-1]
        return {"image": draw_face(person(self.number), pose_of(self.poses[i]), size), "pose": self.poses[i]}

    def __getitem__(self, i: int) -> "dict[str, Tensor]":
        import torch

        if self._resident is not None:
            return self._resident[i]
        return {name: torch.from_numpy(value) for name, value in self.preview(i).items()}

    def resident(self) -> "TensorDataset":
        """All of them, drawn once."""
        if self._resident is None:
            import torch

            from torchworks.shared.data import TensorDataset

            images = np.stack([self.preview(i)["image"] for i in range(len(self))])
            self._resident = TensorDataset(
                {"image": torch.from_numpy(images), "pose": torch.from_numpy(self.poses)}, self.schema
            )
        return self._resident


def open_generated_faces(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source. Raises `UserError` for options that it does not have."""
    options = parse(NAME, rest, {"default": Options()})
    _check(options)
    config = ImageConfig.of(config, NAME)
    if config.channels not in (None, 3):
        raise UserError(f"'{NAME}' are color images. Leave out --loader.channels, or set it to 3.")
    size = config.image_size
    schema = Schema((Field("image", "image", (3, size, size)), Field("pose", "series", (len(POSE),))))
    parts = [
        GeneratedFaces(options.person, _poses(count, [options.person, seed, part]), schema)
        for part, count in enumerate((options.train, options.test))
    ]
    contents = b"".join(part.poses.tobytes() for part in parts) + str(options).encode()
    mark = hashlib.sha256(contents).hexdigest()[:16]
    return Source(f"{NAME}:person={options.person}", LICENCE, parts[0], parts[1], schema, mark)


def _check(options: Options) -> None:
    for name, low in (("person", 0), ("train", 4), ("test", 2)):
        value = getattr(options, name)
        if not low <= value <= MOST:
            raise UserError(f"The option {name} of '{NAME}' must be from {low} to {MOST:,}, but it is {value}.")


def _poses(count: int, seed: list[int]) -> NDArray[np.float32]:
    draw = np.random.default_rng(seed)
    return np.stack([vector(random_pose(draw)) for _ in range(count)])
