"""From a configuration to an experiment of pronunciation: words, alignments, net, task, baselines, model to save."""

import dataclasses
import json
from collections.abc import Callable, Sequence

import torch

from torchworks.seq_models.data.pairs import Pair, pairs_in
from torchworks.seq_models.data.pronunciations import Dictionary, by_word, divided
from torchworks.seq_models.models.aligned_seq2seq import AlignedSeq2Seq
from torchworks.seq_models.pronunciation.alignment import Aligner, Units
from torchworks.seq_models.pronunciation.baselines import baselines
from torchworks.seq_models.pronunciation.config import PronunciationConfig
from torchworks.seq_models.pronunciation.decoding import CANDIDATES, Chooser, pronounced
from torchworks.seq_models.pronunciation.joint import ALIGNED, JointNGram, aligned_json
from torchworks.seq_models.pronunciation.predictor import BUILDER, TOKENIZER, shown
from torchworks.seq_models.pronunciation.task import Pronunciation
from torchworks.shared.config import UserError
from torchworks.shared.data import (
    BucketOrder,
    Field,
    LoaderFactory,
    Schema,
    TensorDataset,
    open_source,
    pad_to_longest,
)
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.text import Characters, Tokenizer
from torchworks.shared.training.experiment import Experiment

DICTIONARY = "dictionary.json"
"""Of the words that the model was trained on: their pronunciations."""
KEPT = 256
"""Test words that are kept with the model."""
MOST_SOUNDS = 400
"""Different ones, of which pairs are counted for each letter."""
Aligned = list[tuple[Pair, Units]]


