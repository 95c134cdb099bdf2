"""The command `curve`: how finished runs have learnt, by environment steps, with the spread over seeds."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from torchworks.rl.inference.commands import Curve
from torchworks.shared.config import Config, UserError
from torchworks.shared.runs.files import check_finished, load_config, read_json
from torchworks.shared.runs.outputs import prepare_image_file
from torchworks.shared.training.metrics import read_lines

Points = dict[int, float]
"""The mean return of each evaluation, by the environment steps before it."""


@dataclass(frozen=True)
class Learnt:
    """A finished run: what learnt, where, and how."""

    folder: Path
    recipe: str
    environment: str
    points: Points
    baselines: dict[str, float]


def curve(arguments: Curve) -> int:
    """Draw a line for each recipe, print what it shows and the path of the image."""
    if not arguments.runs:
        raise UserError("A curve needs runs: `rl curve RUN` with the path that `train` printed last, or several.")
    prepare_image_file(arguments.out, overwrite=arguments.overwrite)
    runs = [learnt(folder) for folder in arguments.runs]
    groups = grouped(runs)
    draw(arguments.out, runs[0].environment, groups, runs[0].baselines)
    for recipe, each in groups.items():
        last = [run.points[max(run.points)] for run in each]
        print(
            f"{recipe}: {len(each)} run{'s' * (len(each) > 1)}, {max(each[0].points):,} environment steps, return at "
            f"the end {sum(last) / len(last):.1f} ({min(last):.1f} to {max(last):.1f})"
        )
    print(arguments.out)
    return 0


def learnt(folder: Path) -> Learnt:
    """What a run logged. Raises `UserError` unless it is a finished run of this package with evaluations."""
    check_finished(folder)
    config: Any = load_config(folder)
    if config.package != "rl":
        raise UserError(
            f"{folder} is a run of the package {config.package}. A curve shows returns of agents: runs of rl."
        )
    lines = [line for line in read_lines(folder / "metrics.jsonl") if line["kind"] == "eval" and "return" in line]
    if not lines:
        raise UserError(
            f"{folder} was never evaluated in training, so it has no curve. Train with --trainer.eval-every."
        )
    result = read_json(folder / "result.json")
    beside = {name.removeprefix("return_"): value for name, value in result.items() if name.startswith("return_")}
    about = folder / "env.json"
    processes = read_json(about).get("processes", 1) if about.exists() else 1
    points = {played(config, line["step"], processes): float(line["return"]) for line in lines}
    return Learnt(folder, config.recipe, config.data, points, beside)


def played(config: Config, step: int, processes: int = 1) -> int:
    """Environment steps of all processes before the evaluation at training step `step`. Raises `UserError` if the
    configuration does not say."""
    told: Any = config
    if hasattr(told, "rollout"):
        rows = told.rollout.environments * told.rollout.steps
        return -(-step * told.trainer.batch_size // (rows * told.rollout.epochs)) * rows * processes
    if hasattr(told, "replay"):
        count = told.replay.environments
        return (-(-told.replay.warmup // count) - (-step // told.replay.updates)) * count
    raise UserError(
        f"Runs of the recipe {told.recipe} do not say how many environment steps they took. Leave them out."
    )


def grouped(runs: Sequence[Learnt]) -> dict[str, list[Learnt]]:
    """Runs by their recipe. Raises `UserError` if they do not fit into one picture."""
    first = runs[0]
    for run in runs:
        if run.environment != first.environment:
            raise UserError(
                f"{first.folder} plays {first.environment}, {run.folder} plays {run.environment}: returns of different "
                "environments say nothing beside each other. Draw a curve for each."
            )
    found: dict[str, list[Learnt]] = {}
    for run in runs:
        found.setdefault(run.recipe, []).append(run)
    return {recipe: _alike(recipe, each) for recipe, each in found.items()}


def _alike(recipe: str, runs: list[Learnt]) -> list[Learnt]:
    """`runs` with the evaluations that all of them have."""
    common = set(runs[0].points).intersection(*(run.points for run in runs))
    if not common:
        raise UserError(
            f"{runs[0].folder} and other runs of the recipe {recipe} were never evaluated after the same number of "
            "environment steps, so they have no mean. Give runs that differ in their seed only."
        )
    left_out = len(set().union(*(run.points for run in runs)) - common)
    if left_out:
        print(f"{recipe}: {left_out} evaluation{'s' * (left_out > 1)} left out that not all of its runs have")
    kept = sorted(common)
    return [dataclasses.replace(run, points={step: run.points[step] for step in kept}) for run in runs]


def draw(path: Path, environment: str, groups: dict[str, list[Learnt]], baselines: dict[str, float]) -> None:
    """The mean of each group as a line, from its smallest to its largest return as a band, baselines as dashes."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axis = figure.subplots()
    for recipe, runs in groups.items():
        steps = sorted(runs[0].points)
        returns = [[run.points[step] for run in runs] for step in steps]
        means = [sum(each) / len(each) for each in returns]
        seeds = f" ({len(runs)} runs)" if len(runs) > 1 else ""
        (line,) = axis.plot(steps, means, marker="o", markersize=3, label=recipe + seeds)
        if len(runs) > 1:
            lowest, highest = [min(each) for each in returns], [max(each) for each in returns]
            axis.fill_between(steps, lowest, highest, color=line.get_color(), alpha=0.2, linewidth=0)
    for (name, value), style in zip(baselines.items(), cycle(("--", ":", "-.")), strict=False):
        axis.axhline(value, linestyle=style, color="grey", label=name)
    ends = [max(runs[0].points) for runs in groups.values()]
    axis.set(title=environment, xlabel="environment steps", ylabel="mean return of an evaluation")
    if max(ends) > 4 * min(ends):
        axis.set_xscale("log")
    axis.legend()
    figure.savefig(path, dpi=110)
