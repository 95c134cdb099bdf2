"""From a configuration to an experiment of recognition: sounds, spectrograms, letters, net, baselines, and the model to
save."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.seq_models.data.utterances import Utterance, utterances_in
from torchworks.seq_models.models.ctc_recognizer import CTCRecognizer
from torchworks.seq_models.recognition.baselines import baselines
from torchworks.seq_models.recognition.config import RecognizerConfig
from torchworks.seq_models.recognition.decoding import greedy
from torchworks.seq_models.recognition.language import LetterModel
from torchworks.seq_models.recognition.predictor import BUILDER, LANGUAGE, mel_config, new_net
from torchworks.seq_models.recognition.task import Recognition
from torchworks.seq_models.sound.mel import LogMel
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
from torchworks.shared.data.listing import some
from torchworks.shared.machine.device import Device
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import load_predictor, read_files
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.task import Preview
from torchworks.shared.training.experiment import Experiment

LETTERS = " '-abcdefghijklmnopqrstuvwxyz"
"""Every alphabet begins with these, so that a model can be adapted to words that have other letters."""
KEPT = 24
"""Test sounds that are kept with the model."""
SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Start:
    """A finished run that training begins with."""

    alphabet: tuple[str, ...]
    weights: dict[str, Tensor]
    texts: list[str]
    data: str
    seed: int


def build(config: RecognizerConfig, device: Device) -> Experiment:
    """A recogniser of the sounds of a source. Raises `UserError` for sounds without transcripts, or with other letters
    than those of the run that it begins with."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("audio", "text")
    start = None if config.init_from is None else opened(config.init_from, config)
    rest, held = held_out(source.train, config.valid_fraction, config.seed)
    train, test = utterances_in(rest), utterances_in(source.test)
    alphabet = alphabet_of(train) if start is None else start.alphabet
    if start is not None and config.replay:
        train += replayed(config, start)
    mel = LogMel(mel_config(dataclasses.asdict(config.front), config.loader.rate))
    net = new_net(dataclasses.asdict(config.net), dataclasses.asdict(config.front), len(alphabet))
    if start is not None:
        net.load_state_dict(start.weights)
    parts = [prepared(part, mel, alphabet, net, config.data) for part in (train, test)]
    valid = prepared(utterances_in(held), mel, alphabet, net, config.data) if held is not None else None
    task = Recognition(
        net, lr=config.optim.lr, weight_decay=config.weight_decay, alphabet=alphabet, augment=config.augment,
        show=shower(parts[1], alphabet),
    )  # fmt: skip
    if valid is None:
        task.watch = None  # nothing to select by, so the last state is kept
    texts = [item.text for item in train] + ([] if start is None else start.texts)
    language = LetterModel(texts, alphabet, config.order)
    loaders = LoaderFactory(config, device, evaluation_batch=64)
    place = (config.trainer.batch_size, config.seed, device.rank, device.world)
    order = BucketOrder(len(parts[0]), *place, lengths=parts[0].tensors["mel_length"])
    return Experiment(
        task=task,
        train=loaders.training(parts[0], order=order),
        select=loaders.ordered(valid if valid is not None else parts[1]),
        test=loaders.ordered(parts[1]),
        sources=(source,),
        models=(_model(config, net, alphabet, language, test),),
        baselines=lambda: baselines(net, parts[1], language, train, test, config.loader.rate, config.seed),
    )


def alphabet_of(items: Sequence[Utterance]) -> tuple[str, ...]:
    """The usual letters, and those that the transcripts have besides."""
    return (*LETTERS, *sorted({sign for item in items for sign in item.text} - set(LETTERS)))


def opened(folder: Path, config: RecognizerConfig) -> Start:
    """The run that training begins with. Raises `UserError` for a run of another kind or with other sizes."""
    from torchworks.shared.runs.files import check_finished, load_config

    check_finished(folder)
    manifest = read_manifest(folder)
    if manifest.builder != BUILDER:
        raise UserError(f"{folder} is no recogniser of speech. Use --init-from with a run of recognise.")
    before = load_config(folder)
    assert isinstance(before, RecognizerConfig)
    for name in ("net", "front"):
        if getattr(before, name) != getattr(config, name):
            raise UserError(
                f"{folder} has other options --{name}.* than this training, so its weights do not fit. Use the recipe "
                f"{before.recipe}, with the options of that run."
            )
    if manifest.config["rate"] != config.loader.rate:
        raise UserError(
            f"{folder} hears {manifest.config['rate']:,} samples a second, and --loader.rate is "
            f"{config.loader.rate:,}. Use --loader.rate {manifest.config['rate']}."
        )
    weights = load_predictor(folder).net.state_dict()
    texts = LetterModel.from_json(read_files(folder)[LANGUAGE]).texts
    return Start(tuple(manifest.config["alphabet"]), weights, texts, before.data, before.seed)