def build(config: PronunciationConfig, device: Device) -> Experiment:
    """A model that says how the words of a source sound. Raises `UserError` for data that are no pronunciations."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("source", "target")
    known, test = by_word(list(pairs_in(source.train))), by_word(list(pairs_in(source.test)))
    rest, held = divided(known, config.valid_fraction, config.seed) if config.valid_fraction else (_pairs(known), [])
    rest, valid = (rest, by_word(held)) if rest else (_pairs(known), {})
    aligned = align(rest, config)
    tokenizer = Characters.train(word for (word, _), _ in aligned)
    units = ["", *sorted({unit for _, each in aligned for unit in each})]  # 0 is padding
    net = AlignedSeq2Seq(len(tokenizer), len(units), **dataclasses.asdict(config.net))
    tested, held_words = _short(test, config.longest), _short(valid, config.longest)
    task = Pronunciation(
        net, words=[*tested.values(), *held_words.values()], names=shown(units), lr=config.optim.lr,
        weight_decay=config.weight_decay, beams=config.beams,
    )  # fmt: skip
    if not held_words:
        task.watch = None  # nothing to select by, so the last state is kept
    train = to_learn(aligned, tokenizer, units)
    loaders = LoaderFactory(config, device)
    place = (config.trainer.batch_size, config.seed, device.rank, device.world)
    order = BucketOrder(len(train), *place, lengths=train.tensors["letters_length"])
    scored = to_score(tested, tokenizer, 0)
    return Experiment(
        task=task,
        train=loaders.training(train, order=order),
        select=loaders.ordered(to_score(held_words, tokenizer, len(tested)) if held_words else scored),
        test=loaders.ordered(scored),
        sources=(source,),
        models=(_model(config, net, tokenizer, units, scored, known, aligned),),
        baselines=lambda: baselines(
            [pair for pair, _ in aligned],
            [each for _, each in aligned],
            tested,
            net_and_ngrams(net, tokenizer, shown(units), config.ngram_weight) if config.ngram_weight else None,
        ),
    )


def align(pairs: Sequence[Pair], config: PronunciationConfig) -> Aligned:
    """The pairs that can be learned, with their units. Raises `UserError` if there are none."""
    pairs = [pair for pair in pairs if len(pair[0]) <= config.longest]
    sounds = {sound for _, said in pairs for sound in said.split()}
    if len(sounds) > MOST_SOUNDS:
        raise UserError(
            f"{config.data} has {len(sounds)} different sounds, and {MOST_SOUNDS} are the most: are they words? Sounds "
            "stand with spaces between them, as in `W EH DH ER`."
        )
    found = Aligner(pairs, config.seed).align(pairs) if pairs else []
    aligned = [(pair, units) for pair, units in zip(pairs, found, strict=True) if units is not None]
    if not aligned:
        raise UserError(
            f"No word of {config.data} can be learned: words have up to {config.longest} letters (--longest) and at "
            "most two sounds for each."
        )
    return aligned


def to_learn(aligned: Aligned, tokenizer: Tokenizer, units: Sequence[str]) -> TensorDataset:
    """Samples with the ragged fields `letters` and `units`."""
    numbers = {unit: i for i, unit in enumerate(units) if i}
    letters, length = pad_to_longest([torch.tensor(tokenizer.encode(word)) for (word, _), _ in aligned])
    made, _ = pad_to_longest([torch.tensor([numbers[unit] for unit in each]) for _, each in aligned])
    fields = (
        Field("letters", "tokens", letters.shape[1:], vocabulary=len(tokenizer), ragged=True),
        Field("units", "tokens", made.shape[1:], vocabulary=len(units), ragged=True),
    )
    tensors = {"letters": letters, "letters_length": length, "units": made, "units_length": length}
    return TensorDataset(tensors, Schema(fields))


def to_score(words: Dictionary, tokenizer: Tokenizer, first: int) -> TensorDataset:
    """Samples with the ragged field `letters` and `word`, their numbers from `first` on."""
    letters, length = pad_to_longest([torch.tensor(tokenizer.encode(word)) for word in words])
    fields = (
        Field("letters", "tokens", letters.shape[1:], vocabulary=len(tokenizer), ragged=True),
        Field("word", "id", (), size=first + len(words)),
    )
    tensors = {"letters": letters, "letters_length": length, "word": first + torch.arange(len(words))}
    return TensorDataset(tensors, Schema(fields))


def net_and_ngrams(
    net: AlignedSeq2Seq, tokenizer: Tokenizer, names: Sequence[str], weight: float
) -> Callable[[Sequence[str], JointNGram], dict[str, str]]:
    """A function from words and n-grams to the pronunciation of each word, by both together."""

    def chosen(words: Sequence[str], joint: JointNGram) -> dict[str, str]:
        rows = [tokenizer.encode(word) for word in words]
        found = pronounced(net, rows, names, CANDIDATES, words=words, chooser=Chooser(joint, weight))
        return {word: each[0].sounds for word, each in zip(words, found, strict=True)}

    return chosen


def _pairs(words: Dictionary) -> list[Pair]:
    return [(word, said) for word, each in words.items() for said in each]


def _short(words: Dictionary, longest: int) -> Dictionary:
    return {word: said for word, said in words.items() if len(word) <= longest}


def _model(
    config: PronunciationConfig,
    net: AlignedSeq2Seq,
    tokenizer: Tokenizer,
    units: Sequence[str],
    test: TensorDataset,
    known: Dictionary,
    aligned: Aligned,
) -> TrainedModel:
    step = -(-len(test) // KEPT)
    letters = test.tensors["letters"][::step]
    field = Field("letters", "tokens", letters.shape[1:], vocabulary=len(tokenizer))
    return TrainedModel(
        builder=BUILDER,
        config={"units": list(units), "longest": config.longest, "net": dataclasses.asdict(config.net)},
        net=net,
        test=TensorDataset({"letters": letters}, Schema((field,))),
        inputs={"text": "letters"},
        preprocessing={"text": {"tokenizer": TOKENIZER}},
        files={
            TOKENIZER: tokenizer.to_json(),
            DICTIONARY: json.dumps(known).encode(),
            ALIGNED: aligned_json([(word, each) for (word, _), each in aligned]),
        },
    )
