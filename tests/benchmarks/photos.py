"""Photos from a folder: our StreamLoader beside torchvision's ImageFolder and torch's DataLoader.

Both turn the same JPEGs into batches on the device, float32 in [-1, 1]: cut at the middle, resampled by an antialiased
bicubic filter. The photos are crops of scikit-learn's two, with noise, of 320×256 pixels. A turn is one pass.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from race import Clock, Loop
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2
from vision_step import Job, ours, resident

from torchworks.shared.data import FileDataset, StreamLoader
from torchworks.shared.data.folders import list_folder
from torchworks.shared.data.schema import image_schema
from torchworks.shared.machine.device import Device

OURS, THEIRS = "StreamLoader", "ImageFolder + DataLoader"
RESIDENT, STREAMED = "synthetic, resident", "photos, StreamLoader"
COUNT, CLASSES, BATCH = 160, 4, 32
WIDTH, HEIGHT, NOISE, QUALITY = 320, 256, 4.0, 90


def make_folder(folder: Path) -> float:
    """Write the photos in class folders; returns KiB per file."""
    random, photos = np.random.default_rng(0), [Image.fromarray(photo) for photo in load_sample_images().images]
    for i in range(COUNT):
        file = folder / f"class-{i % CLASSES}" / f"{i:03d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        _crop(photos[i % len(photos)], random).save(file, quality=QUALITY)
    return sum(file.stat().st_size for file in folder.rglob("*.jpg")) / COUNT / 1024


def _crop(photo: Image.Image, random: np.random.Generator) -> Image.Image:
    height = int(random.integers(HEIGHT // 2, photo.height))
    width = height * WIDTH // HEIGHT
    left, top = int(random.integers(photo.width - width + 1)), int(random.integers(photo.height - height + 1))
    pixels = np.asarray(photo.crop((left, top, left + width, top + height)).resize((WIDTH, HEIGHT)))
    return Image.fromarray((pixels + random.normal(0, NOISE, pixels.shape)).clip(0, 255).astype(np.uint8))


def stream(folder: Path, image_size: int, batch: int, workers: int, device: Device) -> StreamLoader:
    listing = list_folder(str(folder))
    schema = image_schema(3, image_size, listing.classes)
    dataset = FileDataset(listing.files, torch.tensor(listing.labels), schema)
    return StreamLoader(dataset, batch, workers=workers, device=device.device)


def theirs(folder: Path, image_size: int, batch: int, workers: int, device: Device) -> DataLoader:
    """With the transforms in the order that is the faster one: torchvision resizes uint8 tensors quicker than Pillow
    resizes its images."""
    change = v2.Compose([
        v2.PILToTensor(),
        v2.Resize(image_size, interpolation=v2.InterpolationMode.BICUBIC, antialias=True),
        v2.CenterCrop(image_size),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.5] * 3, [0.5] * 3),
    ])  # fmt: skip
    return DataLoader(
        ImageFolder(folder, change), batch, num_workers=workers, persistent_workers=workers > 0,
        pin_memory=device.device.type == "cuda",
    )  # fmt: skip


def passes(folder: Path, image_size: int, workers: int, device: Device) -> dict[str, Callable[[], None]]:
    """One pass over the folder by either loader, whose workers live on."""
    mine = stream(folder, image_size, BATCH, workers, device)
    peer = theirs(folder, image_size, BATCH, workers, device)

    def pass_over_ours() -> None:
        for _ in mine:
            pass

    def pass_over_theirs() -> None:
        for images, labels in peer:
            images.to(device.device, non_blocking=True), labels.to(device.device, non_blocking=True)

    return {OURS: pass_over_ours, THEIRS: pass_over_theirs}


def trainings(folder: Path, job: Job, workers: int, device: Device) -> dict[str, Loop]:
    """The same net through our trainer, on synthetic data in memory and on the photos."""

    def synthetic(clock: Clock) -> None:
        ours(clock, job, device, resident(job, device))

    def streamed(clock: Clock) -> None:
        ours(clock, job, device, stream(folder, job.image_size, job.batch, workers, device))

    return {RESIDENT: synthetic, STREAMED: streamed}
