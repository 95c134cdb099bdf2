"""From a configuration to a finished run directory: data, task, training, test, model, card."""

import contextlib
import dataclasses
import importlib
import inspect
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchworks.shared.config import Config, UserError, find_recipe, to_dict
from torchworks.shared.data import Source
from torchworks.shared.machine.device import (
    Device,
    choose,
    keep_memory,
    limit_threads,
    seed_everything,
    start_processes,
    stop_processes,
)
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.runs import directory as run
from torchworks.shared.runs.data import Described, check_unchanged, describe_data
from torchworks.shared.runs.files import held, read_json
from torchworks.shared.task import Task
from torchworks.shared.training import checkpoint, parallel
from torchworks.shared.training.guard import mistake_in
from torchworks.shared.training.metrics import JsonLines, Sink, TensorBoard
from torchworks.shared.training.progress import Progress, Silent
from torchworks.shared.training.stopping import Result
from torchworks.shared.training.trainer import Trainer


@dataclass
class Experiment:
    """What a package makes of a configuration.

    `select` is scored during training to choose the best state, `test` once at the end. `models` are saved when
    training has ended, from nets that by then hold the weights to use. `baselines` are scores to compare with, computed
    at the end.
    """

    task: Task
    train: Iterable[Any]
    select: Iterable[Any]
    test: Iterable[Any]
    sources: tuple[Source, ...]
    models: tuple[TrainedModel, ...]
    baselines: Callable[[], dict[str, float]] = dict


def device_for(config: Config) -> Device:
    """The device, precision and memory format that the configuration asks for."""
    settings = config.trainer
    return choose(
        settings.device,
        settings.precision,
        settings.channels_last,
        convolutional=config.convolutional,
        channels_last_on_cpu=config.channels_last_on_cpu,
    )


def build(config: Config, device: Device | None = None) -> Experiment:
    """The experiment that the configuration's builder makes for `device` (None: the one it asks for)."""
    module, function = config.build.split(":")
    return getattr(importlib.import_module(module), function)(config, device or device_for(config))


def train(config: Config, *, out: Path | None = None, resume: Path | None = None) -> dict[str, Any]:
    """Run `config` to the end in a new directory, or continue the one at `resume`; returns what `result.json` holds,
    and the directory as "run".

    Raises `UserError`, `TrainingFailed` or `Interrupted`.
    """
    limit_threads()
    settings = config.trainer
    device = device_for(config)
    if device.device.type == "cpu":
        keep_memory()
    start_processes(device)
    try:
        if settings.dry_run:
            return _dry_run(config, device)
        if settings.find_lr:
            return _find_lr(config, device, out)
        return _train(config, device, out, resume)
    except Exception as error:
        if mistake := mistake_in(error):
            raise mistake from error
        raise
    finally:
        stop_processes()


def _train(config: Config, device: Device, out: Path | None, resume: Path | None) -> dict[str, Any]:
    progress = _progress(config.trainer.steps, device)
    for reason in device.reasons:
        progress.say(reason)
    seed_everything(config.seed)
    experiment = build(config, device)
    for note in (note for source in experiment.sources for note in source.notes):
        progress.say(note)
    parameters = sum(p.numel() for net in experiment.task.nets().values() for p in net.parameters())
    data = describe_data(experiment.sources)
    for note in check_unchanged(_recorded(resume), data, str(resume)):
        progress.say(note)
    folder = resume or _shared_folder(config, device, out)
    with held(folder) if device.rank == 0 else contextlib.nullcontext():
        saved = _newest(resume, progress) if resume else None
        try:
            trainer = Trainer(
                experiment.task, experiment.train, experiment.select, config.trainer,
                optim=config.optim, seed=config.seed, folder=folder, progress=progress, device=device,
            )  # fmt: skip
            trainer.prepare(saved)
            trainer.sinks += _sinks(config, device, folder, saved.step if saved else 0)
            if saved is not None:  # until the training has come further, the run stays as it was
                trainer.saver.before_first = lambda: _write_config(config, folder)
            elif device.rank == 0:
                _write_config(config, folder)
            if device.rank == 0 and not resume:
                _write_environment(device, folder, data)
            progress.say(
                f"{config.recipe} on {config.data}: {parameters:,} parameters, {config.trainer.steps} steps, "
                f"run {folder}"
            )
            result = trainer.fit()
        except BaseException:
            if device.rank == 0 and not resume:
                run.discard(folder)
            raise
        return _report(config, experiment, trainer, result, folder, parameters)


