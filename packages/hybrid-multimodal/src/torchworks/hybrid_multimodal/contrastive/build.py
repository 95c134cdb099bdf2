"""CLIP: from a configuration to an experiment."""

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence

import torch

from torchworks.hybrid_multimodal.contrastive.baselines import Pairs, baselines
from torchworks.hybrid_multimodal.contrastive.config import ClipConfig
from torchworks.hybrid_multimodal.contrastive.metrics import PROMPTS, scores
from torchworks.hybrid_multimodal.contrastive.nets import encoder_of, image_vectors, new_net
from torchworks.hybrid_multimodal.contrastive.pairs import TOKENIZER, Texts, tokenized
from torchworks.hybrid_multimodal.contrastive.predictor import BUILDER, Use, predictor_config
from torchworks.hybrid_multimodal.contrastive.task import Contrastive
from torchworks.hybrid_multimodal.data.parts import parts_of
from torchworks.hybrid_multimodal.data.scene_captions import parse_caption
from torchworks.hybrid_multimodal.models.clip import CLIP
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, LoaderFactory, Source, TensorDataset, held_out, open_source, resident
from torchworks.shared.data.augment import shift
from torchworks.shared.data.captions import captions_in
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

MOST_PROMPTS = 100
"""Captions of data other than scenes that the zero-shot model chooses from."""


def build(config: ClipConfig, device: Device) -> Experiment:
    """Raises `UserError` for data without captions, and for a batch of one pair, which teaches nothing."""
    batch = config.trainer.batch_size * device.world
    if batch < 2:
        raise UserError(
            "Contrastive training tells an image's own caption from those of the others in its batch; in a batch of 1 "
            "the loss is always 0. Give --trainer.batch-size at least 2, better 100 or more."
        )
    source = open_source(config.data, config.loader, config.seed)
    source.need("image", "caption")
    rest, held = held_out(resident(source.train), config.valid_fraction, config.seed)
    texts = Texts.of(captions_in(rest), config.vocabulary, config.longest)
    train = tokenized(rest, texts, wrong=config.hard_negatives > 0, seed=config.seed)
    valid, test = tokenized(held or rest, texts), tokenized(source.test, texts)
    channels, size, _ = source.schema["image"].shape
    net = new_net(
        dataclasses.asdict(config.net), vocabulary=texts.end + 1, length=texts.length, image_size=size,
        channels=channels,
    )  # fmt: skip
    task = Contrastive(
        net, lr=config.optim.lr, weight_decay=config.weight_decay, hard_negatives=config.hard_negatives,
        chance=math.log(batch),
    )  # fmt: skip
    loaders = LoaderFactory(config, device, evaluation_batch=batch)
    return Experiment(
        task=task,
        train=loaders.training(train, augment=[shift(config.shift)] if config.shift else []),
        select=loaders.ordered(valid),
        test=loaders.ordered(test),
        sources=(source,),
        models=_models(config, net, texts, source, test),
        baselines=lambda: compared(net, texts, rest, source.test) | {"loss_chance": math.log(batch)},
    )


def compared(net: CLIP, texts: Texts, train: Dataset, test: Dataset) -> dict[str, float]:
    """The scores over the whole of each part of the test data, `seen_…` and `held_…` where there are these, and those
    of the baselines beside."""
    images, captions = resident(test).tensors["image"], captions_in(test)
    vectors, encode = image_vectors(net, images), encoder_of(net, texts)
    known = Pairs(resident(train).tensors["image"], captions_in(train))
    found: dict[str, float] = {}
    for part, rows in parts_of(test).items():
        prefix = part and f"{part}_"
        pairs = Pairs(images, captions).at(rows)
        values = scores(vectors[rows], pairs.captions, encode) | baselines(known, pairs)
        found |= {f"{prefix}{name}": value for name, value in values.items()}
    return found


def prompts_of(captions: Sequence[str]) -> tuple[str, ...]:
    """What the zero-shot model chooses from: of scenes all 60 pairs of color and digit, else the most frequent
    captions."""
    if all(map(parse_caption, captions)):
        return PROMPTS
    return tuple(text for text, _ in Counter(captions).most_common(MOST_PROMPTS))


def _models(
    config: ClipConfig, net: CLIP, texts: Texts, source: Source, test: TensorDataset
) -> tuple[TrainedModel, ...]:
    """The zero-shot model, and the two encoders in folders `image` and `text` of the run."""
    channels, size, _ = source.schema["image"].shape
    captions = captions_in(source.test)
    prompts = prompts_of(captions_in(source.train))

    def model(use: Use, samples: TensorDataset, **options) -> TrainedModel:
        return TrainedModel(
            builder=BUILDER,
            config=predictor_config(
                dataclasses.asdict(config.net), length=texts.length, image_size=size, channels=channels, use=use,
                prompts=prompts if use == "classes" else (),
            ),
            net=net,
            test=samples,
            files={TOKENIZER: texts.tokenizer.to_json()},
            **options,
        )  # fmt: skip

    named = [i for i, caption in enumerate(captions) if caption in prompts]
    labels = torch.tensor([prompts.index(captions[i]) for i in named])
    images = TensorDataset({"image": test.tensors["image"]})
    labelled = TensorDataset({"image": test.tensors["image"][named], "label": labels}) if named else images
    targets = {"probability": "label"} if named else {}
    told = TensorDataset({"text": test.tensors["tokens"].masked_fill(test.tensors["tokens"] == texts.end, 0)[:, :-1]})
    return (
        model("classes", labelled, inputs={"image": "image"}, targets=targets, labels=prompts),
        model("image", images, inputs={"image": "image"}, place="image"),
        model("text", told, inputs={"text": "text"}, preprocessing={"text": {"tokenizer": TOKENIZER}}, place="text"),
    )
