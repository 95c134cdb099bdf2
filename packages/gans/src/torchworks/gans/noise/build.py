"""From a configuration to an experiment: data, nets, task, scores, and how the finished model is packed."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.gans import predictor
from torchworks.gans.adversarial.doctor import TRANSLATION_REMEDIES, Doctor
from torchworks.gans.config import (
    CGANNet,
    CycleGANConfig,
    GanConfig,
    Pix2PixConfig,
    TranslationConfig,
    check_numbers,
    stages_of,
)
from torchworks.gans.models import registry as build
from torchworks.gans.noise.task import GanTask, to_latent
from torchworks.gans.translation.cyclegan import Critics, CycleGANTask, Translators
from torchworks.gans.translation.domains import (
    DomainDistance,
    LabelKept,
    is_paired,
    open_domains,
    open_pairs,
    same_classes,
)
from torchworks.gans.translation.pix2pix import Pix2PixTask
from torchworks.shared.config import Config, UserError
from torchworks.shared.data import Dataset, Loader, Source, Together, open_loader, open_source
from torchworks.shared.fidelity import Fidelity, Judge, features_of, floor, gaussian, judge_for
from torchworks.shared.machine.device import choose
from torchworks.shared.models.predictor import Predictor, samples_of, save_model
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.training.experiment import Experiment

EVALUATION_BATCH = 256
MOST_SELECTED = 5000
"""Rows that an evaluation during training looks at."""
EXAMPLES = 10
"""Images in a row of a translation's preview."""


class Feed:
    """Loaders as a configuration wants them, on its device and for its share of several processes."""

    def __init__(self, config: Config):
        settings = config.trainer
        self.config = config
        self.device = choose(settings.device, settings.precision, settings.channels_last)

    def training(self, dataset: Dataset, stream: int = 0) -> Loader:
        """Endless shuffled batches; another `stream` is another order."""
        options = {"rank": self.device.rank, "world": self.device.world, "seed": self.config.seed + stream}
        return self._open(dataset, self.config.trainer.batch_size, **options)

    def selection(self, dataset: Dataset, stream: int = 0) -> Loader:
        """The same images, whole, in larger batches; to be read through `Selection`."""
        return self._open(dataset, EVALUATION_BATCH, seed=self.config.seed + stream)

    def test(self, dataset: Dataset, stream: int = 0) -> Loader:
        """One ordered pass."""
        return self._open(dataset, EVALUATION_BATCH, train=False)

    def _open(self, dataset: Dataset, batch_size: int, **options: Any) -> Loader:
        return open_loader(dataset, self.config.loader, batch_size, device=self.device.device, **options)

    def judge(self, source: Source) -> Judge:
        return judge_for(source, image_size=source.schema["image"].shape[-1], device=self.device.device)


