"""The command `tune`: learning rate, weight decay and augmentation, searched with Optuna.

Successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943, in the asynchronous form of Li et al. 2020,
arXiv:1810.05934): a trial continues after an evaluation only if it is among the best third of those that got so far.
The next trial's settings come from a tree-structured Parzen estimator (Bergstra et al. 2011). The objective is the
accuracy on held-out training images; the test images are not used.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from torchworks.cnn_vision.classification.build import build
from torchworks.cnn_vision.classification.config import ClassifierConfig
from torchworks.cnn_vision.studies.commands import Tune
from torchworks.shared.config import UserError
from torchworks.shared.machine.device import choose, limit_threads, seed_everything
from torchworks.shared.runs import directory as run
from torchworks.shared.runs.outputs import make_folder
from torchworks.shared.training.guard import TrainingFailed
from torchworks.shared.training.trainer import Trainer

RUNGS = 9
"""Evaluations of a trial that is not stopped; most are stopped after the 1st or the 3rd."""
REDUCTION = 3
HELD_OUT = 0.2
"""Share of the training images held out to compare trials, if the recipe holds out none."""
AUGMENTATIONS = ("none", "shift", "shift+affine", "shift+cutout", "flip+shift", "randaugment")


def tune(arguments: Tune) -> int:
    """Run the trials, print the best and the command that trains with them."""
    optuna = _optuna()
    limit_threads()
    if arguments.trials < 1:
        raise UserError(f"--trials is {arguments.trials}; it must be at least 1.")
    config = arguments.config
    config = replace(
        config,
        valid_fraction=config.valid_fraction or HELD_OUT,
        trainer=replace(config.trainer, eval_every=max(1, -(-config.trainer.steps // RUNGS)), patience=0),
    )
    folder = arguments.out or run.create(config.package, "tune", config.data)
    make_folder(folder)
    study = optuna.create_study(
        study_name="tune",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=config.seed),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION),
        storage=_storage(folder / "trials.jsonl"),
        load_if_exists=True,
    )
    left = arguments.trials - sum(trial.state.is_finished() for trial in study.trials)
    study.optimize(
        lambda trial: _accuracy(trial, suggested(trial, config), optuna.TrialPruned),
        n_trials=max(0, left),
        catch=(TrainingFailed,),
        callbacks=[_say],
    )
    return _report(study, config, folder)


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise UserError(
            f"Tuning needs Optuna, and {error.name} is not installed: install the extra cnn-vision[tune]."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _storage(path: Path) -> Any:
    """Every trial is appended to a file of JSON lines, so that a search that was stopped can continue."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(path)))


def suggested(trial: Any, config: ClassifierConfig) -> ClassifierConfig:
    """`config` with the trial's choices."""
    names = trial.suggest_categorical("augment", AUGMENTATIONS)
    return replace(
        config,
        optim=replace(config.optim, lr=trial.suggest_float("lr", 1e-4, 3e-2, log=True)),
        weight_decay=trial.suggest_float("weight_decay", 1e-4, 0.3, log=True),
        augment=() if names == "none" else tuple(names.split("+")),
    )


class Rungs:
    """A sink that reports each evaluation's accuracy to Optuna, and ends the training if Optuna prunes the trial."""

    def __init__(self, trial: Any, pruned: type[Exception]):
        self.trial, self.pruned, self.evaluations = trial, pruned, 0

    def write(self, kind: str, step: int, metrics: dict[str, float]) -> None:
        if kind == "eval":
            self.evaluations += 1
            self.trial.report(metrics["accuracy"], self.evaluations)
            if self.evaluations < RUNGS and self.trial.should_prune():
                raise self.pruned

    def close(self) -> None:
        pass


def _accuracy(trial: Any, config: ClassifierConfig, pruned: type[Exception]) -> float:
    """Validation accuracy at the end of a training that leaves no files."""
    seed_everything(config.seed)
    settings = config.trainer
    device = choose(settings.device, settings.precision, settings.channels_last)
    experiment = build(config, device)
    trainer = Trainer(
        experiment.task, experiment.train, experiment.select, settings,
        optim=config.optim, seed=config.seed, sinks=[Rungs(trial, pruned)], device=device,
    )  # fmt: skip
    return trainer.fit().scores["accuracy"]


# ------------------------------------------------------------------------------------------------------ report


def _say(study: Any, trial: Any) -> None:
    last = list(trial.intermediate_values.values())[-1:]
    accuracy = f"accuracy {last[0]:.4f}" if last else "no score"
    print(f"trial {trial.number + 1}: {_settings(trial.params)}: {accuracy}, {_state(trial)}", flush=True)


def _state(trial: Any) -> str:
    evaluations = len(trial.intermediate_values)
    return {
        "COMPLETE": "complete",
        "PRUNED": f"stopped after {evaluations} of {RUNGS} evaluations",
        "FAIL": "diverged",
    }.get(trial.state.name, "not finished")


def _settings(params: dict[str, Any]) -> str:
    return f"lr {params['lr']:.2g}, weight decay {params['weight_decay']:.2g}, augment {params['augment']}"


def _report(study: Any, config: ClassifierConfig, folder: Path) -> int:
    complete = sorted(
        (trial for trial in study.trials if trial.state.name == "COMPLETE"), key=lambda trial: -trial.value
    )
    if not complete:
        raise UserError(
            f"None of the {len(study.trials)} trials finished. Increase --trials; finished trials in {folder} are "
            "reused."
        )
    table = Table(title=f"best of {len(study.trials)} trials, accuracy on held-out training images")
    for column in ("trial", "accuracy", "learning rate", "weight decay", "augment"):
        table.add_column(column)
    for trial in complete[:5]:
        params = trial.params
        table.add_row(
            str(trial.number + 1),
            f"{trial.value:.4f}",
            f"{params['lr']:.2g}",
            f"{params['weight_decay']:.2g}",
            params["augment"],
        )
    Console(width=100).print(table)
    trials = [{"number": t.number + 1, "state": t.state.name, "accuracy": t.value, **t.params} for t in study.trials]
    run.write_json(folder / "tune.json", {"best": complete[0].params, "trials": trials})
    _draw(folder / "tune.png", study.trials)
    print(f"train with them:\n  {run.command(suggested(complete[0], config))}")
    print(folder)
    return 0


def _draw(path: Path, trials: list[Any]) -> None:
    """Accuracy over the course of every trial; finished trials in color."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axis = figure.subplots()
    for trial in trials:
        values = trial.intermediate_values
        color = "tab:blue" if trial.state.name == "COMPLETE" else "0.7"
        axis.plot(list(values), list(values.values()), marker=".", color=color)
    axis.set(xlabel=f"evaluation (of {RUNGS})", ylabel="accuracy on held-out images", title="blue: finished")
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
