"""Images enlarged: from a configuration to an experiment."""

from collections.abc import Callable

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from torchworks.gans.adversarial.doctor import Doctor
from torchworks.gans.enlarging.baselines import baselines
from torchworks.gans.enlarging.config import EnlargingConfig, EnlargingGanConfig
from torchworks.gans.enlarging.features import loss_features, score_features
from torchworks.gans.enlarging.photo_crops import VALIDATION
from torchworks.gans.enlarging.predictor import enlarger_config
from torchworks.gans.enlarging.task import PREVIEWED, EnlargingGanTask, EnlargingTask
from torchworks.gans.enlarging.weights import give_weights
from torchworks.gans.models.enlargers import enlarger, enlarging_discriminator
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, LoaderFactory, Part, Source, TensorDataset, held_out, labels_of, open_source
from torchworks.shared.machine.device import Device
from torchworks.shared.models.manifest import WEIGHTS
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.training.experiment import Experiment
from torchworks.shared.training.progress import first_says

AT_ONCE = 8
"""Pieces that are scored at once: maps of full size are large."""
VALIDATED = 40
"""Pieces of a photograph by which the best state is chosen."""
KEPT = 16
"""Test pieces that are kept with a model."""
REMEDIES = {
    "divergence": "Try a smaller --optim.lr.",
    "discriminator won": "Try a smaller --discriminator.width, or a smaller --adversarial-weight.",
    "discriminator lost": "Try a larger --discriminator.width.",
    "oscillation": "Try a smaller --optim.lr, or a smaller --adversarial-weight.",
}


def build(config: EnlargingConfig, device: Device) -> Experiment:
    """On images of any source."""
    source = open_source(config.data, config.loader)
    source.need("image")
    train, valid = divided(source, config)
    features = score_features(train).to(device.device)
    generator = enlarger(config.net, config.factor)
    start(generator, config)
    shown = _images(source.test, PREVIEWED)
    task = _task(config, generator, features, train, shown, device)
    loaders = LoaderFactory(config, device, evaluation_batch=AT_ONCE)
    test = loaders.ordered(source.test)
    say = first_says(device.rank)
    say(f"{len(train)} pieces to learn from, {len(valid)} to choose the best state by, {len(source.test)} to test on")
    if warning := too_short(config):
        say(warning)
    return Experiment(
        task=task,
        train=loaders.training(train),
        select=loaders.ordered(valid),
        test=test,
        sources=(source,),
        models=(_model(config, task, source),),
        baselines=lambda: baselines(test, _small_of(task), config.factor, features),
    )


def too_short(config: EnlargingConfig) -> str:
    """What is said where training ends before the discriminator joins; empty where it does join."""
    if not isinstance(config, EnlargingGanConfig) or config.pretrain_steps < config.trainer.steps:
        return ""
    return (
        f"The discriminator never joins: the first {config.pretrain_steps} steps are by pixels alone, and there are "
        f"{config.trainer.steps}. Raise --trainer.steps or lower --pretrain-steps."
    )


def divided(source: Source, config: EnlargingConfig) -> tuple[Dataset, Dataset]:
    """The training images, and those by which the best state is chosen: of photo-crops whole photographs, of other
    sources a share. Raises `UserError` if there are too few."""
    names = source.schema["label"].classes if "label" in source.schema else ()
    if source.name.partition(":")[0] == "photo-crops":
        labels = labels_of(source.train)
        chosen = names.index(VALIDATION) if VALIDATION in names else int(labels[-1])
        rest, held = ((rows.nonzero()[:, 0]).tolist() for rows in (labels != chosen, labels == chosen))
        return Part(source.train, rest), Part(source.train, held[:VALIDATED])
    train, valid = held_out(source.train, config.valid_fraction, config.seed, labels=[0] * len(source.train))
    if valid is None:
        raise UserError(
            f"{source.name} has {len(source.train)} training images, of which none can be held out to choose the best "
            "state by. Bring more, and let --valid-fraction be above 0."
        )
    return train, valid


def _task(
    config: EnlargingConfig, generator: nn.Module, features: nn.Module, train: Dataset, shown: Tensor, device: Device
) -> EnlargingTask:
    if not isinstance(config, EnlargingGanConfig):
        return EnlargingTask(generator, config, features, shown)
    learnt = loss_features(train, config.seed, config.perceptual.weights).to(device.device)
    task = EnlargingGanTask(generator, enlarging_discriminator(config.discriminator), config, features, learnt, shown)
    task.doctor = Doctor(
        config.doctor,
        loss="non-saturating",
        watch=task.watch,
        watch_mode=task.watch_mode,
        remedies=REMEDIES,
    )
    return task


def start(net: nn.Module, config: EnlargingConfig) -> None:
    """Give the net the weights that `config.start` names, if it names any. Raises `UserError`."""
    if config.start is None:
        return
    file = config.start / WEIGHTS if config.start.is_dir() else config.start
    advice = "Give a finished run, or a safetensors file, of a net of the same --net sizes and --factor."
    try:
        state = load_file(file)
    except FileNotFoundError:
        lacking = "is not a finished run" if config.start.is_dir() else "is not there"
        raise UserError(f"--start {config.start} {lacking}. {advice}") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"--start {file} is not a safetensors file: {error}. {advice}") from error
    give_weights(net, state, f"The weights of --start {file} do not fit this net", advice)


def _small_of(task: EnlargingTask) -> Callable[[Tensor, int], Tensor]:
    """As the task degrades images, from random numbers of their own."""
    random = StepRandom(task.config.seed)
    return lambda images, number: task.small(images, random.at("baselines", number))


def _model(config: EnlargingConfig, task: EnlargingTask, source: Source) -> TrainedModel:
    wanted = _images(source.test, KEPT)
    small = task.small(wanted / 2 + 0.5, StepRandom(config.seed))
    pairs = {"small": _bytes(small), "wanted": _bytes(wanted / 2 + 0.5)}
    return TrainedModel(
        builder="gans-enlarger",
        config=enlarger_config(config.net, config.factor),
        net=task.generator,
        test=TensorDataset(pairs),
        inputs={"image": "small"},
        targets={"enlarged": "wanted"},
        preprocessing={"image": {"fit": "whole", "mode": "RGB", "range": [0, 255]}},
    )


def _images(dataset: Dataset, most: int) -> Tensor:
    """Images (N, 3, S, S) in [-1, 1], spread over the data set."""
    count = min(most, len(dataset))
    return torch.stack([dataset[i * len(dataset) // count]["image"] for i in range(count)]).float() / 127.5 - 1


def _bytes(images: Tensor) -> Tensor:
    return (images * 255).round().to(torch.uint8)