def replayed(config: RecognizerConfig, start: Start) -> list[Utterance]:
    """The first training sounds of the run that training begins with."""
    kind, _, rest = start.data.partition(":")
    data = f"{kind}:{rest}{',' if rest else ''}train={config.replay},test=1" if kind == "spoken" else start.data
    return utterances_in(open_source(data, config.loader, start.seed).train)[: config.replay]


@torch.no_grad()
def prepared(
    items: Sequence[Utterance], mel: LogMel, alphabet: Sequence[str], net: CTCRecognizer, data: str
) -> TensorDataset:
    """Samples with the ragged fields `mel`, float32 (T, M), and `letters`, numbers from 1 on. Raises `UserError` for
    transcripts with other characters, and leaves out sounds too short for their letters."""
    numbers = {sign: i for i, sign in enumerate(alphabet, 1)}
    _check_letters(items, numbers, data)
    spectrograms, letters = [], []
    for item in items:
        ids = [numbers[sign] for sign in item.text]
        found = mel(torch.from_numpy(item.audio)[None])[0].T.contiguous()
        repeats = sum(a == b for a, b in pairwise(ids))
        if int(net.frames(torch.tensor(len(found)))) >= len(ids) + repeats:
            spectrograms.append(found)
            letters.append(torch.tensor(ids))
    if not letters:
        raise UserError(f"No sound of {data} is long enough for its transcript, so nothing can be learnt from them.")
    tensors = {}
    tensors["mel"], tensors["mel_length"] = pad_to_longest(spectrograms)
    tensors["letters"], tensors["letters_length"] = pad_to_longest(letters)
    fields = (
        Field("mel", "series", tuple(tensors["mel"].shape[1:]), ragged=True),
        Field("letters", "tokens", tuple(tensors["letters"].shape[1:]), vocabulary=len(alphabet) + 1, ragged=True),
    )
    return TensorDataset(tensors, Schema(fields))


def _check_letters(items: Sequence[Utterance], numbers: Mapping[str, int], data: str) -> None:
    strange = {sign: item for item in items for sign in item.text if sign not in numbers}
    if strange:
        named = [f"{sign!r} in '{item.text[:40]}'" for sign, item in sorted(strange.items())]
        raise UserError(
            f"Transcripts of {data} have characters that the training transcripts have not: {some(named, 5)}. Write "
            "them in other letters, or train on sounds that have them."
        )


def shower(test: TensorDataset, alphabet: Sequence[str]) -> Callable[[nn.Module], Mapping[str, Preview]]:
    """Makes what is shown during training: what test sounds are recognised as."""
    some_of = test.subset(range(min(SHOWN, len(test))))

    @torch.no_grad()
    def show(net: nn.Module) -> dict[str, Preview]:
        device = next(net.parameters()).device
        found, frames = net(some_of.tensors["mel"].to(device), some_of.tensors["mel_length"].to(device))
        lines = []
        for i, text in enumerate(greedy(found, frames, alphabet)):
            right = "".join(alphabet[k - 1] for k in some_of[i]["letters"].tolist())
            lines.append(text if text == right else f"{text}   (right: {right})")
        return {"transcripts": "\n".join(lines)}

    return show


def _model(
    config: RecognizerConfig, net: nn.Module, alphabet: Sequence[str], language: LetterModel, test: Sequence[Utterance]
) -> TrainedModel:
    step = max(1, len(test) // KEPT)
    audio, length = pad_to_longest([torch.from_numpy(item.audio) for item in test[::step][:KEPT]])
    fields = (
        Field("audio", "audio", tuple(audio.shape[1:]), rate=config.loader.rate),
        Field("length", "id", (), size=audio.shape[1] + 1),
    )
    kept: dict[str, Any] = {"audio": audio, "length": length}
    return TrainedModel(
        builder=BUILDER,
        config={
            "alphabet": list(alphabet),
            "rate": config.loader.rate,
            "front": dataclasses.asdict(config.front),
            "net": {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(config.net).items()},
        },
        net=net,
        test=TensorDataset(kept, Schema(fields)),
        inputs={"audio": "audio", "length": "length"},
        files={LANGUAGE: language.to_json()},
    )
