"""From a configuration to an experiment with findings: data, net, task, baselines, the model with its thresholds."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.classification import predictor
from torchworks.cnn_vision.classification.baselines import logistic_regressions
from torchworks.cnn_vision.classification.build import (
    augmentations,
    finetuning,
    new_model,
    normalisation,
    open_loaders,
    wants_small_images,
)
from torchworks.cnn_vision.config import FindingsConfig, check_findings_numbers
from torchworks.cnn_vision.multilabel.task import Findings, findings_of, targets, thresholds_for
from torchworks.shared.config import UserError
from torchworks.shared.data import Part, Source, held_out, labels_of, open_source
from torchworks.shared.machine.device import choose
from torchworks.shared.training.experiment import Experiment

FEW = 10
"""Validation images with a finding below which its threshold is called uncertain."""
RARE = 0.01
"""Share of positives below which weights are advised."""


def findings_experiment(config: FindingsConfig) -> Experiment:
    """A net that tells the findings of a source."""
    check_findings_numbers(config)
    source = open_source(config.data, config.loader)
    names, places = findings_in(source, config.positive)
    target = targets(labels_of(source.train), places)
    _, selected = held_out(source.train, config.valid_fraction, config.seed, labels=rarest(target))
    valid = selected.indices if selected else []
    rest = sorted(set(range(len(target))) - set(valid))
    notes = check_parts(
        names, {"training": target[rest], "validation": target[valid], "test": targets(labels_of(source.test), places)}
    )
    if config.class_weights == "none":
        notes += rare_findings(names, target)
    pos_weight = balanced(target[rest]) if config.class_weights == "balanced" else torch.ones(len(names))

    channels, size = source.schema["image"].shape[:2]
    model = new_model(config, channels, len(names))
    mean, std = normalisation(config, model, channels)
    plain = predictor.classifier_config(
        config.model, size, channels, names, wants_small_images(config), config.drop_rate, mean, std
    )
    device = choose(config.trainer.device, config.trainer.precision, config.trainer.channels_last)
    task = Findings(
        model,
        places,
        lr=config.optim.lr,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        pos_weight=pos_weight,
        finetuning=finetuning(config, model, device),
    )

    changes = augmentations(config.augment, size, mean, std)
    scored = Part(source.train, valid), source.test
    train, select, test = open_loaders(config, device, Part(source.train, rest), scored, changes, mean, std)

    def package_model(folder: Path) -> None:
        whole = predictor.findings_config(plain, pos_weight, chosen_thresholds(task, select, config.sensitivity))
        finished = predictor.build_findings(whole)
        finished.net = task.model
        predictor.save(folder, finished, builder="cnn-vision-findings", plain=whole, config=config, source=source)

    return Experiment(
        task=task,
        train=train,
        select=select,
        test=test,
        sources=(replace(source, notes=(*source.notes, *notes)),),
        package_model=package_model,
        baselines=lambda: logistic_regressions(source, places),
    )


# ---- data ------------------------------------------------------------------------------------------------


def findings_in(source: Source, positive: Sequence[str]) -> tuple[tuple[str, ...], Tensor]:
    """Names of the findings, and their places (K,) among the classes. Raises `UserError` if the labels cannot tell
    them."""
    source.need("image")
    if "label" not in source.schema:
        raise UserError(
            f"{source.name} has no labels, so nothing says which images have a finding. Give each class a sub-folder "
            "of its own, or a CSV table a column of labels."
        )
    label = source.schema["label"]
    names = findings_of(label, positive, source.name)
    return names, torch.tensor([label.classes.index(name) for name in names])


def rarest(target: Tensor) -> list[int]:
    """The rarest finding that each image has by `target` (N, K), K where it has none: what is shared out evenly."""
    rarity = target / target.sum(0).clamp(min=1)  # 0 where an image has not the finding
    return torch.where(target.any(1), rarity.argmax(1), target.shape[1]).tolist()


def check_parts(names: Sequence[str], parts: dict[str, Tensor]) -> list[str]:
    """Notes on findings that few validation images have. Raises `UserError` if all or none of the images of a part have
    a finding; `parts` are targets (N, K) by name."""
    for part, target in parts.items():
        for name, count in zip(names, target.sum(0).int().tolist(), strict=True):
            if count in (0, len(target)):
                share = "none" if not count else "all"
                raise UserError(
                    f"The finding '{name}' cannot be learnt and measured: {share} of the {len(target)} {part} images "
                    "have it, but some must have it and some not. Bring more images, change --valid-fraction or "
                    "--loader.test-fraction, or leave the finding out by naming the others with --positive."
                )
    counts = zip(names, parts["validation"].sum(0).int().tolist(), strict=True)
    return [
        f"The threshold of '{name}' rests on only {count} validation image{'s' * (count > 1)} with it."
        for name, count in counts
        if count < FEW
    ]


def rare_findings(names: Sequence[str], target: Tensor) -> list[str]:
    """Notes on findings that next to no image has."""
    return [
        f"Only {share:.2%} of the training images have '{name}'; --class-weights balanced makes each count for more."
        for name, share in zip(names, target.mean(0).tolist(), strict=True)
        if share < RARE
    ]


def balanced(target: Tensor) -> Tensor:
    """Weights (K,) of positives under which a finding weighs as much as its absence: negatives / positives."""
    positives = target.sum(0)
    return (len(target) - positives) / positives


# ---- after the training ----------------------------------------------------------------------------------


@torch.no_grad()
def chosen_thresholds(task: Findings, validation: Iterable[dict[str, Tensor]], sensitivity: float) -> list[float]:
    """`thresholds_for` the net as it now is, on the validation images."""
    task.model.eval()
    answers = [(task.probability(batch["image"]).cpu(), task.targets(batch["label"]).cpu()) for batch in validation]
    probability, target = (torch.cat(part) for part in zip(*answers, strict=True))
    return thresholds_for(probability, target, sensitivity)
