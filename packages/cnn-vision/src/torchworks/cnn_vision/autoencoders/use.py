"""The commands `draw` and `restore`: samples and reconstructions by a run.

Shape letters: N images, C channels, S pixels, D numbers of a code.
"""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.autoencoders.commands import Draw, Restore
from torchworks.cnn_vision.autoencoders.predictor import AutoencoderPredictor, SamplerPredictor, VAEPredictor
from torchworks.shared.config import UserError
from torchworks.shared.inference.files import CHUNK, ImageFiles
from torchworks.shared.inference.resized import resized
from torchworks.shared.models.predictor import MANIFEST, load_predictor
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import file_name, picture, prepare, prepare_image_file, save_image


@torch.no_grad()
def draw(arguments: Draw) -> int:
    """Write a grid of `n` samples."""
    run = _opened(arguments.run, arguments.device, "sampler", (SamplerPredictor,))
    if arguments.n < 1:
        raise UserError(f"--n is {arguments.n}; it must be at least 1.")
    out = arguments.out or arguments.run / "drawn.png"
    prepare_image_file(out, overwrite=arguments.overwrite or not arguments.out)
    code = run.predictor.signature.inputs[0].shape[1]
    assert isinstance(code, int)
    parts = range(0, arguments.n, CHUNK)
    drawn = [
        run.predictor(sample_normal(arguments.seed, range(i, min(i + CHUNK, arguments.n)), code).to(run.device))
        for i in parts
    ]
    save_image(picture(picture_grid(torch.cat(drawn), columns=max(1, round(arguments.n**0.5)))), out)
    print(out)
    return 0


@torch.no_grad()
def restore(arguments: Restore) -> int:
    """Write a file for each image. Raises `UserError` that names those that could not be read, once all others are
    done."""
    run = _opened(arguments.run, arguments.device, "reconstruction", (AutoencoderPredictor, VAEPredictor))
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them, after the run.")
    files = ImageFiles(arguments.images)
    names = {path: f"{file_name(str(name.with_suffix('')))}.png" for path, name in files.names.items()}
    inside = {path.resolve() for path in files.names}
    prepare(arguments.out, list(names.values()), overwrite=arguments.overwrite)
    if clash := [name for name in names.values() if (arguments.out / name).resolve() in inside]:
        raise UserError(f"{clash[0]} in {arguments.out} is one of the images to read; choose another --out.")
    for images in files.chunks(lambda path: resized(path, run)):
        for path, image in images.items():
            restored, _ = run.predictor(image[None].to(run.device))
            save_image(picture(_bytes(restored[0].cpu())), arguments.out / names[path])
    print(arguments.out)
    files.refuse_bad()
    return 0


def _bytes(image: Tensor) -> Tensor:
    return (255 * image.clamp(0, 1)).round().to(torch.uint8)


def _opened(folder: Path, device: str, part: str, kinds: tuple[type, ...]) -> FinishedRun:
    """The run with the predictor that is wanted; of a vae, which has two, the one called `part`."""
    run = open_run(folder, "cnn-vision", device)
    if not isinstance(run.predictor, kinds) and (folder / part / MANIFEST).is_file():
        run = FinishedRun(folder, run.config, load_predictor(folder / part).to(run.device), run.device)
    if not isinstance(run.predictor, kinds):
        wanted = "vae" if part == "sampler" else "autoencoder, denoise or vae"
        raise UserError(f"{folder} is a run of the recipe {run.config.recipe}; this command needs one of {wanted}.")
    return run
