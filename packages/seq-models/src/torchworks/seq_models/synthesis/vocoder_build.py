"""From a configuration to an experiment of a vocoder: sound, its spectrograms, net, task, baselines, model."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from torchworks.seq_models.synthesis.build import heard_wrong
from torchworks.seq_models.synthesis.config import VocodeConfig
from torchworks.seq_models.synthesis.judge import can_listen, is_digits, words_of
from torchworks.seq_models.synthesis.pitch import pitch_of
from torchworks.seq_models.synthesis.plots import Column, speech_image
from torchworks.seq_models.synthesis.spectrogram import (
    HOP,
    RATE,
    MelToSound,
    log_mels,
    mel_distance,
    sounds_of,
)
from torchworks.seq_models.synthesis.vocoder_predictor import BUILDER, Vocoder, new_vocoder
from torchworks.seq_models.synthesis.vocoder_task import VocoderTask
from torchworks.shared.data import (
    Dataset,
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
from torchworks.shared.training.experiment import Experiment

GOLDEN = 60
"""Frames of the golden example."""


def build(config: VocodeConfig, device: Device) -> Experiment:
    """A vocoder that says spectrograms as a source sounds. Raises `UserError` for data without sound."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("audio", "text")
    rest, held = held_out(source.train, config.valid_fraction, config.seed)
    train, test = pieces(rest), pieces(source.test)
    net = new_vocoder(config.model, dataclasses.asdict(config.net))
    real = torch.arange(train.tensors["mel"].shape[1]) < train.tensors["frames"][:, None]
    known = train.tensors["mel"][real]
    net.normalize_by(known.mean(0), known.std(0).clamp_min(0.1))
    true = [row["mel"][: int(row["frames"])] for row in (test[i] for i in range(len(test)))]
    texts = [bytes(source.test[i]["text"].tolist()).decode() for i in range(len(source.test))]
    show = shower(true[: config.pictured], texts) if config.pictured else None
    task = VocoderTask(net, lr=config.optim.lr, segment=config.segment, mel_weight=config.mel_weight, show=show)
    if held is None:
        task.watch = None  # nothing to select by, so the last state is kept
    loaders = LoaderFactory(config, device)
    return Experiment(
        task=task,
        train=loaders.training(train),
        select=loaders.ordered(pieces(held) if held is not None else test),
        test=loaders.ordered(test),
        sources=(source,),
        models=(_model(config, net, test),),
        baselines=lambda: compared(net.eval(), true, source.test, texts, config),
    )


def pieces(dataset: Dataset) -> TensorDataset:
    """Samples with `mel` (T, M), `frames`, how many are real, `pitch` (T,) in Hz and `audio` (T · HOP,), all padded."""
    rows = [dataset[i]["audio"] for i in range(len(dataset))]
    mel, frames = pad_to_longest(log_mels(rows))
    audio, _ = pad_to_longest([row[: len(row) // HOP * HOP] for row in rows])
    pitch, _ = pad_to_longest([pitch_of(row) for row in rows])
    fields = (
        Field("pitch", "series", tuple(pitch.shape[1:])),
        Field("mel", "series", tuple(mel.shape[1:])),
        Field("audio", "audio", tuple(audio.shape[1:]), rate=RATE),
        Field("frames", "id", (), size=mel.shape[1] + 1),
    )
    return TensorDataset({"pitch": pitch, "mel": mel, "audio": audio, "frames": frames}, Schema(fields))


def shower(true: Sequence[Tensor], texts: Sequence[str]) -> Callable[[nn.Module], Mapping[str, Preview]]:
    """Makes what is shown at each evaluation: test sentences as sound, and their spectrograms beside the true ones."""

    def show(net: nn.Module) -> dict[str, Preview]:
        sounds = sounds_of(list(true), Vocoder(net.eval()))
        columns: list[Column] = [
            (text, (("true", mel), ("vocoder", found)), None, ())
            for text, mel, found in zip(texts, true, log_mels(sounds), strict=False)
        ]
        found: dict[str, Preview] = {f"sentence-{i}": (sound, RATE) for i, sound in enumerate(sounds, 1)}
        return found | {"spectrograms": speech_image(columns)}

    return show


def compared(
    net: nn.Module, true: Sequence[Tensor], source: Dataset, texts: Sequence[str], config: VocodeConfig
) -> dict[str, float]:
    """Griffin-Lim's distance of log-mels; and how well digits are understood, said by the net, by Griffin-Lim, and by
    the speaker itself."""
    by_iterations = sounds_of(list(true), MelToSound(config.iterations))
    off = [mel_distance(a, b) for a, b in zip(true, log_mels(by_iterations), strict=True)]
    scores = {"griffin_lim_mel_distance": float(torch.stack(off).mean())}
    chosen = [i for i, text in enumerate(texts) if is_digits(text)][: config.heard]
    if not chosen or not can_listen():
        return scores
    told = {
        "wer": sounds_of([true[i] for i in chosen], Vocoder(net)),
        "griffin_lim_wer": [by_iterations[i] for i in chosen],
        "speaker_wer": [source[i]["audio"] for i in chosen],
    }
    right = [words_of(texts[i]) for i in chosen]
    return scores | {name: heard_wrong(sounds, right) for name, sounds in told.items()}


def _model(config: VocodeConfig, net: nn.Module, test: TensorDataset) -> TrainedModel:
    first = test.tensors["mel"][:2, :GOLDEN]
    frames = test.tensors["frames"][:2].clamp_max(first.shape[1])
    return TrainedModel(
        builder=BUILDER, config={"model": config.model, "net": dataclasses.asdict(config.net)}, net=net,
        golden={"mel": first.contiguous(), "length": frames}, preprocessing={},
    )  # fmt: skip
