"""From a configuration to an experiment of speech synthesis: sentences, net, task, baselines, and the model to save."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from torchworks.seq_models.data.spoken_text import SYMBOLS
from torchworks.seq_models.synthesis.config import SpeakConfig
from torchworks.seq_models.synthesis.fastspeech_task import FastSpeechTask
from torchworks.seq_models.synthesis.judge import Listener, can_listen, error_rate, is_digits, words_of
from torchworks.seq_models.synthesis.net import FASTSPEECH, SpeechNet
from torchworks.seq_models.synthesis.plots import Column, speech_image
from torchworks.seq_models.synthesis.predictor import (
    BUILDER,
    PRONUNCIATIONS,
    TOKENIZER,
    build_speaker,
    known_words,
)
from torchworks.seq_models.synthesis.prepare import scale_of, spoken_frames, texts_of
from torchworks.seq_models.synthesis.saying import say_phonemes
from torchworks.seq_models.synthesis.spectrogram import RATE, MelToSound, sounds_of
from torchworks.seq_models.synthesis.tacotron_task import TacotronTask
from torchworks.shared.data import BucketOrder, Dataset, LoaderFactory, TensorDataset, held_out, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.task import Preview, Task
from torchworks.shared.training.experiment import Experiment

GOLDEN = ("three one four, nine", "turn the light on")


def build(config: SpeakConfig, device: Device) -> Experiment:
    """A model that speaks as a source does. Raises `UserError` for data without sentences that are spoken."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("phonemes", "seconds", "pitch", "audio", "text")
    rest, held = held_out(source.train, config.valid_fraction, config.seed)
    train, test = spoken_frames(rest), spoken_frames(source.test)
    speakers = source.schema["speaker"].size
    net = SpeechNet(config.model, dataclasses.asdict(config.net), speakers).set_scale(scale_of(train))
    show = shower(test, config) if config.pictured else None
    options = {"lr": config.optim.lr, "weight_decay": config.weight_decay, "show": show}
    task: Task
    if config.model == FASTSPEECH:
        task = FastSpeechTask(net, **options)
    else:
        aligned = round(config.aligned_share * config.trainer.steps)
        task = TacotronTask(net, guided=config.guided, stop_weight=config.stop_weight, aligned_steps=aligned, **options)
    if held is None:
        task.watch = None  # nothing to select by, so the last state is kept
    loaders = LoaderFactory(config, device)
    place = (config.trainer.batch_size, config.seed, device.rank, device.world)
    return Experiment(
        task=task,
        train=loaders.training(train, order=BucketOrder(len(train), *place, lengths=train.tensors["mel_length"])),
        select=loaders.ordered(spoken_frames(held) if held is not None else test),
        test=loaders.ordered(test),
        sources=(source,),
        models=(_model(config, net, speakers),),
        baselines=lambda: {**spoken_scores(net, test, source.test, config), **constant_duration(config, train, test)},
    )


def rows_of(dataset: TensorDataset, count: int) -> tuple[list[Tensor], list[Tensor], list[str], list[int]]:
    """Phonemes, true log-mels, texts and voices of the first sentences."""
    rows = [dataset[i] for i in range(min(count, len(dataset)))]
    return (
        [row["phonemes"] for row in rows], [row["mel"] for row in rows], texts_of(dataset)[: len(rows)],
        [int(row["speaker"]) for row in rows],
    )  # fmt: skip


# ---- shown during training


def shower(test: TensorDataset, config: SpeakConfig) -> Callable[[SpeechNet], Mapping[str, Preview]]:
    """Makes what is shown at each evaluation: test sentences as sound, and their spectrograms beside the true ones."""
    phonemes, true, texts, speakers = rows_of(test, config.pictured)
    vocoder = MelToSound(config.iterations)

    def show(net: SpeechNet) -> dict[str, Preview]:
        said = say_phonemes(net, phonemes, speakers=speakers)
        names = ([SYMBOLS[int(each) - 1] for each in row] for row in phonemes)
        columns: list[Column] = [
            (text, (("true", mel), ("model", each.mel)), each.attention, row)
            for text, mel, each, row in zip(texts, true, said, names, strict=True)
        ]
        sounds = sounds_of([each.mel for each in said], vocoder)
        found: dict[str, Preview] = {f"sentence-{i}": (sound, RATE) for i, sound in enumerate(sounds, 1)}
        return found | {"spectrograms": speech_image(columns)}

    return show


# ---- scores


def spoken_scores(net: SpeechNet, test: TensorDataset, source: Dataset, config: SpeakConfig) -> dict[str, float]:
    """How well test sentences of digits are understood: said by the model, by the speaker itself, and by Griffin-Lim
    from the speaker's true spectrograms; and the share of sentences that the model ended by itself."""
    texts = texts_of(test)
    chosen = [i for i, text in enumerate(texts) if is_digits(text)][: config.heard]
    if not chosen:
        return {}
    rows = [test[i] for i in chosen]
    said = say_phonemes(net, [row["phonemes"] for row in rows], speakers=[int(row["speaker"]) for row in rows])
    scores = {} if config.model == FASTSPEECH else {"stopped": sum(each.stopped for each in said) / len(said)}
    if not can_listen():
        return scores
    vocoder = MelToSound(config.iterations)
    true = [source[i]["audio"] for i in chosen]
    told = {
        "wer": sounds_of([each.mel for each in said], vocoder),
        "griffin_lim_wer": sounds_of([row["mel"] for row in rows], vocoder),
        "speaker_wer": true,
    }
    right = [words_of(texts[i]) for i in chosen]
    return scores | {name: heard_wrong(sounds, right) for name, sounds in told.items()}


def heard_wrong(sounds: Sequence[Tensor], right: Sequence[Sequence[str]]) -> float:
    """The word error rate of pocketsphinx."""
    listener = Listener()
    return error_rate(right, [listener.hear(each.numpy()) for each in sounds])


def constant_duration(config: SpeakConfig, train: TensorDataset, test: TensorDataset) -> dict[str, float]:
    """The error of durations where each phoneme always takes its median of training, in ms."""
    if config.model != FASTSPEECH:
        return {}
    from torchworks.seq_models.synthesis.fastspeech_task import MILLISECONDS

    medians = torch.zeros(len(SYMBOLS) + 1)
    for number in range(1, len(medians)):
        found = train.tensors["frames"][train.tensors["phonemes"] == number]
        medians[number] = found.float().median() if len(found) else 0.0
    phonemes = test.tensors["phonemes"]
    wrong = (medians[phonemes] - test.tensors["frames"]).abs()[phonemes != 0]
    return {"median_duration_error": float(wrong.mean()) * MILLISECONDS}


# ---- the model


def _model(config: SpeakConfig, net: SpeechNet, speakers: int) -> TrainedModel:
    tokenizer, known = known_words()
    files = {TOKENIZER: tokenizer.to_json(), PRONUNCIATIONS: json.dumps(known).encode()}
    described = {
        "model": config.model, "net": dataclasses.asdict(config.net), "speakers": speakers,
        "iterations": config.iterations,
    }  # fmt: skip
    texts = [tokenizer.encode(text) for text in GOLDEN]
    width = max(map(len, texts))
    golden = {"text": torch.tensor([row + [0] * (width - len(row)) for row in texts])}
    for spec in build_speaker(described, files).signature.inputs[1:]:
        golden[spec.name] = torch.full((len(texts), 1), float(spec.default or 0))
    return TrainedModel(
        builder=BUILDER, config=described, net=net, golden=golden, files=files,
        preprocessing={"text": {"tokenizer": TOKENIZER}}, tolerance=1e-2,
    )  # fmt: skip
