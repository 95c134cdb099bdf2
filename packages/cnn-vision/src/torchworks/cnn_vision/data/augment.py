"""Augmentation of images together with their boxes and masks, by torchvision's transforms.

    loader = Augmented(open_loader(source.train, config, 16, mean=MEAN, std=STD), changes(128), mean=MEAN, std=STD)

The augmentation of a sample is a function of (seed, epoch, sample) alone, as for images without boxes: torch's
generator is seeded for each sample, and restored afterwards.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from torchworks.shared.data import Loader
from torchworks.shared.data.boxes.sample import GREY, IGNORED, NOTHING, VOID, boxes_around
from torchworks.shared.numbers.stream import mix

Batch = dict[str, Tensor]
LEAST_SIDE = 2.0
"""Pixels; an object with a smaller side in the image is removed."""
LEAST_SHARE = 0.25
"""Of an object's box; an object with less of it in the image is ignored."""


def changes(
    size: int,
    *,
    flip: bool = False,
    zoom: tuple[float, float] = (0.7, 1.6),
    stretch: float = 1.2,
    color: bool = True,
    grey: bool = False,
) -> v2.Transform:
    """For images of `size` pixels, channels first, in [0, 255] as uint8: shrink or enlarge by a factor within `zoom`
    (padding with grey, or cutting a window out), move, stretch one side by up to `stretch`, mirror left and right (not
    for digits or letters), and shift brightness, contrast, hue and saturation (`grey` images: the first two)."""
    out, into = 1 / zoom[0], 1 / zoom[1] ** 2
    fill = {torch.Tensor: GREY, tv_tensors.Image: GREY, tv_tensors.Mask: 0}
    steps: list[v2.Transform] = []
    if color:
        steps.append(v2.ColorJitter(0.3, 0.3) if grey else v2.RandomPhotometricDistort(p=0.5))
    if out > 1:
        steps.append(v2.RandomZoomOut(fill=fill, side_range=(1.0, out), p=0.5))  # ty: ignore[invalid-argument-type]
    steps.append(v2.RandomResizedCrop(size, scale=(into, 1.0), ratio=(1 / stretch, stretch), antialias=True))
    if flip:
        steps.append(v2.RandomHorizontalFlip())
    return v2.Compose(steps)


class Augmented:
    """A loader whose training batches are changed by a transform, sample by sample; its evaluation passes are not.

    Fields `image`, `boxes` with `box_label`, `instance`, `mask` and `depth` change together; others stay. `mean` and
    `std` are those that the loader normalizes images by. On a GPU this waits for the device at every batch.
    """

    def __init__(
        self,
        loader: Loader,
        transform: Callable[[dict], dict],
        *,
        mean: float | Sequence[float] = 0.5,
        std: float | Sequence[float] = 0.5,
    ):
        self.loader, self.transform, self.mean, self.std = loader, transform, mean, std
        self.batch_size = loader.batch_size

    @property
    def batches(self) -> int:
        """Training batches an epoch, or batches of one evaluation pass."""
        return self.loader.batches

    def iter_from(self, position: int) -> Iterator[Batch]:
        """Endless training batches, as of the loader itself."""
        for place, batch in enumerate(self.loader.iter_from(position), position):
            yield self._changed(batch, place // self.loader.order.batches)

    def __iter__(self) -> Iterator[Batch]:
        """One ordered pass over all samples, not augmented."""
        return iter(self.loader)

    def _changed(self, batch: Batch, epoch: int) -> Batch:
        images = batch["image"]
        shift, scale = (images.new_tensor(value).view(-1, 1, 1) for value in (self.mean, self.std))
        pixels = ((images * scale + shift) * 255).round().clamp(0, 255).to(torch.uint8)
        samples = []
        with torch.random.fork_rng(devices=[]):
            for i, index in enumerate(batch["index"].tolist()):
                torch.default_generator.manual_seed(mix(self.loader.seed, epoch, "scene", index))
                samples.append(
                    change({**{name: value[i] for name, value in batch.items()}, "image": pixels[i]}, self.transform)
                )
        changed = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
        return changed | {"image": (changed["image"].to(images.dtype) / 255 - shift) / scale}


def change(sample: Batch, transform: Callable[[dict], dict]) -> Batch:
    """One sample after `transform`. Boxes are cut at the image's edges; those that vanish give their row to the next
    one, and their number on the instance map too."""
    size = sample["image"].shape[-2], sample["image"].shape[-1]
    given: dict[str, Tensor] = {"image": tv_tensors.Image(sample["image"])}
    count = 0
    if "boxes" in sample:
        count = int((sample["box_label"] != NOTHING).sum())
        given["boxes"] = tv_tensors.BoundingBoxes(  # ty: ignore[no-matching-overload]
            sample["boxes"][:count], format="XYXY", canvas_size=size, clamping_mode=None
        )
    for name in ("instance", "mask", "depth"):
        if name in sample:
            # ids are moved up by one, so that 0 marks what comes from outside the image
            given[name] = tv_tensors.Mask(sample[name] + 1.0)
    moved = transform(given)
    changed = dict(sample, image=moved["image"].as_subclass(Tensor))
    for name, outside in (("instance", 0), ("mask", VOID), ("depth", 0)):
        if name in sample:
            values = moved[name].as_subclass(Tensor)
            changed[name] = torch.where(values == 0, outside, values - 1).to(sample[name].dtype)
    return _sanitised(changed, moved["boxes"].as_subclass(Tensor), count) if "boxes" in sample else changed


def _sanitised(sample: Batch, boxes: Tensor, count: int) -> Batch:
    """The sample with `boxes` (n, 4), which may extend beyond the image. With an instance map, the box of a cut
    object becomes the tightest around its visible part."""
    height, width = sample["image"].shape[-2:]
    inside = torch.minimum(boxes.clamp(min=0), boxes.new_tensor((width, height, width, height)))
    if "instance" in sample:
        seen = torch.from_numpy(boxes_around(sample["instance"].cpu().numpy(), count)).to(inside)
        inside = torch.where((inside != boxes).any(1, keepdim=True), seen, inside)
    sides, before = inside[:, 2:] - inside[:, :2], boxes[:, 2:] - boxes[:, :2]
    keep = (sides >= LEAST_SIDE).all(1)
    labels = sample["box_label"][:count].clone()
    labels[sides.prod(1) < LEAST_SHARE * before.prod(1)] = IGNORED
    left = int(keep.sum())
    all_boxes, all_labels = torch.zeros_like(sample["boxes"]), torch.full_like(sample["box_label"], NOTHING)
    all_boxes[:left], all_labels[:left] = inside[keep], labels[keep]
    changed = sample | {"boxes": all_boxes, "box_label": all_labels}
    if "instance" in sample:
        numbers = torch.zeros(256, dtype=torch.uint8, device=boxes.device)
        numbers[1 : count + 1] = torch.where(keep, keep.cumsum(0), 0).to(torch.uint8)
        changed["instance"] = numbers[sample["instance"].long()]
    return changed
