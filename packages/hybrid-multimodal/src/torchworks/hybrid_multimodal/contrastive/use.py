"""The commands of runs of CLIP: `search`, `zero-shot`, and what `evaluate` does with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from torchworks.hybrid_multimodal.contrastive.build import compared
from torchworks.hybrid_multimodal.contrastive.collection import check_size, save_collection
from torchworks.hybrid_multimodal.contrastive.commands import Search, ZeroShot
from torchworks.hybrid_multimodal.contrastive.config import ClipConfig
from torchworks.hybrid_multimodal.contrastive.index import Index
from torchworks.hybrid_multimodal.contrastive.nets import encoder_of, image_vectors
from torchworks.hybrid_multimodal.contrastive.pairs import TOKENIZER, Texts
from torchworks.hybrid_multimodal.contrastive.predictor import BUILDER, build_clip
from torchworks.hybrid_multimodal.inference.commands import Evaluate
from torchworks.hybrid_multimodal.models.clip import CLIP
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, held_out, open_source, resident
from torchworks.shared.data.captions import captioned_grid, captions_in
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images, read
from torchworks.shared.data.listing import some
from torchworks.shared.models.manifest import GOLDEN, read_manifest, sha256
from torchworks.shared.models.predictor import read_files, save_model
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare, prepare_file, prepare_image_file, save_image
from torchworks.shared.text import from_json

COLUMNS = 4
INDEX = "search-index.safetensors"
SHOWN = 4
"""Sentences of the picture that `evaluate` draws, each with as many images."""


@dataclass(frozen=True)
class OpenedClip:
    """A finished run of CLIP: its net, and what makes tokens for it."""

    run: FinishedRun
    net: CLIP
    texts: Texts
    channels: int
    image_size: int

    @classmethod
    def of(cls, folder: Path, device: str) -> "OpenedClip":
        """Raises `UserError` unless `folder` is a finished run of CLIP."""
        run = open_run(folder, "hybrid-multimodal", device)
        manifest = read_manifest(folder)
        if manifest.builder != BUILDER or manifest.config["use"] != "classes":
            raise UserError(
                f"{folder} is a run of {run.config.recipe}, which compares no images with sentences. Give a run of the "
                "recipe clip."
            )
        texts = Texts(from_json(read_files(folder)[TOKENIZER]), manifest.config["length"])
        net = cast(CLIP, run.predictor.net)
        return cls(run, net, texts, manifest.config["channels"], manifest.config["image_size"])

    def read(self, path: Path) -> Tensor:
        return read(path, self.channels, self.image_size)

    def vectors(self, images: Tensor) -> Tensor:
        return image_vectors(self.net, images)

    def encode(self, sentences: Sequence[str]) -> Tensor:
        """Raises `UserError` for a sentence that the model cannot read."""
        for sentence in sentences:
            self.texts.check(sentence)
        return encoder_of(self.net, self.texts)(sentences)


# ---------------------------------------------------------------------------------------------------- search


def search(arguments: Search) -> int:
    """Print the images that a sentence describes best. Raises `UserError` that names the images that could not be
    read, once all others are ranked."""
    check_number("--n", arguments.n, 1)
    opened = OpenedClip.of(arguments.run, arguments.device)
    sentence = opened.encode([arguments.sentence])[0]
    if arguments.out is not None:
        read = find_images([Path(arguments.where)])[0] if Path(arguments.where).is_dir() else ()
        prepare_image_file(arguments.out, overwrite=arguments.overwrite, inputs=[*read])
    if arguments.save is not None:
        _prepare_model(arguments.save, arguments.run, overwrite=arguments.overwrite)
    searched = _searched(opened, arguments)
    if arguments.save is not None:
        check_size(len(searched.names))
    best = (searched.vectors @ sentence).sort(descending=True, stable=True)
    rows, likeness = best.indices[: arguments.n].tolist(), best.values[: arguments.n].tolist()
    for row, value in zip(rows, likeness, strict=True):
        print(f"{value:6.3f}  {searched.shown[row]}")
    if arguments.out is not None and rows:
        pairs = zip(rows, likeness, strict=True)
        below = [f"{value:.2f} {Path(searched.shown[row]).name}" for row, value in pairs]
        save_image(
            captioned_grid(np.stack([searched.image(row).numpy() for row in rows]), below, COLUMNS), arguments.out
        )
        print(arguments.out)
    if arguments.save is not None:
        save_collection(
            arguments.run, arguments.save, opened.net, names=searched.names, titles=searched.titles,
            images=searched.images(), vectors=searched.vectors, sentence=arguments.sentence,
        )  # fmt: skip
        print(arguments.save)
    if searched.bad:
        named = some([f"{path} ({why})" for path, why in searched.bad.items()], 20)
        raise UserError(f"{len(searched.bad)} of the images could not be used and were left out: {named}.")
    return 0


@dataclass(frozen=True)
class Searched:
    """The images that a sentence is compared with. `names` are unique, `titles` what people read, `shown` what is
    printed; `image` gives the pixels of one, and `bad` says why others cannot be read."""

    names: Sequence[str]
    titles: Sequence[str]
    shown: Sequence[str]
    image: Callable[[int], Tensor]
    vectors: Tensor
    bad: Mapping[Path, str]

    def images(self) -> Tensor:
        return torch.stack([self.image(row) for row in range(len(self.names))])


def _searched(opened: OpenedClip, arguments: Search) -> Searched:
    folder = Path(arguments.where)
    if not folder.is_dir():
        return _of_source(opened, arguments)
    found, bad = find_images([folder])
    place = arguments.index or arguments.run / INDEX
    if arguments.index is not None:
        inputs = [*found, *(path for path in arguments.run.rglob("*") if path.name != INDEX)]
        prepare_file(place, overwrite=True, inputs=inputs, option="--index")  # what it may replace: below
    index = Index(place, sha256(arguments.run / "model.safetensors"))
    if place.exists() and not index.vectors and arguments.index is not None and not arguments.overwrite:
        raise UserError(
            f"--index {place} is no index of this model's vectors. Give another name, or --overwrite to replace it."
        )
    bad = bad | index.update([*found], opened.vectors, opened.channels, opened.image_size)
    files, vectors = index.of([*found])
    if not files:
        named = some([f"{path} ({why})" for path, why in bad.items()], 20)
        raise UserError(f"No image in {folder} could be used: {named}.")
    names = [found[path].as_posix() for path in files]
    return Searched(names, names, [str(path) for path in files], lambda row: opened.read(files[row]), vectors, bad)


def _of_source(opened: OpenedClip, arguments: Search) -> Searched:
    if arguments.where.startswith((".", "/", "~")) or "/" in arguments.where:
        raise UserError(f"There is no folder {arguments.where}.")
    config = opened.run.config
    test = open_source(arguments.where, config.loader, config.seed).test
    if test.schema["image"].shape != (opened.channels, opened.image_size, opened.image_size):
        raise UserError(f"The images of {arguments.where} have another size than those that the model reads.")
    pixels = resident(test).tensors["image"]
    names = [str(row) for row in range(len(test))]
    said = captions_in(test) if "caption" in test.schema else names
    shown = [f"{row:5d}  {caption}" for row, caption in enumerate(said)]
    return Searched(names, said, shown, lambda row: pixels[row], opened.vectors(pixels), {})


# ------------------------------------------------------------------------------------------------- zero-shot


def zero_shot(arguments: ZeroShot) -> int:
    """Print the sentences that describe each image best, and their probabilities among all of them."""
    check_number("--top", arguments.top, 1)
    opened = OpenedClip.of(arguments.run, arguments.device)
    labels = tuple(dict.fromkeys(arguments.labels)) or opened.run.predictor.signature.outputs[0].labels
    if len(labels) < 2:
        raise UserError("A choice needs two sentences at least: --labels 'a red seven' 'a blue one'.")
    text = opened.encode(labels)
    if not arguments.images and arguments.save is None:
        raise UserError("No images were given. Name image files, or folders of them, after the run, or use --save.")
    if arguments.save is not None:
        _save(opened, labels, arguments)
    found, bad = find_images(arguments.images)
    width = max((len(str(path)) for path in found), default=0)
    scale = opened.net.scale().item()
    for path in found:
        try:
            image = opened.vectors(opened.read(path)[None])[0]
        except Unreadable as error:
            bad[path] = str(error)
            continue
        best = (scale * text @ image).softmax(0).topk(min(arguments.top, len(labels)))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        said = ", ".join(f"{labels[i]} {p:.3f}" for i, p in pairs)
        print(f"{path!s:<{width}}  {said}")
    if bad:
        named = some([f"{path} ({why})" for path, why in bad.items()], 20)
        raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")
    return 0


def _prepare_model(folder: Path, run: Path, *, overwrite: bool) -> None:
    """Make the folder of a model that is saved. Raises `UserError` if it is the run's that it is made from."""
    if run.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UserError(f"--save {folder} is within the run that is read, and would replace it. Choose another folder.")
    prepare(folder, ["model.json"], overwrite=overwrite, option="--save")


