"""Images from images: from a configuration to an experiment (cyclegan, pix2pix)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from torchworks.gans.adversarial.doctor import TRANSLATION_REMEDIES, Doctor
from torchworks.gans.models import registry
from torchworks.gans.models.pixels import to_bytes
from torchworks.gans.translation.config import CycleGANConfig, Pix2PixConfig
from torchworks.gans.translation.cyclegan import Critics, CycleGANTask, Translators
from torchworks.gans.translation.data import is_paired, open_domains, open_pairs
from torchworks.gans.translation.metrics import DomainDistance, LabelKept, same_classes
from torchworks.gans.translation.pix2pix import Pix2PixTask
from torchworks.gans.translation.predictor import translator_config
from torchworks.shared.data import Dataset, Loader, LoaderFactory, Source, TensorDataset, ZipLoader, open_source
from torchworks.shared.fidelity import Judge, Selection, features_of, judge_for
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import first_says

EXAMPLES = 10
"""Images in a row of the preview."""


def build_cyclegan(config: CycleGANConfig, device: Device) -> Experiment:
    """Unpaired translation between two sources."""
    sources = open_domains(config.data, config.loader)
    size, channels = config.loader.image_size, sources[0].need("image")[0].shape[0]
    translators = Translators(*(registry.translator(config.net, channels, channels) for _ in "ab"))
    judges = [
        judge_for(source, image_size=size, device=device.device, say=first_says(device.rank)) for source in sources
    ]
    same = same_classes(*judges)
    kept = LabelKept(*judges).to(device.device) if same else None
    task = _cyclegan_task(config, translators, sources, judges, kept)
    for distance in task.distances:
        distance.to(device.device)
    loaders = LoaderFactory(config, device)
    train = [source.train for source in sources]
    test = _joined(loaders.ordered, [source.test for source in sources])
    return Experiment(
        task=task,
        train=_joined(loaders.training, train),
        select=Selection(_joined(loaders.shuffled, train), max(map(len, train))),
        test=test,
        sources=sources,
        models=(
            TrainedModel(
                builder="gans-translator",
                config=translator_config(config.net, size, channels, channels, "ab"),
                net=task.translators,
                test=sources[0].test,
                inputs={"image": "image"},
            ),
        ),
        baselines=lambda: _untranslated(kept, test),
    )


def _cyclegan_task(
    config: CycleGANConfig,
    translators: Translators,
    sources: tuple[Source, ...],
    judges: list[Judge],
    kept: LabelKept | None,
) -> CycleGANTask:
    size, channels = config.loader.image_size, sources[0].need("image")[0].shape[0]
    num_classes = len(judges[0].classes) if kept is not None and config.use_labels else 0
    critics = Critics(*(registry.patch_discriminator(config.net, channels + num_classes, size) for _ in "ab"))
    task = CycleGANTask(
        translators,
        critics,
        config,
        num_classes=num_classes,
        kept=kept,
        distances=[
            DomainDistance(judge, features_of(judge, source.train), direction)
            for judge, source, direction in zip(judges, sources, ("ba", "ab"), strict=True)
        ],
        examples=[_stacked(source.test, EXAMPLES) for source in sources],
    )
    task.doctor = Doctor(
        config.doctor,
        loss="least-squares",
        scale=2,
        watch=task.watch,
        watch_mode=task.watch_mode,
        remedies=TRANSLATION_REMEDIES,
    )
    return task


def _untranslated(kept: LabelKept | None, test: ZipLoader) -> dict[str, float]:
    """`LabelKept` of images as they are, with nothing translated."""
    if kept is None:
        return {}
    for batch in test:
        kept.update(batch, fake_a=batch["b_image"], fake_b=batch["a_image"])
    scores = kept.compute()
    kept.reset()
    return {f"{name}_baseline": value for name, value in scores.items()}


def build_pix2pix(config: Pix2PixConfig, device: Device) -> Experiment:
    """Paired translation: pairs from a folder, or inputs made from the images of any source."""
    paired = is_paired(config.data)
    sources = open_pairs(config.data, config.loader) if paired else (open_source(config.data, config.loader),)
    size = config.loader.image_size
    in_channels, out_channels = (sources[i].need("image")[0].shape[0] for i in (0, -1))
    loaders = LoaderFactory(config, device)
    train, test = [source.train for source in sources], _joined(loaders.ordered, [source.test for source in sources])
    generator = registry.translator(config.net, in_channels, out_channels)
    discriminator = registry.patch_discriminator(config.net, in_channels + out_channels, size)
    labelled = "label" in sources[-1].schema
    judge = (
        judge_for(sources[-1], image_size=size, device=device.device, say=first_says(device.rank)) if labelled else None
    )
    examples = next(iter(test))
    task = Pix2PixTask(generator, discriminator, config, judge=judge, examples=examples)
    task.doctor = Doctor(
        config.doctor, loss="non-saturating", scale=0.5, watch=task.watch, remedies=TRANSLATION_REMEDIES
    )
    given, wanted = (to_bytes(images) for images in task.pair(examples))
    return Experiment(
        task=task,
        train=_joined(loaders.training, train, paired=True),
        select=Selection(_joined(loaders.shuffled, train, paired=True), len(train[0])),
        test=test,
        sources=sources,
        models=(
            TrainedModel(
                builder="gans-translator",
                config=translator_config(config.net, size, in_channels, out_channels),
                net=task.generator,
                test=TensorDataset({"image": given, "wanted": wanted}),
                inputs={"image": "image"},
                targets={"image": "wanted"},
            ),
        ),
        baselines=lambda: _inputs_as_outputs(task, test) if in_channels == out_channels else {},
    )


def _inputs_as_outputs(task: Pix2PixTask, test: Any) -> dict[str, float]:
    """The scores of handing back the inputs."""
    sums: dict[str, list[float]] = {}
    for batch in test:
        for name, (total, count) in task.scores(*task.pair(batch), batch.get("label")).items():
            before = sums.setdefault(name, [0.0, 0.0])
            before[0], before[1] = before[0] + float(total), before[1] + count
    return {f"{name}_baseline": total / count for name, (total, count) in sums.items()}


def _joined(opened: Callable[[Dataset, int], Loader], datasets: list[Dataset], *, paired: bool = False) -> Any:
    """One data set's loader as it is; those of two together as a and b, in orders of their own unless `paired`."""
    if len(datasets) == 1:
        return opened(datasets[0], 0)
    return ZipLoader(a=opened(datasets[0], 0), b=opened(datasets[1], 0 if paired else 1))


def _stacked(dataset: Dataset, count: int) -> Tensor:
    """The first images, (M, C, S, S) in [-1, 1]."""
    rows = [dataset[i]["image"] for i in range(min(count, len(dataset)))]
    return torch.stack(rows).float() / 127.5 - 1
