"""From a configuration to an experiment of translation: pairs, tokens, net, task, baselines, and the model to save."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import nn

from torchworks.seq_models.data.numbers import NAME as NUMBERS
from torchworks.seq_models.data.numbers import longer_pairs
from torchworks.seq_models.data.pairs import Pair, pairs_in
from torchworks.seq_models.data.token_stream import END, SPECIALS
from torchworks.seq_models.translation.baselines import baselines
from torchworks.seq_models.translation.config import TranslationConfig
from torchworks.seq_models.translation.decoding import aligned, translated
from torchworks.seq_models.translation.metrics import scores
from torchworks.seq_models.translation.plots import alignments_image
from torchworks.seq_models.translation.predictor import BUILDER, TOKENIZER, answer_limit, new_net
from torchworks.seq_models.translation.task import Translation
from torchworks.shared.config import UserError
from torchworks.shared.data import (
    BucketOrder,
    Field,
    LoaderFactory,
    Schema,
    TensorDataset,
    held_out,
    open_source,
    pad_to_longest,
)
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.task import Preview
from torchworks.shared.text import ByteLevelBPE, Tokenizer
from torchworks.shared.training.experiment import Experiment

KEPT = 256
"""Test texts that are kept with the model."""


def build(config: TranslationConfig, device: Device) -> Experiment:
    """A model that translates the pairs of a source. Raises `UserError` for data without pairs."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("source", "target")
    rest, held = held_out(source.train, config.valid_fraction, config.seed)
    train, test = list(pairs_in(rest)), list(pairs_in(source.test))
    tokenizer = new_tokenizer(train, config.vocabulary)
    net = new_net(config.model, dataclasses.asdict(config.net), len(tokenizer))
    tokens = partial(tokenized, tokenizer=tokenizer, longest=config.longest)
    scored = tokens(test, what="test")
    task = Translation(
        net, lr=config.optim.lr, weight_decay=config.weight_decay, label_smoothing=config.label_smoothing,
        show=shower(test[: config.pictured], tokenizer, config.longest) if config.pictured else None,
    )  # fmt: skip
    if held is None:
        task.watch = None  # nothing to select by, so the last state is kept
    loaders = LoaderFactory(config, device)
    learnt = tokens(train, what="training")
    lengths = learnt.tensors["source_length"] + learnt.tensors["target_length"]
    place = (config.trainer.batch_size, config.seed, device.rank, device.world)
    return Experiment(
        task=task,
        train=loaders.training(learnt, order=BucketOrder(len(learnt), *place, lengths=lengths)),
        select=loaders.ordered(tokens(list(pairs_in(held)), what="validation") if held is not None else scored),
        test=loaders.ordered(scored),
        sources=(source,),
        models=(_model(config, net, tokenizer, scored),),
        baselines=lambda: {
            **baselines(train, test, tokenizer),
            **unseen_lengths(config, net, tokenizer),
        },
    )


def new_tokenizer(train: Sequence[Pair], size: int) -> Tokenizer:
    """Byte pairs that both languages have in common, from the training pairs."""
    return ByteLevelBPE.train((text for pair in train for text in pair), size=size, specials=SPECIALS)


def tokenized(pairs: Sequence[Pair], tokenizer: Tokenizer, longest: int, what: str) -> TensorDataset:
    """Samples with the ragged fields `source` and `target`, which ends by the token that ends a text. Pairs of which
    one side has more than `longest` tokens are left out: a part of a text has no translation. Raises `UserError` if
    that leaves nothing."""
    end = tokenizer.special(END)
    assert end is not None
    rows = [(tokenizer.encode(a), [*tokenizer.encode(b), end]) for a, b in pairs]
    rows = [row for row in rows if max(map(len, row)) <= longest]
    if not rows:
        raise UserError(
            f"None of the {len(pairs)} {what} pairs fits into {longest} tokens on both sides. Raise --longest."
        )
    tensors, fields = {}, []
    for name, side in zip(("source", "target"), zip(*rows, strict=True), strict=True):
        tensors[name], tensors[f"{name}_length"] = pad_to_longest([torch.tensor(ids) for ids in side])
        fields.append(Field(name, "tokens", (tensors[name].shape[1],), vocabulary=len(tokenizer), ragged=True))
    return TensorDataset(tensors, Schema(tuple(fields)))


def shower(test: Sequence[Pair], tokenizer: Tokenizer, longest: int) -> Callable[[nn.Module], Mapping[str, Preview]]:
    """Makes what is shown during training: translations of test texts, and a picture of what was looked at."""

    def show(net: nn.Module) -> dict[str, Preview]:
        lines, drawn = [], []
        for source, target in test:
            found, picture = aligned(net, tokenizer, tokenizer.encode(source)[:longest], longest)
            lines.append(f"{source} → {found}" + ("" if found == target else f"   (right: {target})"))
            drawn.append(picture)
        return {"translations": "\n".join(lines), "attention": alignments_image(drawn)}

    return show


def unseen_lengths(config: TranslationConfig, net: nn.Module, tokenizer: Tokenizer) -> dict[str, float]:
    """Of the source `numbers`: exact match of texts that are longer than any in training."""
    kind, _, rest = config.data.partition(":")
    if kind != NUMBERS:
        return {}
    pairs = longer_pairs(rest, config.seed)
    net.eval()
    rows = [tokenizer.encode(source) for source, _ in pairs]
    found = translated(net, tokenizer, rows, 4 * answer_limit(config.longest))
    return {"longer_exact_match": scores(found, [target for _, target in pairs])["exact_match"]}


def _model(config: TranslationConfig, net: nn.Module, tokenizer: Tokenizer, test: TensorDataset) -> TrainedModel:
    return TrainedModel(
        builder=BUILDER,
        config={"model": config.model, "longest": config.longest, "net": dataclasses.asdict(config.net)},
        net=net,
        test=_kept(test, config.longest),
        inputs={"text": "tokens", "length": "length"},
        preprocessing={"text": {"tokenizer": TOKENIZER}},
        files={TOKENIZER: tokenizer.to_json()},
    )


def _kept(test: TensorDataset, longest: int) -> TensorDataset:
    """Sources of the test part, evenly spread."""
    step = -(-len(test) // KEPT)
    tokens, length = test.tensors["source"][::step], test.tensors["source_length"][::step]
    vocabulary = test.schema["source"].vocabulary
    fields = (
        Field("tokens", "tokens", tokens.shape[1:], vocabulary=vocabulary),
        Field("length", "id", (), size=longest + 1),
    )
    return TensorDataset({"tokens": tokens, "length": length}, Schema(fields))
