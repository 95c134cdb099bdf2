"""The source `photo-crops`: pieces of photographs at their own resolution, which a smaller or resized image is not.

`photo-crops` cuts the photographs that scikit-image, scikit-learn and matplotlib ship; `photo-crops:FOLDER` those in a
folder of the user's. No photograph is in both parts. Training pieces lie at random places, some of them reduced first,
so that details of several sizes are seen; test pieces tile each test photograph without overlap.

What the bundled ones are not: a data set of any breadth. Super-resolution is usually trained on hundreds of thousands
of photographs; these are eleven.

Shape letters: N crops, S pixels, H × W pixels of a photograph.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError
from torchworks.shared.data import ArrayDataset, Source
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images, picture
from torchworks.shared.data.listing import some
from torchworks.shared.data.packaged import packaged_file
from torchworks.shared.data.schema import image_schema
from torchworks.shared.data.split import digests, fingerprint, split

LICENCE = (
    "public domain or CC0 (photographs, through scikit-image and matplotlib), CC BY 2.0 (china by danielbuechele, "
    "flower by vultilion, through scikit-learn)"
)
PACKAGES = {"scikit-image": "skimage/data", "scikit-learn": "sklearn/datasets/images"}
HOPPER = "matplotlib/mpl-data/sample_data/grace_hopper.jpg"
TRAIN = {
    "scikit-image": (
        "astronaut.png", "coffee.png", "rocket.jpg", "camera.png", "coins.png", "brick.png", "grass.png", "gravel.png",
        "hubble_deep_field.jpg", "ihc.png",
    )
}  # fmt: skip
TEST = {"scikit-image": ("chelsea.png",), "scikit-learn": ("china.jpg", "flower.jpg")}
VALIDATION = "coffee"
"""The bundled photograph by which the best state is chosen."""
COUNT = 1200
"""Training pieces."""
REDUCED = 0.5, 1.0
"""To what share of its size a photograph is reduced before a training piece is cut; half of them are not."""
USUAL = 128
"""Pixels along a side of a piece, in the recipes."""
ADVICE = f"Recipes that enlarge cut pieces of {USUAL}, which smaller photographs lack: --loader.image-size {USUAL}."
FEWEST = 3
"""Photographs of a folder: for training, for choosing the best state, for testing."""


@dataclass(frozen=True)
class Photograph:
    """A name, how many pixels it has, and what opens the image of it in RGB."""

    name: str
    pixels: int
    open: Callable[[], Image.Image]


def open_photo_crops(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, of the folder `rest` if there is one; `label` says which photograph a piece is of. `seed` draws
    the places of the training pieces, and which photographs of a folder are for testing. Raises `UserError`."""
    config = ImageConfig.of(config, "photo-crops")
    notes: tuple[str, ...] = ()
    if rest:
        name, licence = f"photo-crops:{rest}", "the user's own"
        photographs, test, notes = _of_folder(Path(rest).expanduser(), config, seed)
    else:
        name, licence = "photo-crops", LICENCE
        photographs, test = _bundled(TRAIN) + _bundled(TEST), {Path(file).stem for file in sum(TEST.values(), ())}
    names = tuple(photograph.name for photograph in photographs)
    schema = image_schema(config.channels or 3, config.image_size, names)
    size, rng = config.image_size, np.random.default_rng(seed)
    parts = [
        random_crops([one for one in photographs if one.name not in test], COUNT, size, rng),
        all_crops([one for one in photographs if one.name in test], size),
    ]
    datasets = [
        ArrayDataset(images, np.array([names.index(name) for name in labels]), schema) for images, labels in parts
    ]
    mark = fingerprint(*(digests(images) for images, _ in parts))
    return Source(name, licence, datasets[0], datasets[1], schema, mark, notes)


def _bundled(files: Mapping[str, Sequence[str]]) -> list[Photograph]:
    """Those of packages that are never imported, which is slow."""
    found = [_packaged(package, f"{PACKAGES[package]}/{name}") for package, names in files.items() for name in names]
    return found + ([_packaged("matplotlib", HOPPER)] if files is TRAIN else [])


