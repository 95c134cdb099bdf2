"""From a configuration to an experiment of speaker verification: recordings, net, task, baselines, the model."""

import dataclasses

import torch
from torch import Tensor

from torchworks.seq_models.models.x_vector import AngularMargin, XVector
from torchworks.seq_models.verification.baselines import baselines
from torchworks.seq_models.verification.config import VerificationConfig
from torchworks.seq_models.verification.metrics import equal_error, pair_scores
from torchworks.seq_models.verification.predictor import BUILDER
from torchworks.seq_models.verification.task import Trained, Verification, vectors_of
from torchworks.seq_models.voice_detection.features import MELS, mel_frames
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, LoaderFactory, Schema, TensorDataset, open_source, resident
from torchworks.shared.data.split import split
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

KEPT = 8
"""Test recordings that are kept with the model."""


def build(config: VerificationConfig, device: Device) -> Experiment:
    """A net of the voices of a source. Raises `UserError` for data without speakers."""
    source = open_source(config.data, config.loader, config.seed)
    source.need("audio", "label")
    every, test = framed(source.train), framed(source.test)
    rest, held = by_speakers(every, config.valid_fraction, config.seed)
    speakers, places = rest.tensors["label"].unique(return_inverse=True)
    if len(speakers) < 2:
        raise UserError(
            f"{source.name} has {len(speakers)} speaker to learn from, and at least 2 are needed beside those that are "
            "held out and tested. Add speakers, or name other data by --data."
        )
    train = TensorDataset({"mel": rest.tensors["mel"], "label": places}, rest.schema)
    net = XVector(MELS, **dataclasses.asdict(config.net))
    margin = AngularMargin(config.net.embed_dim, len(speakers), margin=config.margin, scale=config.scale)
    task = Verification(
        Trained(net, margin), lr=config.optim.lr, weight_decay=config.weight_decay, tilt=config.tilt
    )  # fmt: skip
    if held is None:
        task.watch = None  # nothing to select by, so the last state is kept
    loaders = LoaderFactory(config, device)
    model = _model(config, net, source.test)
    model.complete = lambda: {"threshold": threshold(net, held or every)}
    return Experiment(
        task=task,
        train=loaders.training(train),
        select=loaders.ordered(held or test),
        test=loaders.ordered(test),
        sources=(source,),
        models=(model,),
        baselines=lambda: baselines(*(each.numpy() for part in (every, test) for each in _pair(part))),
    )


def framed(part: Dataset) -> TensorDataset:
    """The same with `mel` (T, M), log-mel frames, instead of `audio`."""
    held = resident(part).tensors
    mel = mel_frames(held["audio"])
    schema = Schema((Field("mel", "series", tuple(mel.shape[1:])), part.schema["label"]))
    return TensorDataset({"mel": mel, "label": held["label"]}, schema)


def by_speakers(part: TensorDataset, fraction: float, seed: int) -> tuple[TensorDataset, TensorDataset | None]:
    """(rest, held out): a share of the speakers, none if there are too few."""
    labels = part.tensors["label"]
    names = [str(each) for each in labels.tolist()]
    if not fraction or len(set(names)) < 6:
        return part, None
    rest, held = split(names, [0] * len(names), fraction, seed)
    return part.subset(rest), part.subset(held)


def _pair(part: TensorDataset) -> tuple[Tensor, Tensor]:
    return part.tensors["mel"], part.tensors["label"]


def threshold(net: XVector, valid: TensorDataset) -> float:
    """The cosine from which on two recordings count as of one voice: where both kinds of errors are as frequent, of the
    held-out voices."""
    mel, speakers = _pair(valid)
    return equal_error(*pair_scores(vectors_of(net, mel), speakers.numpy()))[1]


def _model(config: VerificationConfig, net: XVector, test: Dataset) -> TrainedModel:
    audio = resident(test).tensors["audio"][:KEPT]
    length = torch.full((len(audio),), audio.shape[1])
    fields = (test.schema["audio"], Field("length", "id", (), size=audio.shape[1] + 1))
    return TrainedModel(
        builder=BUILDER,
        config={"net": dataclasses.asdict(config.net)},
        net=net,
        test=TensorDataset({"audio": audio, "length": length}, Schema(fields)),
        inputs={"audio": "audio", "length": "length"},
        preprocessing={},
    )
