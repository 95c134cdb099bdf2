"""A judge of drawn scenes without training: does an image show what its caption says?

Each of the 12 objects is slid over the image (template matching). The object and place that explain most of it are
taken, then those that do away from the first, and so on; then the caption's objects are compared with those found.
There are no weights and no seed, so two people who use it get the same score.

Let J = I − g be the image without its background, g the median of its values. An object of color c that covers the
share m of each pixel is drawn as m (c − g). At a place it takes from the squared difference between image and
background, with * for correlation,

    Σ J² − Σ (J − m (c − g))² = 2 Σ_channels (c − g) (J * m) − Σ m² Σ_channels (c − g)²

which is three convolutions for all 12 objects. Noise moves this gain, but not its mean. If the object is there as
drawn, the gain is its last term, called `drawn` below; on plain background it is minus that.

Shape letters: N images, K objects, S pixels along an image, s along an object, P places along a side (S − s + 1).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.diffusion.data.scenes import COLORS, RELATIONS, SHAPES, THINGS, Caption, cover, object_size

MATCH = 0.5
"""An object is there if its gain is at least this share of that of the object as drawn."""
SCORES = ("caption", "color", "shape", "place")


@dataclass(frozen=True)
class Reading:
    """What is found in N images, the clearest object first."""

    things: Tensor
    """int64 (N, K): numbers in `THINGS`, or -1 where nothing is found."""
    places: Tensor
    """int64 (N, K, 2): y and x of the upper left pixel."""
    more: Tensor
    """bool (N,): there is a further object."""


class SceneJudge(nn.Module):
    """Reads images of `image_size` pixels with two or three `objects`."""

    covers: Tensor
    colors: Tensor

    def __init__(self, objects: int, image_size: int):
        super().__init__()
        self.objects, self.size = objects, object_size(objects, image_size)
        covers = torch.stack([cover(shape, self.size) for shape in SHAPES])
        self.register_buffer("covers", covers[:, None], persistent=False)  # (3, 1, s, s)
        self.register_buffer("colors", torch.tensor([*COLORS.values()]) / 127.5 - 1, persistent=False)  # (4, 3)

    @torch.no_grad()
    def read(self, images: Tensor) -> Reading:
        """`images` are float (N, 3, S, S) in [-1, 1]."""
        gain, share = self._gain(images.float())  # (N, 12, P, P)
        gain, thing = gain.max(1)  # (N, P, P)
        share = share.gather(1, thing[:, None])[:, 0].flatten(1)
        width = gain.shape[-1]
        things, places = [], []
        for _ in range(self.objects):
            at = gain.flatten(1).argmax(1, keepdim=True)  # (N, 1)
            found = thing.flatten(1).gather(1, at)
            things.append(found.where(share.gather(1, at) >= MATCH, -1))
            places.append(torch.cat([at // width, at % width], 1))
            gain = gain.masked_fill(self._near(places[-1], width), -torch.inf)
        more = ((share >= MATCH) & (gain.flatten(1) > -torch.inf)).any(1)
        return Reading(torch.cat(things, 1), torch.stack(places, 1), more)

    def _near(self, places: Tensor, width: int) -> Tensor:
        """Where an object would overlap one at `places` (N, 2) by more than a pixel: bool (N, P, P)."""
        line = torch.arange(width, device=places.device)
        y, x = ((line - places[:, axis, None]).abs() < self.size - 1 for axis in (0, 1))
        return y[:, :, None] & x[:, None, :]

    def _gain(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The gain of each object at each place, and as a share of that of the object as drawn, both (N, 12, P, P);
        objects in the order of `THINGS`."""
        n, _, side, _ = images.shape
        grey = images.flatten(1).median(1).values.view(-1, 1, 1, 1)
        seen = F.conv2d((images - grey).view(-1, 1, side, side), self.covers)  # (3 N, 3 shapes, P, P)
        seen = seen.view(n, 3, len(SHAPES), *seen.shape[-2:])
        strength = self.colors - grey.view(-1, 1, 1)  # (N, 4 colors, 3)
        drawn = (strength**2).sum(2)[:, :, None] * (self.covers**2).sum((1, 2, 3))  # (N, 4, 3 shapes)
        drawn = drawn.flatten(1)[..., None, None]  # (N, 12, 1, 1)
        gain = 2 * torch.einsum("nkc,ncshw->nkshw", strength, seen).flatten(1, 2) - drawn
        return gain, gain / drawn

    def score(self, images: Tensor, captions: Sequence[Caption]) -> dict[str, Tensor]:
        """For each image, float (N,) of 0 or 1: whether the whole `caption` is right, and apart from each other whether
        all colors, all shapes and the `place` are.

        The objects found are given to the caption's in the way that agrees with its relations; if several ways do, or
        none, by the colors and shapes. A relation holds if the first object is before the other one by more than half
        an object. A further object makes the caption wrong."""
        found = self.read(images)
        rows = zip(found.things.tolist(), found.places.tolist(), found.more.tolist(), captions, strict=True)
        results = torch.tensor([self._of_one(*row) for row in rows], dtype=torch.float32).view(-1, len(SCORES))
        return dict(zip(SCORES, results.T, strict=True))

    def _of_one(self, things: list[int], places: list[list[int]], more: bool, caption: Caption) -> tuple[bool, ...]:
        """The `SCORES` of one image."""
        orders = itertools.permutations(range(self.objects))
        ways = (self._given([things[k] for k in order], [places[k] for k in order], caption) for order in orders)
        place, _, color, shape = max(ways)
        return place and color and shape and not more, color, shape, place

    def _given(self, things: list[int], places: list[list[int]], caption: Caption) -> tuple[bool, int, bool, bool]:
        """If the objects found are the caption's in this order: whether the place is right, how many colors and shapes
        are, whether all colors and whether all shapes are."""
        holds = [self._before(word, places[0], at) for word, at in zip(caption.relations, places[1:], strict=True)]
        named = [THINGS[thing] if thing >= 0 else ("", "") for thing in things]
        pairs = list(zip(named, caption.things, strict=True))
        colors, shapes = ([found[i] == wanted[i] for found, wanted in pairs] for i in (0, 1))
        return min(things) >= 0 and all(holds), sum(colors) + sum(shapes), all(colors), all(shapes)

    def _before(self, relation: str, first: list[int], other: list[int]) -> bool:
        axis = 1 - RELATIONS.index(relation)
        return other[axis] - first[axis] > self.size / 2