class Selection:
    """A fair sample of the training images, always the same: the first of a loader's training order."""

    def __init__(self, loader: Loader | Together, rows: int):
        self.loader, self.batches = loader, -(-min(rows, MOST_SELECTED) // loader.batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return islice(self.loader.iter_from(0), self.batches)


# ---- images from noise -----------------------------------------------------------------------------------


def gan_experiment(config: GanConfig) -> Experiment:
    """dcgan, cgan and r3gan."""
    _check(config)
    source = open_source(config.data, config.loader)
    size, channels = config.loader.image_size, source.need("image")[0].shape[0]
    classes = _classes(source) if isinstance(config.net, CGANNet) else ()
    nets = [make(config.net, size, channels, len(classes)) for make in (build.generator, build.discriminator)]

    feed = Feed(config)
    judge = feed.judge(source)
    task = GanTask(
        *nets,
        config.adversarial,
        latent_dim=config.net.latent_dim,
        latent=build.latent_of(config.net),
        num_classes=len(classes),
        lr=config.optim.lr,
        fidelity=Fidelity(judge, reference=features_of(judge, source.train)).to(feed.device.device),
        seed=config.seed,
    )
    game = config.adversarial
    task.doctor = Doctor(config.doctor, loss=game.loss, penalties=(game.r1, game.r2), watch=task.watch)
    plain = predictor.generator_config(config.net, size, channels, classes)

    def package_model(folder: Path) -> None:
        latents = to_latent(sample_normal(config.seed, range(2), task.latent_dim), task.latent)
        golden = {"latent": latents} | ({"label": torch.tensor([0, 1])} if classes else {})
        _save(folder, config, "gans-generator", plain, task.generator, golden, data=(source,), labels=classes)

    return Experiment(
        task=task,
        train=feed.training(source.train),
        select=Selection(feed.selection(source.train), len(source.train)),
        test=feed.test(source.test),
        sources=(source,),
        package_model=package_model,
        baselines=lambda: _floors(judge, source),
    )


def _classes(source: Source) -> tuple[str, ...]:
    classes = source.schema["label"].classes if "label" in source.schema else ()
    if len(classes) < 2:
        found = f"only the class '{classes[0]}'" if classes else "no labels"
        raise UserError(
            f"A conditional GAN draws the class that is asked for, so its data need at least two classes, but "
            f"{source.name} has {found}. Give each class a sub-folder, or use the recipe dcgan or r3gan."
        )
    return classes


def _floors(judge: Judge, source: Source) -> dict[str, float]:
    """What the real test images score against the training images, which is the best that a generator can hope for;
    and what normally distributed pixels do, which it must beat."""
    real, dumb = floor(judge, source.train, source.test), gaussian(judge, source.train, source.test)
    distances = (judge.frechet_name, judge.kernel_name)
    bounds = {f"{name}_floor": real[name] for name in distances}
    bounds |= {f"{name}_baseline": dumb[name] for name in distances}
    return bounds | {f"{name}_real": real[name] for name in ("precision", "recall", "label_accuracy") if name in real}


# ---- images from images ----------------------------------------------------------------------------------


def cyclegan_experiment(config: CycleGANConfig) -> Experiment:
    """Unpaired translation between two sources."""
    _check(config)
    sources = open_domains(config.data, config.loader)
    size, channels = config.loader.image_size, sources[0].need("image")[0].shape[0]
    translators = Translators(*(build.translator(config.net, channels, channels) for _ in "ab"))

    feed = Feed(config)
    judges = [feed.judge(source) for source in sources]
    same = same_classes(*judges)
    num_classes = len(judges[0].classes) if same and config.use_labels else 0
    kept = LabelKept(*judges).to(feed.device.device) if same else None
    critics = Critics(*(build.patch_discriminator(config.net, channels + num_classes, size) for _ in "ab"))
    task = CycleGANTask(
        translators,
        critics,
        config,
        num_classes=num_classes,
        kept=kept,
        distances=[
            DomainDistance(judge, features_of(judge, source.train), direction).to(feed.device.device)
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
    plain = predictor.translator_config(config.net, size, channels, channels, "ab")
    test = _joined(feed.test, [source.test for source in sources])
    train = [source.train for source in sources]

    def package_model(folder: Path) -> None:
        samples = {"image": samples_of(sources[0].test)["image"]}
        golden = {"image": samples["image"][:2]}
        _save(folder, config, "gans-translator", plain, task.translators, golden, data=sources, samples=samples)

    return Experiment(
        task=task,
        train=_joined(feed.training, train),
        select=Selection(_joined(feed.selection, train), max(map(len, train))),
        test=test,
        sources=sources,
        package_model=package_model,
        baselines=lambda: _untranslated(kept, test),
    )


def _untranslated(kept: LabelKept | None, test: Together) -> dict[str, float]:
    """`LabelKept` of images as they are, with nothing translated."""
    if kept is None:
        return {}
    for batch in test:
        kept.update(batch, fake_a=batch["b_image"], fake_b=batch["a_image"])
    scores = kept.compute()
    kept.reset()
    return {f"{name}_baseline": value for name, value in scores.items()}


def pix2pix_experiment(config: Pix2PixConfig) -> Experiment:
    """Paired translation: pairs from a folder, or inputs made from the images of any source."""
    _check(config)
    if is_paired(config.data):
        sources: tuple[Source, ...] = open_pairs(config.data, config.loader)
    else:
        sources = (open_source(config.data, config.loader),)
    size = config.loader.image_size
    in_channels, out_channels = (sources[i].need("image")[0].shape[0] for i in (0, -1))
    generator = build.translator(config.net, in_channels, out_channels)
    discriminator = build.patch_discriminator(config.net, in_channels + out_channels, size)

    feed = Feed(config)
    labelled = "label" in sources[-1].schema
    judge = feed.judge(sources[-1]) if labelled else None
    train, test = [source.train for source in sources], _joined(feed.test, [source.test for source in sources])
    examples = next(iter(test))
    task = Pix2PixTask(generator, discriminator, config, judge=judge, examples=examples)
    task.doctor = Doctor(
        config.doctor, loss="non-saturating", scale=0.5, watch=task.watch, remedies=TRANSLATION_REMEDIES
    )
    plain = predictor.translator_config(config.net, size, in_channels, out_channels)

    def package_model(folder: Path) -> None:
        given, wanted = (predictor.to_bytes(images) for images in task.pair(examples))
        _save(
            folder, config, "gans-translator", plain, task.generator, {"image": given[:2]}, data=sources,
            samples={"image": given}, targets={"image": wanted},
        )  # fmt: skip

    return Experiment(
        task=task,
        train=_joined(feed.training, train, paired=True),
        select=Selection(_joined(feed.selection, train, paired=True), len(train[0])),
        test=test,
        sources=sources,
        package_model=package_model,
        baselines=lambda: _inputs_as_outputs(task, test) if in_channels == out_channels else {},
    )


def _inputs_as_outputs(task: Pix2PixTask, test: Any) -> dict[str, float]:
    """The scores of handing back the inputs."""
    sums: dict[str, list[float]] = {}
    for batch in test:
        for name, (total, count) in task.figures(*task.pair(batch), batch.get("label")).items():
            before = sums.setdefault(name, [0.0, 0.0])
            before[0], before[1] = before[0] + float(total), before[1] + count
    return {f"{name}_baseline": total / count for name, (total, count) in sums.items()}


# ---- shared ----------------------------------------------------------------------------------------------


def _check(config: GanConfig | TranslationConfig) -> None:
    check_numbers(config)
    stages_of(config.loader.image_size)
    if config.loader.multi_label:
        raise UserError(
            "Generators take one class for each image, not a set of them. Leave out --multi-label: each set of labels "
            "is then a class of its own."
        )
    if config.trainer.compile and isinstance(config, GanConfig) and (config.adversarial.r1 or config.adversarial.r2):
        raise UserError(
            "Gradient penalties differentiate the discriminator twice, which compiled nets cannot do in this version "
            "of PyTorch. Leave out --trainer.compile, or set --adversarial.r1 0 --adversarial.r2 0."
        )


def _joined(opened: Callable[[Dataset, int], Loader], datasets: list[Dataset], *, paired: bool = False) -> Any:
    """One data set's loader as it is; those of two together as a and b, in orders of their own unless `paired`."""
    if len(datasets) == 1:
        return opened(datasets[0], 0)
    return Together(a=opened(datasets[0], 0), b=opened(datasets[1], 0 if paired else 1))


def _stacked(dataset: Dataset, count: int) -> Tensor:
    """The first images, (M, C, S, S) in [-1, 1]."""
    rows = [dataset[i]["image"] for i in range(min(count, len(dataset)))]
    return torch.stack(rows).float() / 127.5 - 1


def _save(
    folder: Path,
    config: Config,
    builder: str,
    plain: dict[str, Any],
    net: torch.nn.Module,
    golden: dict[str, Tensor],
    **about: Any,
) -> None:
    """Write `net` as the model that `builder` rebuilds from `plain`; `about` goes to `save_model`."""
    build_predictor = predictor.BUILDERS[builder]
    whole: Predictor = build_predictor(plain)
    whole.net = net
    save_model(
        folder,
        whole,
        package=config.package,
        recipe=config.recipe,
        builder=builder,
        config=plain,
        golden=golden,
        preprocessing=predictor.preprocessing(whole.signature),
        **about,
    )