def _packaged(package: str, path: str) -> Photograph:
    file = packaged_file(
        package, path, said="The photographs of 'photo-crops' lie", extra="gans",
        instead="your own: --data photo-crops:FOLDER", version="as this package requires it",
    )  # fmt: skip
    with Image.open(file) as image:
        pixels = image.width * image.height
    return Photograph(file.stem, pixels, lambda: picture(file, 0).convert("RGB"))


def _of_folder(folder: Path, config: ImageConfig, seed: int) -> tuple[list[Photograph], set[str], tuple[str, ...]]:
    """The images in a folder that are large enough, the names of those for testing, and notes."""
    if not folder.is_dir():
        said = f"{folder} is a file" if folder.exists() else f"There is no folder {folder}"
        raise UserError(f"{said}. Give the path of a folder of photographs: photo-crops:FOLDER.")
    files, bad = find_images([folder])
    found: list[Photograph] = []
    for file, name in files.items():
        try:
            image = picture(file, 0)
        except Unreadable as error:
            bad[file] = str(error)
            continue
        if min(image.size) < config.image_size:
            bad[file] = f"it is {image.width} × {image.height} pixels, smaller than a piece"
            continue
        found.append(
            Photograph(name.as_posix(), image.width * image.height, lambda file=file: picture(file, 0).convert("RGB"))
        )
    left_out = some([f"{file} ({why})" for file, why in bad.items()], 5)
    if len(found) < FEWEST:
        have = "1 photograph" if len(found) == 1 else f"{len(found)} photographs"
        raise UserError(
            f"{folder} has {have} from which pieces of {config.image_size} × {config.image_size} "
            f"pixels can be cut, and {FEWEST} are needed: to learn from, to choose the best state by, to test on. Add "
            f"some, or use a smaller --loader.image-size.{f' Left out: {left_out}.' if bad else ''}"
        )
    files_said = "1 file" if len(bad) == 1 else f"{len(bad)} files"
    notes = (f"{files_said} of {folder} left out: {left_out}.",) if bad else ()
    if config.image_size != USUAL:
        notes += (f"Pieces have {config.image_size} pixels a side here. {ADVICE}",)
    names = [photograph.name for photograph in found]
    _, chosen = split(names, [0] * len(names), config.test_fraction, seed)
    return found, {names[i] for i in chosen}, notes


def random_crops(
    photographs: Sequence[Photograph], count: int, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    """`count` square pieces, uint8 (N, 3, S, S), about as many of each photograph as it is large, and whose."""
    whole = sum(photograph.pixels for photograph in photographs)
    crops, labels = [], []
    for photograph in photographs:
        image = photograph.open()
        for _ in range(max(1, count * photograph.pixels // whole)):
            crops.append(_piece(image, size, rng))
            labels.append(photograph.name)
    return np.stack(crops).transpose(0, 3, 1, 2), labels


def _piece(image: Image.Image, size: int, rng: np.random.Generator) -> np.ndarray:
    """A random square of the photograph, which was perhaps reduced, (S, S, 3)."""
    share = rng.uniform(*REDUCED) if rng.random() < 0.5 else 1.0
    side = min(round(size / share), *image.size)
    left, top = (int(rng.integers(full - side + 1)) for full in image.size)
    piece = image.crop((left, top, left + side, top + side))
    return np.asarray(piece if side == size else piece.resize((size, size), Image.Resampling.BICUBIC))


def all_crops(photographs: Sequence[Photograph], size: int) -> tuple[np.ndarray, list[str]]:
    """All square pieces that tile the middle of each photograph, uint8 (N, 3, S, S), and whose they are."""
    crops, labels = [], []
    for photograph in photographs:
        pixels = np.asarray(photograph.open())
        rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
        top, left = (pixels.shape[0] - rows * size) // 2, (pixels.shape[1] - columns * size) // 2
        whole = pixels[top : top + rows * size, left : left + columns * size]
        tiles = whole.reshape(rows, size, columns, size, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, size, size)
        crops.append(tiles)
        labels += [photograph.name] * len(tiles)
    return np.concatenate(crops), labels
