"""The command `evaluate`: all scores of a finished run beside their floors, and a look for copies."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from torchworks.gans.commands import Evaluate
from torchworks.gans.noise.config import GanConfig
from torchworks.gans.noise.predictor import Generator
from torchworks.gans.noise.task import GanTask
from torchworks.shared.config import Config, UserError
from torchworks.shared.data import Source, TensorDataset
from torchworks.shared.fidelity import FeatureSpace, cas, nearest_copies
from torchworks.shared.runs.directory import picture_grid, write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import picture, prepare, save_image
from torchworks.shared.training.experiment import Experiment, build, device_for
from torchworks.shared.training.trainer import Trainer

FEWEST, MOST = 2, 100_000
LOOKED_AT = 1000  # images searched for copies
MOST_LEARNT = 10_000  # images that a classifier is trained on
SHOWN, NEAREST = 10, 3  # images in copies.png, neighbors of each
METHODS = ("nearest", "nearest_pose", "mean_face", "bicubic", "lanczos", "sharpened")
BESIDE = {"_floor": "real images", "_real": "real images", "_baseline": "baseline"}
BESIDE |= {f"_{method}": method for method in METHODS}
"""Ends of the names of what a score is read against, and the column they are shown in."""


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write evaluation.json and copies.png, print a table."""
    finished = open_run(arguments.run, "gans", arguments.device)
    _check(arguments.n, finished.config)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json", "copies.png"], overwrite=arguments.overwrite or arguments.out is None)
    settings = dataclasses.replace(finished.config.trainer, device=arguments.device, ema=0.0)
    config = dataclasses.replace(finished.config, trainer=settings)
    seed = config.seed if arguments.seed is None else arguments.seed
    experiment = build(config)

    scores = score(config, experiment, finished, seed, arguments.n) | experiment.baselines()
    if isinstance(experiment.task, GanTask) and experiment.task.fidelity is not None:
        generator, (source,) = Generator(finished), experiment.sources
        scores |= find_copies(generator, experiment.task.fidelity.space, source, seed, folder / "copies.png")
        if generator.classes and not arguments.no_cas:
            scores |= learn_from(generator, source, seed)
    write_json(folder / "evaluation.json", {**scores, "seed": seed})
    print(table(scores))
    print(folder)
    return 0


def _check(n: int | None, config: Config) -> None:
    if n is None:
        return
    if not isinstance(config, GanConfig):
        raise UserError(
            f"--n is how many images to draw from noise; {config.recipe} makes one of each test image. Leave it out."
        )
    if not FEWEST <= n <= MOST:
        raise UserError(f"--n is {n}; it must be from {FEWEST} to {MOST:,}.")


def score(config: Config, experiment: Experiment, finished: FinishedRun, seed: int, n: int | None) -> dict[str, float]:
    """The scores with which the training ended, of the model that it saved; the same if nothing was changed. `n` is
    how many images to generate."""
    device = device_for(config)
    task = experiment.task
    trainer = Trainer(task, experiment.train, experiment.select, config.trainer, seed=seed, device=device)
    (name,) = task.exported
    trainer.nets[name].load_state_dict(finished.predictor.net.state_dict())
    return trainer.score(experiment.test if n is None else first_rows(experiment.test, n))


def first_rows(batches: Iterable[dict[str, Tensor]], n: int) -> Iterator[dict[str, Tensor]]:
    """Batches with `n` rows in all, by passing over `batches` as often as it takes."""
    while n > 0:
        for batch in batches:
            yield {name: value[:n] for name, value in batch.items()}
            n -= min(n, len(next(iter(batch.values()))))
            if n == 0:
                return


def find_copies(generator: Generator, space: FeatureSpace, source: Source, seed: int, path: Path) -> dict[str, float]:
    """How many generated images are as near to a training image as the nearest real ones, and an image of the
    nearest: each above the training images that it is most like."""
    labels = torch.arange(LOOKED_AT) % len(generator.classes) if generator.classes else None
    images = generator.draw(generator.latents(seed, range(LOOKED_AT)), labels)
    copies = nearest_copies(space, images / 127.5 - 1, source.train, source.test, k=NEAREST)
    closest = copies.pixels.distance[:, 0].argsort()[:SHOWN]
    training = [source.train[i]["image"] for i in copies.pixels.index[closest].T.flatten().tolist()]
    save_image(picture(picture_grid(torch.stack([*images[closest], *training]) / 255, SHOWN)), path)
    return copies.scores()


def learn_from(generator: Generator, source: Source, seed: int) -> dict[str, float]:
    """Accuracy on real test images of a classifier that has seen generated images alone, as many of each class as
    there are real training images; and of one that has seen those."""
    rows = range(min(len(source.train), MOST_LEARNT))
    labels = torch.stack([source.train[i]["label"] for i in rows])
    images = generator.draw(generator.latents(seed, rows), labels)
    generated = TensorDataset({"image": images, "label": labels})
    return {"cas": cas(generated, source.test), "cas_real": cas(source.train, source.test)}


def table(scores: dict[str, float]) -> str:
    """A line for each score, with what it is read against beside it."""
    columns: dict[str, dict[str, float]] = {"this run": {}} | {title: {} for title in BESIDE.values()}
    for name, value in scores.items():
        end = next((end for end in BESIDE if name.endswith(end) and not name.startswith("n_")), "")
        columns[BESIDE.get(end, "this run")][name.removesuffix(end)] = value
    shown = {title: column for title, column in columns.items() if column}
    width = max(map(len, scores))
    lines = [f"{'score':<{width}}" + "".join(f"{title:>14}" for title in shown)]
    for name in dict.fromkeys(name for column in shown.values() for name in column):
        lines.append(f"{name:<{width}}" + "".join(f"{_shown(column.get(name)):>14}" for column in shown.values()))
    return "\n".join(line.rstrip() for line in lines)


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value > 1 and float(value).is_integer() else f"{value + 0.0:.4f}"  # + 0.0: no "-0"