def _save(opened: OpenedClip, labels: Sequence[str], arguments: ZeroShot) -> None:
    """A model whose classes are these sentences."""
    assert arguments.save is not None
    manifest, folder = read_manifest(arguments.run), arguments.save
    _prepare_model(folder, arguments.run, overwrite=arguments.overwrite)
    config = manifest.config | {"prompts": list(labels)}
    files = read_files(arguments.run)
    predictor = build_clip(config, files)
    predictor.net = opened.net
    golden = load_file(arguments.run / GOLDEN)
    save_model(
        folder,
        predictor,
        package=manifest.package,
        recipe=manifest.recipe,
        builder=manifest.builder,
        config=config,
        golden={"image": golden["input.image"]},
        preprocessing=dict(manifest.preprocessing),
        labels=labels,
        files=files,
    )
    print(folder)


# -------------------------------------------------------------------------------------------------- evaluate


def evaluate(arguments: Evaluate) -> int:
    """Score retrieval, zero-shot classes and swapped captions on the test part, beside the baselines; draw what a few
    sentences find."""
    opened = OpenedClip.of(arguments.run, "auto")
    config = opened.run.config
    assert isinstance(config, ClipConfig)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json", "search.png"], overwrite=arguments.overwrite)
    source = open_source(config.data, config.loader, config.seed)
    rest, _ = held_out(resident(source.train), config.valid_fraction, config.seed)
    found = compared(opened.net, opened.texts, rest, source.test)
    write_json(folder / "evaluation.json", found)
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value:.4f}" if isinstance(value, float) else f"{name:<{width}}  {value}")
    draw_searches(opened, source.test, folder / "search.png")
    print(folder)
    return 0


def draw_searches(opened: OpenedClip, test: Dataset, file: Path) -> None:
    """A row of images for each of a few test captions, the best first, each above its own caption."""
    images, captions = resident(test).tensors["image"], captions_in(test)
    longest = sorted(dict.fromkeys(captions), key=lambda text: (len(text.split()) == 7, text), reverse=True)
    sentences = longest[:: max(1, len(longest) // SHOWN)][:SHOWN]
    vectors, shown, below = opened.vectors(images), [], []
    for sentence, vector in zip(sentences, opened.encode(sentences), strict=True):
        for place, row in enumerate((vectors @ vector).topk(min(COLUMNS, len(images))).indices.tolist()):
            mark = "right" if captions[row] == sentence else "wrong"
            shown.append(images[row].numpy())
            below.append(f"“{sentence}” finds: {captions[row]} ({mark})" if not place else f"{captions[row]} ({mark})")
    save_image(captioned_grid(np.stack(shown), below, min(COLUMNS, len(images))), file)
