"""A request to draw images: the inputs of `predict`, and what only drawing step by step has.

| field | means | unless given |
|---|---|---|
| `seed`, `n` | image i of a seed is always the same one | 0, 1 |
| `label`, … | the model's conditions, as for `predict` | all classes in turn; of a hole, none |
| `steps`, `guidance`, `sampler` | how images are drawn | the model's |
| `image`, `mask` | an image, and another as large as it: where that is white, the image is drawn anew | none |
| `resamplings` | how often each step of filling a hole is made, so that it fits | 3 |
| `stream` | news of each step, as server-sent events | false |
| `previews` | the images that the net predicts among them | false |
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from PIL import Image

from torchworks.serving.codecs import LARGEST_SEED, Codec, Inputs
from torchworks.serving.denoising.images import DrawRequest, Hole
from torchworks.serving.errors import invalid
from torchworks.serving.generation.requests import whole, yes
from torchworks.serving.image_files import as_bytes, read_picture
from torchworks.shared.models.denoising import LATENT, DenoisingSpec
from torchworks.shared.models.signature import TensorSpec

OWN = ("image", "mask", "resamplings", "stream", "previews")
HOLE_STEPS, RESAMPLINGS, MOST_RESAMPLINGS = 12, 3, 20
WHITE = 128
"""From this on a pixel of a mask belongs to the hole."""
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Painter:
    """Makes requests to one model of what clients send. All methods raise `Refusal`."""

    spec: DenoisingSpec
    codec: Codec

    def request(self, values: Values) -> DrawRequest:
        """What is to be drawn."""
        given = {name: value for name, value in values.items() if name not in OWN}
        if ("image" in values) != ("mask" in values):
            raise invalid("An 'image' and a 'mask' go together: where the mask is white, the image is drawn anew.")
        previews = yes(values, "previews")
        if "image" in values:
            return DrawRequest(self.spec, self._around(given), hole=self._hole(values), previews=previews)
        if "resamplings" in values:
            raise invalid("'resamplings' is for filling a hole, so it goes with an 'image' and a 'mask'.")
        return DrawRequest(self.spec, self.codec.from_values(given), previews=previews)

    def _around(self, given: Values) -> Inputs:
        """The inputs of images with a hole, for which nothing is asked unless it is given."""
        for name in ("sampler", LATENT):
            if name in given:
                raise invalid(f"A hole is filled by noise of the seed in each step, so leave '{name}' out.")
        steps = min(HOLE_STEPS, self.spec.steps_limit)
        missing = [condition for condition in self.spec.conditions if condition.name not in given]
        texts = {each.name: [[each.nothing]] for each in missing if each.name in self.codec.padding.texts}
        inputs = self.codec.from_values({"steps": steps} | texts | dict(given))
        for condition in missing:
            inputs[condition.name][:] = condition.nothing
        if missing:
            inputs["guidance"][:] = 1.0
        return inputs

    def _hole(self, values: Values) -> Hole:
        image, mask = (_file(name, values[name]) for name in ("image", "mask"))
        known = read_picture(image, self._pixels, self.codec.limits)
        painted = read_picture(mask, self._pixels, self.codec.limits).mean(0, keepdims=True) >= WHITE
        if (size := _size(image)) != (other := _size(mask)):
            raise invalid(
                f"The mask has {other[0]} × {other[1]} pixels and the image {size[0]} × {size[1]}: they must be of one "
                "size."
            )
        if not painted.any() or painted.all():
            covers = "all" if painted.any() else "nothing"
            raise invalid(f"The mask covers {covers} of the image. White pixels are drawn anew, black ones are kept.")
        resamplings = whole(values, "resamplings", 1, MOST_RESAMPLINGS, RESAMPLINGS)
        return Hole(known, painted, resamplings, whole(values, "seed", 0, LARGEST_SEED, 0))

    @cached_property
    def _pixels(self) -> TensorSpec:
        """Of an image that is read, which is cropped to a square of the model's size."""
        channels, height, width = self.spec.shape
        if channels not in (1, 3) or height != width:
            raise invalid("This model draws no square images in grey or color, so it has no holes to fill.")
        return TensorSpec("image", "image", "uint8", ("N", *self.spec.shape))


def _file(name: str, value: Any) -> bytes:
    if not isinstance(value, str | bytes):
        raise invalid(f"'{name}' must be an image file, in JSON as base64.")
    return as_bytes(value)


def _size(data: bytes) -> tuple[int, int]:
    """Of an image file that could be read."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size
