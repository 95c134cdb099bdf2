"""The bundled sources `photos` and `styles`: crops of the photographs that scikit-image and scikit-learn ship.

Ten color photographs: a person, a cat, a cup, a rocket, a stained tissue, a retina, galaxies, a motorcycle, a temple,
a flower. The last two are the test part, whole, so that a net is scored on photographs that it was not trained on.

What it is not: a data set of any breadth. It replaces the hundred thousand photographs that nets of style transfer are
usually trained on.

Shape letters: N crops, S pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from torchworks.cnn_vision.data.bundled import bundled
from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, nearest
from torchworks.shared.data import Source, TensorDataset
from torchworks.shared.data.dataset import fit
from torchworks.shared.data.images import scan
from torchworks.shared.data.schema import image_schema
from torchworks.shared.data.split import digests, fingerprint

LICENCE = (
    "CC0 or public domain (photographs, through scikit-image), CC BY 2.0 (china and flower, through scikit-learn); for "
    "motorcycle_left, of Middlebury's stereo data, scikit-image states no terms"
)
TRAIN = (
    "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "ihc.png", "retina.jpg", "hubble_deep_field.jpg",
    "motorcycle_left.png",
)  # fmt: skip
TEST = ("china.jpg", "flower.jpg")
SHORT = 320
"""Pixels of a photograph's shorter side."""
COUNT = 1200, 80
"""Crops of the training and of the test part."""
ZOOM = 0.35, 1.0
"""Side of a crop, as a share of the shorter side."""
LARGEST_ASPECT = 8
"""Largest ratio of the sides of a user's image."""
STYLES = (
    ("brick.png", "grass.png", "gravel.png", "ihc.png", "hubble_deep_field.jpg", "retina.jpg", "coffee.png"),
    ("coins.png", "cell.png", "moon.png"),
)
"""Photographs that styles are cut from, in the training and in the test part."""


def open_photos(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source; `seed` draws the places of the crops anew. Raises `UserError` if something follows the name."""
    config = ImageConfig.of(config, "photos")
    if rest:
        raise UserError(f"The data source 'photos' takes nothing after a colon; 'photos:{rest}' was given.")
    return _source("photos", (TRAIN, TEST), config, seed, recolor=False)


def open_styles(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The bundled source `styles`: crops of textures and of photographs rich in texture, in colors drawn at random; of
    other photographs in the test part. It replaces paintings, since none are bundled. Raises `UserError` if
    something follows the name."""
    config = ImageConfig.of(config, "styles")
    if rest:
        raise UserError(f"The data source 'styles' takes nothing after a colon; 'styles:{rest}' was given.")
    return _source("styles", STYLES, config, seed, recolor=True)


def _source(
    name: str, names: tuple[Sequence[str], Sequence[str]], config: ImageConfig, seed: int, *, recolor: bool
) -> Source:
    schema = image_schema(config.channels or 3, config.image_size)
    parts = []
    for part, (chosen, count) in enumerate(zip(names, COUNT, strict=True)):
        rng = np.random.default_rng((seed, part))
        crops = random_crops(chosen, count, config.image_size, rng)
        parts.append(recolored(crops, rng) if recolor else crops)
    train, test = (TensorDataset({"image": fit(part, *schema["image"].shape[:2])}, schema) for part in parts)
    return Source(name, LICENCE, train, test, schema, fingerprint(*map(digests, parts)))


def recolored(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """Each crop with its channels mixed by a matrix of its own and its brightness and contrast changed; a third
    stays as it is."""
    mixing = torch.from_numpy(rng.dirichlet((0.6, 0.6, 0.6), (len(crops), 3))).float()  # (N, 3, 3), rows sum to 1
    x = torch.einsum("nij,njhw->nihw", mixing, crops.float() - 128)
    gain = torch.from_numpy(rng.uniform(0.8, 1.5, (len(crops), 3, 1, 1))).float()
    offset = torch.from_numpy(rng.uniform(-60, 60, (len(crops), 3, 1, 1))).float()
    changed = (x * gain + 128 + offset).round().clamp(0, 255).to(torch.uint8)
    kept = torch.from_numpy(rng.random(len(crops)) < 1 / 3)
    return torch.where(kept[:, None, None, None], crops, changed)


def photograph(name: str, short: int = SHORT) -> Tensor:
    """One bundled photograph as uint8 (3, H, W), reduced until its shorter side has `short` pixels."""
    with Image.open(bundled(name)) as file:
        image = file.convert("RGB")
    scale = short / min(image.size)
    if scale < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def open_image(name: str, short: int) -> Tensor:
    """A user's image file, or a bundled photograph by its name (`ihc`, `china`), as uint8 (3, H, W) with `short` pixels
    along its shorter side. Raises `UserError` for what is neither, or cannot be read."""
    known = {Path(file).stem: file for file in (*TRAIN, *TEST, *STYLES[0], *STYLES[1])}
    path = Path(name).expanduser()
    if name in known and not path.exists():
        path = bundled(known[name])
    found = scan([path])[0]
    if found.error:
        raise UserError(
            f"The image {name} cannot be used: {found.error}.{nearest(name, known)} Give an image file, or the name of "
            f"a bundled photograph: {', '.join(known)}."
        )
    with Image.open(path) as held:
        image = ImageOps.exif_transpose(held).convert("RGB")
    if max(image.size) > LARGEST_ASPECT * min(image.size):
        raise UserError(f"The image {name} is more than {LARGEST_ASPECT} times as long as wide; crop it first.")
    scale = short / min(image.size)
    width, height = (max(short, round(side * scale / 8) * 8) for side in image.size)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1).contiguous()


def held_out_squares(size: int) -> Tensor:
    """The upper left of each photograph for testing, uint8 (N, 3, `size`, `size`)."""
    return torch.stack([open_image(Path(name).stem, size)[:, :size, :size] for name in TEST])


def random_crops(names: Sequence[str], count: int, size: int, rng: np.random.Generator) -> Tensor:
    """`count` square crops of the photographs in turn, uint8 (N, 3, S, S), by chance large or small, some mirrored."""
    photos = [photograph(name) for name in names]
    crops = []
    for i in range(count):
        photo = photos[i % len(photos)]
        height, width = photo.shape[1:]
        side = round(rng.uniform(*ZOOM) * min(height, width))
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        crop = fit(photo[None, :, top : top + side, left : left + side], 3, size)
        crops.append(crop.flip(-1) if rng.random() < 0.5 else crop)
    return torch.cat(crops)
