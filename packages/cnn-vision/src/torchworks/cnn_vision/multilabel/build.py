"""From a configuration to an experiment of multi-label classification: data, net, task, baselines, and the model to
save with its thresholds.

Shape letters: N images, K labels.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from torchworks.cnn_vision.classification.build import model_config, trained_model
from torchworks.cnn_vision.data.augmentations import augmentations
from torchworks.cnn_vision.data.loading import open_loaders
from torchworks.cnn_vision.data.subset import Relabelled
from torchworks.cnn_vision.finetuning.build import build_finetuning, build_model, normalization
from torchworks.cnn_vision.multilabel.baselines import logistic_regressions
from torchworks.cnn_vision.multilabel.config import MultilabelConfig
from torchworks.cnn_vision.multilabel.labels import open_labels, targets
from torchworks.cnn_vision.multilabel.predictor import multilabel_config
from torchworks.cnn_vision.multilabel.task import Multilabel
from torchworks.cnn_vision.multilabel.thresholds import chosen_thresholds
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Source, held_out, labels_of, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.training.experiment import Experiment

FEW = 10
"""Validation images with a label below which its threshold is called uncertain."""
RARE = 0.01
"""Share of positives below which weights are advised."""


def build(config: MultilabelConfig, device: Device) -> Experiment:
    """A classifier that predicts each label of a source independently."""
    source = open_source(config.data, config.loader)
    names, places = open_labels(source, config.positive)
    train, valid = split(source, places, config)
    parts = zip(("training", "validation", "test"), (train, valid, source.test), strict=True)
    target = {name: targets(labels_of(part), places) for name, part in parts}
    notes = check_parts(names, target)
    if config.class_weights == "balanced":
        pos_weight = balanced_weights(target["training"])
    else:
        pos_weight = torch.ones(len(names))
        notes += rare_labels(names, targets(labels_of(source.train), places))
    channels, size = source.schema["image"].shape[:2]
    model = build_model(config, channels, len(names))
    mean, std = normalization(config, model, channels)
    task = Multilabel(
        model,
        places,
        lr=config.optim.lr,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        pos_weight=pos_weight,
        finetuning=build_finetuning(config, model, device),
    )
    changes = augmentations(config.augment, size, mean, std)
    training, select, test = open_loaders(config, device, train, (valid, source.test), changes, mean, std)
    trained = trained_model(
        "cnn-vision-findings",
        multilabel_config(model_config(config, source, names, mean, std), pos_weight),
        task,
        Relabelled(source.test, range(len(source.test)), target["test"].to(torch.uint8), source.schema),
        complete=lambda: {"thresholds": chosen_thresholds(task, select, config.sensitivity)},
    )
    return Experiment(
        task=task,
        train=training,
        select=select,
        test=test,
        sources=(replace(source, notes=(*source.notes, *notes)),),
        models=(trained,),
        baselines=lambda: logistic_regressions(source, places),
    )


# ---- data ------------------------------------------------------------------------------------------------


def split(source: Source, places: Tensor, config: MultilabelConfig) -> tuple[Dataset, Dataset]:
    """Training and validation part. An image counts for its rarest label, so that both parts get their share of it."""
    target = targets(labels_of(source.train), places)
    rarity = target / target.sum(0).clamp(min=1)  # 0 where an image has not the label
    stratum = torch.where(target.any(1), rarity.argmax(1), target.shape[1])
    train, valid = held_out(source.train, config.valid_fraction, config.seed, stratum.tolist())
    assert valid is not None, "the configuration holds some out"
    return train, valid


def check_parts(names: Sequence[str], parts: dict[str, Tensor]) -> list[str]:
    """Notes on labels that few validation images have. Raises `UserError` if all or none of the images of a part have a
    label; `parts` are targets (N, K) by name."""
    for part, target in parts.items():
        for name, count in zip(names, target.sum(0).int().tolist(), strict=True):
            if count in (0, len(target)):
                share = "none" if not count else "all"
                raise UserError(
                    f"The label '{name}' cannot be learned and measured: {share} of the {len(target)} {part} images "
                    "have it, but some must have it and some not. Bring more images, change --valid-fraction or "
                    "--loader.test-fraction, or leave the label out by naming the others with --positive."
                )
    counts = zip(names, parts["validation"].sum(0).int().tolist(), strict=True)
    return [
        f"The threshold of '{name}' rests on only {count} validation image{'s' * (count > 1)} with it."
        for name, count in counts
        if count < FEW
    ]


def rare_labels(names: Sequence[str], target: Tensor) -> list[str]:
    """Notes on labels that very few images have."""
    return [
        f"Only {share:.2%} of the training images have '{name}'; --class-weights balanced makes each count for more."
        for name, share in zip(names, target.mean(0).tolist(), strict=True)
        if share < RARE
    ]


def balanced_weights(target: Tensor) -> Tensor:
    """Weights (K,) of positives under which a label weighs as much as its absence: negatives / positives."""
    positives = target.sum(0)
    return (len(target) - positives) / positives
