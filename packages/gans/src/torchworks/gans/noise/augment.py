"""The command `augment`: a labelled image folder made by a generator."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from torchworks.gans.noise.commands import Augment
from torchworks.gans.noise.predictor import Generator, open_generator
from torchworks.shared.config import UserError
from torchworks.shared.data import Source, TensorDataset, open_source
from torchworks.shared.fidelity import Judge, cas, judge_for
from torchworks.shared.runs.opening import CHUNK
from torchworks.shared.runs.outputs import file_name, make_folder, picture, progress, save_image

MOST = 1_000_000  # images in all
TRIES = 50  # a class is given up when so many times its share of the draws brought no other image of it
SURE = 0.9  # how sure the judge must be of a class that was not asked for
AT_ONCE = 4 * CHUNK


def augment(arguments: Augment) -> int:
    """Write the folder and print how many images each class got. Raises `UserError` if a class could not be filled."""
    generator = open_generator(arguments.run, arguments.device)
    config = generator.run.config
    source = open_source(config.data, config.loader)
    (image,) = source.need("image")
    classes = _classes(source, generator)
    _check(arguments, len(classes))
    folders = _folders(arguments.out, classes)
    judge = judge_for(source, image_size=image.shape[-1], device=generator.run.device)
    confidence = arguments.confidence
    if confidence is None:
        confidence = 0.0 if generator.classes else SURE

    written: list[tuple[Tensor, int]] = []
    counts = [0] * len(classes)
    drawn = draw_labelled(generator, judge, arguments.seed, arguments.per_class, confidence)
    for image, label in progress(drawn, "drawing", arguments.per_class * len(classes)):
        save_image(picture(image), folders[label] / f"{counts[label]:06d}.png")
        counts[label] += 1
        if arguments.check:
            written.append((image, label))
    for name, count in zip(classes, counts, strict=True):
        print(f"{name:<20} {count}")
    if min(counts) < arguments.per_class:
        raise UserError(_incomplete(arguments, classes[counts.index(min(counts))], min(counts), confidence))
    if arguments.check:
        print_cas(written, source)
    print(arguments.out)
    return 0


def draw_labelled(
    generator: Generator, judge: Judge, seed: int, per_class: int, confidence: float
) -> Iterator[tuple[Tensor, int]]:
    """Images, uint8 (C, S, S), with their classes, until each class has `per_class`, or one is hardly ever met.

    Classes are asked for in turn, or read by the judge if the generator knows none; an image counts if the judge
    gives its class at least the probability `confidence`.
    """
    num_classes = len(judge.classes)
    left = [per_class] * num_classes
    start = 0
    while any(left) and start < TRIES * num_classes * (1 + per_class - max(left)):
        indices = range(start, start + AT_ONCE)
        start += AT_ONCE
        asked = torch.tensor(indices) % num_classes if generator.classes else None
        images = generator.draw(generator.latents(seed, indices), asked)
        labels, sure = read_labels(judge, images, asked)
        for image, label, probability in zip(images, labels.tolist(), sure.tolist(), strict=True):
            if left[label] and probability >= confidence:
                left[label] -= 1
                yield image, label


@torch.no_grad()
def read_labels(judge: Judge, images: Tensor, asked: Tensor | None) -> tuple[Tensor, Tensor]:
    """The classes (N,) of `images`, uint8 (N, C, S, S): those `asked` for, else as the judge reads them; and the
    probabilities (N,) that it gives them."""
    device = next(judge.parameters()).device
    probabilities = judge.logits(images.to(device) / 127.5 - 1).softmax(dim=1).cpu()
    labels = probabilities.argmax(dim=1) if asked is None else asked
    return labels, probabilities.gather(1, labels[:, None])[:, 0]


def print_cas(written: list[tuple[Tensor, int]], source: Source) -> None:
    """Train one classifier on what was written and one on the real training images; print what both get right."""
    images, labels = zip(*written, strict=True)
    generated = TensorDataset({"image": torch.stack(images), "label": torch.tensor(labels)})
    print("Accuracy on real test images of a classifier that was trained on")
    print(f"  {len(labels):>7} generated images, those of the folder  {cas(generated, source.test):>8.1%}")
    print(f"  {len(source.train):>7} real images                         {cas(source.train, source.test):>8.1%}")


def _classes(source: Source, generator: Generator) -> tuple[str, ...]:
    classes = generator.classes or (source.schema["label"].classes if "label" in source.schema else ())
    if len(classes) < 2:
        raise UserError(
            f"The data of {generator.run.folder}, {source.name}, have no classes, so nothing can label its images. "
            "Train on a folder with a sub-folder for each class; `gans sample --files` writes images without labels."
        )
    return classes


def _check(arguments: Augment, num_classes: int) -> None:
    most = MOST // num_classes
    if not 1 <= arguments.per_class <= most:
        raise UserError(
            f"--per-class is {arguments.per_class}; it must be from 1 to {most:,} for {num_classes} classes."
        )
    if arguments.confidence is not None and not 0 <= arguments.confidence <= 1:
        raise UserError(f"--confidence is {arguments.confidence}; it is a probability, from 0 to 1.")


def _folders(out: Path, classes: tuple[str, ...]) -> list[Path]:
    """A new folder for each class."""
    make_folder(out)
    if there := next(out.iterdir(), None):
        raise UserError(
            f"{out} is not empty (it has {there.name}), and what is in it would become part of the data. Choose a new "
            "folder with --out."
        )
    names = [file_name(name) for name in classes]
    folders = [out / (f"{name} {i}" if names.count(name) > 1 else name) for i, name in enumerate(names)]
    for folder in folders:
        folder.mkdir()
    return folders


def _incomplete(arguments: Augment, name: str, count: int, confidence: float) -> str:
    return (
        f"{arguments.out} is not complete: class '{name}' has {count} of {arguments.per_class} images, and hardly any "
        f"more are read as it with a probability of {confidence:g}. Lower --confidence or --per-class, train longer, "
        "or train the recipe cgan, which draws the class that is asked for."
    )
