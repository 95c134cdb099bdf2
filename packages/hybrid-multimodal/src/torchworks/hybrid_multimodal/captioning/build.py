"""From a configuration to an experiment of captioning: images, words, net, task, baselines, the model to save."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import torch

from torchworks.hybrid_multimodal.captioning.config import CaptionConfig
from torchworks.hybrid_multimodal.captioning.predictor import BUILDER, build_captioner
from torchworks.hybrid_multimodal.captioning.scoring import caption_scores, texts_of
from torchworks.hybrid_multimodal.captioning.task import Captioning
from torchworks.hybrid_multimodal.captioning.tokens import TOKENIZER, new_tokenizer, tokenized
from torchworks.hybrid_multimodal.data.parts import parts_of
from torchworks.hybrid_multimodal.models.captioner import STRIDE, Captioner
from torchworks.shared.config import UserError
from torchworks.shared.data import (
    Field,
    LoaderFactory,
    Schema,
    Source,
    TensorDataset,
    held_out,
    open_source,
    resident,
    shift,
)
from torchworks.shared.data.captions import captioned_grid, captions_in
from torchworks.shared.data.tokenized import TokenizedImages
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.task import Preview
from torchworks.shared.text import Tokenizer
from torchworks.shared.training.experiment import Experiment

SHOWN, COLUMNS = 12, 4
"""Test images that are shown above what the model says of them."""
KEPT = 256
"""Test images that are kept with the model."""


def build(config: CaptionConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without captions, or images of a size that is no multiple of 8 pixels."""
    check_size(config)
    source = open_source(config.data, config.loader, config.seed)
    source.need("image", "caption")
    rest, held = held_out(source.train, config.valid_fraction, config.seed)
    tokenizer, longest = words_of(source, config)
    train, test = (tokenized(part, tokenizer, longest) for part in (rest, source.test))
    model = _model(config, source, tokenizer, longest, test)
    predictor = build_captioner(model.config, model.files)
    model.net = net = predictor.net
    task = Captioning(
        net, lr=config.optim.lr, weight_decay=config.weight_decay,
        grey_mix=config.grey_mix and config.model == "factored",
        show=shower(tokenizer, test, config.beams, longest),
    )  # fmt: skip
    if held is None:
        task.watch = None  # nothing to select by, so the last state is kept
    loaders = LoaderFactory(config, device)
    augment = (shift(config.shift),) if config.shift else ()
    return Experiment(
        task=task,
        train=loaders.training(train, augment=augment),
        select=loaders.ordered(test if held is None else tokenized(held, tokenizer, longest)),
        test=loaders.ordered(test),
        sources=(source,),
        models=(model,),
        baselines=lambda: caption_scores(net, tokenizer, train, test, beams=config.beams, longest=longest),
    )


def check_size(config: CaptionConfig) -> None:
    if config.loader.image_size % STRIDE or config.loader.image_size < 4 * STRIDE:
        raise UserError(
            f"--loader.image-size is {config.loader.image_size}; a captioner needs a multiple of {STRIDE} pixels, and "
            f"at least {4 * STRIDE}."
        )


def words_of(source: Source, config: CaptionConfig) -> tuple[Tokenizer, int]:
    """The vocabulary of the training captions, and how many tokens one may have, the end among them."""
    captions = captions_in(source.train)
    tokenizer = new_tokenizer(captions, config.vocabulary)
    return tokenizer, 1 + min(config.longest, max(len(tokenizer.encode(text)) for text in {*captions}))


def _model(
    config: CaptionConfig, source: Source, tokenizer: Tokenizer, longest: int, test: TokenizedImages
) -> TrainedModel:
    channels, size, _ = source.schema["image"].shape
    return TrainedModel(
        builder=BUILDER,
        config={
            "channels": channels,
            "image_size": size,
            "longest": longest,
            "beams": config.beams,
            "model": config.model,
            "net": dataclasses.asdict(config.net),
        },
        net=torch.nn.Identity(),
        test=_kept(test),
        inputs={"image": "image"},
        preprocessing={
            "image": {"size": size, "mode": "L" if channels == 1 else "RGB", "range": [0, 255]},
            "caption": {"tokenizer": TOKENIZER},
        },
        files={TOKENIZER: tokenizer.to_json()},
    )


def _kept(test: TokenizedImages) -> TensorDataset:
    """Images of the test part, evenly spread."""
    images = resident(test).tensors["image"]
    images = images[:: -(-len(images) // KEPT)]
    return TensorDataset({"image": images}, Schema((Field("image", "image", tuple(images.shape[1:])),)))


def shower(
    tokenizer: Tokenizer, test: TokenizedImages, beams: int, longest: int
) -> Callable[[Captioner], Mapping[str, Preview]]:
    """Makes what is shown during training: the first test images of each part, above what the model says of them."""
    parts = parts_of(test)
    rows = [row for each in parts.values() for row in each[: SHOWN // len(parts)]]
    images = resident(test).tensors["image"][rows].numpy()

    def show(net: Captioner) -> dict[str, Preview]:
        found = texts_of(net, tokenizer, test, rows, beams=beams, longest=longest)
        sheet = captioned_grid(images, [f"{text} " for text in found], COLUMNS)
        return {"captions": torch.from_numpy(np.array(sheet)).permute(2, 0, 1)}

    return show
