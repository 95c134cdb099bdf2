"""The command `translate`: a user's images turned into those of the other domain."""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.gans.translation.commands import Translate
from torchworks.gans.translation.predictor import Translator, open_translator
from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images, read
from torchworks.shared.data.listing import some
from torchworks.shared.runs.opening import CHUNK
from torchworks.shared.runs.outputs import picture, prepare, progress, save_image


def translate(arguments: Translate) -> int:
    """Translate the images and print where they are. Raises `UserError` that names those that could not be read,
    once all others are done."""
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them, after the run.")
    translator = open_translator(arguments.run, arguments.direction, arguments.device)
    files, bad = find_images(arguments.images)
    targets = {file: arguments.out / name for file, name in target_names(files).items()}
    prepare(arguments.out, list(target_names(files).values()), overwrite=arguments.overwrite, inputs=files)

    done = 0
    for start in progress(range(0, len(targets), CHUNK), "translating", -(-len(targets) // CHUNK)):
        images, unreadable = _read(list(targets)[start : start + CHUNK], translator)
        bad |= unreadable
        done += len(images)
        if images:
            results = translator.translate(torch.stack(list(images.values())))
            for file, result in zip(images, results, strict=True):
                targets[file].parent.mkdir(parents=True, exist_ok=True)
                save_image(picture(result), targets[file])
    if done:
        print(f"{arguments.out} ({done} images)")
    if bad:
        named = some([f"{path} ({why})" for path, why in bad.items()], 20)
        raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")
    return 0


def target_names(files: dict[Path, Path]) -> dict[Path, str]:
    """A PNG file for each image, named after it; images of equal names get a number."""
    taken: set[str] = set()
    names = {}
    for file, name in files.items():
        number, target = 1, name.with_suffix(".png").as_posix()
        while target in taken:
            number += 1
            target = name.with_name(f"{name.stem}-{number}.png").as_posix()
        taken.add(target)
        names[file] = target
    return names


def _read(files: list[Path], translator: Translator) -> tuple[dict[Path, Tensor], dict[Path, str]]:
    """The images as the translator wants them, and why others cannot be read."""
    images: dict[Path, Tensor] = {}
    bad: dict[Path, str] = {}
    for file in files:
        try:
            images[file] = read(file, translator.in_channels, translator.image_size)
        except Unreadable as error:
            bad[file] = str(error)
    return images, bad
