"""From a configuration to an experiment of voice detection: sounds, frames, net, task, baselines, the model to save."""

import dataclasses

import torch
from torch import Tensor

from torchworks.seq_models.inference.states import example_states
from torchworks.seq_models.models.voice_detector import VoiceDetector
from torchworks.seq_models.voice_detection.baselines import baselines
from torchworks.seq_models.voice_detection.config import VoiceDetectionConfig
from torchworks.seq_models.voice_detection.features import MELS, mel_frames
from torchworks.seq_models.voice_detection.metrics import best_threshold
from torchworks.seq_models.voice_detection.predictor import BUILDER, build_voice_detection
from torchworks.seq_models.voice_detection.task import VoiceDetection, probabilities
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, LoaderFactory, Schema, TensorDataset, held_out, open_source, resident
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

KEPT = 8
"""Test sounds that are kept with the model."""


def build(config: VoiceDetectionConfig, device: Device) -> Experiment:
    """A model that finds speech in the sounds of a source. Raises `UserError` for data without speech or without
    anything else."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("audio", "speech")
    rest, held = held_out(source.train, config.valid_fraction, config.seed)
    kinds = source.schema["label"].classes if "label" in source.schema else ()
    train, valid, test = (framed(part) for part in (rest, held or rest, source.test))
    known = train.tensors["speech"][train.tensors["speech"] >= 0]
    if not 0 < known.mean() < 1:
        raise UserError(
            f"The training sounds of {source.name} are all {'speech' if known.mean() else 'without speech'}, and a "
            "detector needs both. Add others, or name other data by --data."
        )
    net = VoiceDetector(MELS, **dataclasses.asdict(config.net))
    real = train.tensors["mel"][train.tensors["speech"] >= 0]
    net.mean.copy_(real.mean(0))
    net.deviation.copy_(real.std(0) + 1e-3)
    task = VoiceDetection(
        net, lr=config.optim.lr, weight_decay=config.weight_decay, loudness=config.loudness, backgrounds=kinds
    )
    if held is None:
        task.watch = None  # nothing to select by, so the last state is kept
    loaders = LoaderFactory(config, device)
    model = _model(config, net, source.test)
    model.complete = lambda: {"threshold": threshold(net, valid)}
    return Experiment(
        task=task,
        train=loaders.training(train),
        select=loaders.ordered(valid),
        test=loaders.ordered(test),
        sources=(source,),
        models=(model,),
        baselines=lambda: baselines(*(each.numpy() for part in (train, test) for each in _pair(part))),
    )


def framed(part: Dataset) -> TensorDataset:
    """The same with `mel` (T, M), log-mel frames, instead of `audio`."""
    held = resident(part).tensors
    mel = mel_frames(held["audio"])
    fields = [Field("mel", "series", tuple(mel.shape[1:])), part.schema["speech"]]
    tensors = {"mel": mel, "speech": held["speech"]}
    if "label" in part.schema:
        fields.append(part.schema["label"])
        tensors["label"] = held["label"]
    return TensorDataset(tensors, Schema(tuple(fields)))


def _pair(part: TensorDataset) -> tuple[Tensor, Tensor]:
    return part.tensors["mel"], part.tensors["speech"]


def threshold(net: VoiceDetector, valid: TensorDataset) -> float:
    """The probability from which on a frame counts as speech, by which the fewest of the held-out frames are wrong."""
    mel, speech = _pair(valid)
    known = (speech >= 0).numpy()
    return best_threshold(probabilities(net, mel)[known], speech.numpy()[known])


def _model(config: VoiceDetectionConfig, net: VoiceDetector, test: Dataset) -> TrainedModel:
    held, made = resident(test).tensors, {"net": dataclasses.asdict(config.net)}
    kept = {name: held[name][:KEPT] for name in ("audio", "length")}
    rows = len(kept["audio"])
    kept["more"] = torch.arange(rows) % 2
    kept |= example_states(build_voice_detection(made).signature, rows, config.seed)
    return TrainedModel(
        builder=BUILDER,
        config=made,
        net=net,
        test=TensorDataset(kept),
        inputs={name: name for name in kept},
        preprocessing={},
    )