def _recorded(resume: Path | None) -> Described:
    """The data of the run to continue; none of a run that was made before they were recorded."""
    known = resume is not None and (resume / "env.json").exists()
    return read_json(resume / "env.json").get("data", []) if known else []


def _write_config(config: Config, folder: Path) -> None:
    run.write_json(folder / "config.json", {"package": config.package, **to_dict(config)})


def _write_environment(device: Device, folder: Path, data: Described) -> None:
    environment = run.environment(f"{device.device}, {device.dtype}".replace("torch.", ""))
    run.write_json(folder / "env.json", {**environment, "data": data})


def _report(
    config: Config, experiment: Experiment, trainer: Trainer, result: Result, folder: Path, parameters: int
) -> dict[str, Any]:
    """Score on the test data and write everything a finished run has."""
    scores = trainer.score(experiment.test)
    if trainer.device.rank:
        return {}
    baselines = experiment.baselines()
    figures = {
        **scores,
        **baselines,
        "steps": result.steps,
        "best_step": result.best_step,
        "seconds": round(result.seconds, 3),
        **{name: round(rate, 2) for name, rate in result.rates.items()},
        "parameters": parameters,
        "stopped_by": result.stopped_by,
        "findings": result.findings,
    }
    for model in experiment.models:
        if isinstance(model, TrainedModel):
            model.net = trainer.whole_of.get(model.net, model.net)
        model.save(folder, config, experiment.sources)
    run.draw_curves(folder, baselines)
    about = inspect.getdoc(find_recipe(config.package, config.recipe)) or ""
    run.write_card(folder, config=config, result=figures, sources=experiment.sources, about=about)
    run.write_json(folder / "result.json", figures)  # last: its presence says that the run is finished
    return {**figures, "run": folder}


def _progress(steps: int, device: Device) -> Progress | Silent:
    return Progress(steps) if device.rank == 0 else Silent()


def _sinks(config: Config, device: Device, folder: Path, step: int) -> list[Sink]:
    if device.rank:
        return []
    sinks: list[Sink] = [JsonLines(folder / "metrics.jsonl", step)]
    if config.trainer.tensorboard:
        sinks.append(TensorBoard(folder / "tensorboard", step))
    return sinks


def _shared_folder(config: Config, device: Device, out: Path | None) -> Path:
    """The first process makes the run directory; all know its name, or why there is none."""
    made: Any = None
    if device.rank == 0:
        try:
            made = run.create(config.package, config.recipe, config.data, out)
        except UserError as error:
            made = error
    made = parallel.from_first(made) if device.world > 1 else made
    if isinstance(made, UserError):
        raise made
    return made


def _newest(folder: Path, progress: Progress | Silent) -> checkpoint.Checkpoint | None:
    saved, problems = checkpoint.newest(folder / "checkpoints")
    for problem in problems:
        progress.say(f"skipped a damaged checkpoint: {problem}")
    if saved is None and problems:
        raise UserError(
            f"No checkpoint in {folder} can be used: {'; '.join(problems)}. Train again, with another --out."
        )
    progress.say(f"continuing at step {saved.step}" if saved else "no checkpoint yet: starting from step 0")
    return saved


def _dry_run(config: Config, device: Device) -> dict[str, Any]:
    """Everything that a training checks, two steps and an evaluation of one batch, and nothing written."""
    seed_everything(config.seed)
    experiment = build(config, device)
    first = list(itertools.islice(experiment.select, 1))
    settings = dataclasses.replace(config.trainer, steps=2, log_every=1, eval_every=0, max_minutes=0.0)
    trainer = Trainer(
        experiment.task, experiment.train, first, settings,
        optim=config.optim, seed=config.seed, progress=_progress(settings.steps, device), device=device,
    )  # fmt: skip
    result = trainer.fit()
    return {**result.scores, "dry_run": True}


def _find_lr(config: Config, device: Device, out: Path | None) -> dict[str, Any]:
    from torchworks.shared.training.lr_finder import find_lr

    seed_everything(config.seed)
    experiment = build(config, device)
    settings = dataclasses.replace(
        config.trainer, steps=100, log_every=1, eval_every=0, patience=0, ema=0.0, max_bad_steps=1
    )
    trainer = Trainer(
        experiment.task,
        experiment.train,
        config=settings,
        seed=config.seed,
        progress=_progress(settings.steps, device),
        device=device,
    )
    plot = (out or Path()) / "lr-finder.png"
    plot.parent.mkdir(parents=True, exist_ok=True)
    found = find_lr(trainer, plot)
    trainer.progress.say(f"drew {plot}")
    return found
