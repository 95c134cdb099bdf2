"""The commands `evaluate` and `copies`: all scores of a finished run beside their floors, and a look for copies."""

import csv
import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from torchworks.diffusion.images.commands import Copies, Evaluate
from torchworks.diffusion.images.config import ImagesConfig
from torchworks.diffusion.images.predictor import Drawer, open_drawer
from torchworks.diffusion.images.sample import to_bytes, with_drawing
from torchworks.diffusion.process.levels import MOST, TIMES, LevelLosses
from torchworks.diffusion.process.objective import Objective
from torchworks.shared.config import UserError
from torchworks.shared.data import Source, open_source
from torchworks.shared.denoising import SAMPLERS
from torchworks.shared.fidelity import Fidelity, Judge, bounds, features_of, judge_for, nearest_copies
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.runs.directory import picture_grid, write_json
from torchworks.shared.runs.outputs import picture, prepare, prepare_image_file, progress, save_image

FEWEST, MOST_DRAWN = 2, 100_000
SHOWN, NEAREST = 10, 3  # images in copies.png, neighbors of each
SWEPT = (1, 2, 4, 8, 16)
"""Steps that --sweep looks at."""


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Draws images and scores them against the data of the run."""

    drawer: Drawer
    source: Source
    judge: Judge

    @classmethod
    def of(cls, drawer: Drawer) -> "Scorer":
        config = drawer.run.config
        source = open_source(config.data, config.loader)
        size = drawer.predictor.shape[-1]
        return cls(drawer, source, judge_for(source, image_size=size, device=drawer.run.device))

    def labels(self, n: int) -> Tensor | None:
        """Classes of `n` images: those of the test images, again and again."""
        if not self.drawer.classes:
            return None
        test = self.source.test
        return torch.stack([test[i % len(test)]["label"] for i in range(n)])

    def score(self, drawer: Drawer, seed: int, n: int) -> dict[str, float]:
        """The scores of `n` images."""
        fidelity = Fidelity(self.judge, reference=features_of(self.judge, self.source.train)).to(drawer.run.device)
        labels = self.labels(n)
        for start in range(0, n, 256):
            rows = range(start, min(start + 256, n))
            part = None if labels is None else labels[rows.start : rows.stop]
            images = drawer.draw(seed, rows, part).to(drawer.run.device)
            fidelity.update(fake=images, label=None if part is None else part.to(drawer.run.device))
        return {name: float(value) for name, value in fidelity.compute().items()}


def evaluate(arguments: Evaluate) -> int:
    """Score the run, write evaluation.json, copies.png and loss.png, print a table."""
    drawer = with_drawing(open_drawer(arguments.run, arguments.device), arguments.drawing)
    folder = arguments.out or arguments.run / "evaluation"
    written = ["evaluation.json", "copies.png", "loss.png", *["sweep.csv"] * arguments.sweep]
    prepare(folder, written, overwrite=arguments.overwrite or arguments.out is None)
    scorer = Scorer.of(drawer)
    n = len(scorer.source.test) if arguments.n is None else arguments.n
    _check_count(n)
    seed = drawer.run.config.seed if arguments.seed is None else arguments.seed
    scores = scorer.score(drawer, seed, n)
    beside = bounds(scorer.judge, scorer.source)
    scores |= find_copies(scorer, seed, n, folder / "copies.png")
    config = drawer.run.config
    if isinstance(config, ImagesConfig) and config.own_noise:
        save_image(picture(level_losses(scorer).picture()), folder / "loss.png")
    drawn_by = dataclasses.asdict(drawer.sampling)
    write_json(folder / "evaluation.json", {**scores, **beside, "seed": seed, "sampling": drawn_by})
    print(table(scores, beside))
    if n < len(scorer.source.test):
        print(
            f"The distance of {n} images is larger than that of many, and that of real images is of "
            f"{len(scorer.source.test)}: leave out --n to compare them."
        )
    if arguments.sweep:
        _sweep(scorer, seed, n, folder / "sweep.csv")
    print(folder)
    return 0


def copies(arguments: Copies) -> int:
    """Draw images, write the picture of those most like training images, print their shares."""
    drawer = with_drawing(open_drawer(arguments.run, arguments.device), arguments.drawing)
    _check_count(arguments.n)
    path = arguments.out or arguments.run / "copies.png"
    prepare_image_file(path, overwrite=arguments.overwrite or arguments.out is None)
    shares = find_copies(Scorer.of(drawer), arguments.seed, arguments.n, path)
    for name, share in shares.items():
        print(f"{name:<22}{share:8.3f}   (real test images 0.050)")
    print(path)
    return 0


def find_copies(scorer: Scorer, seed: int, n: int, path: Path) -> dict[str, float]:
    """How many drawn images are as near to a training image as the nearest real ones, and a picture of the nearest:
    each above the training images that it is most like."""
    source = scorer.source
    images = scorer.drawer.draw(seed, range(n), scorer.labels(n))
    found = nearest_copies(scorer.judge, images, source.train, source.test, k=NEAREST)
    closest = found.pixels.distance[:, 0].argsort()[:SHOWN]
    training = [source.train[i]["image"] for i in found.pixels.index[closest].T.flatten().tolist()]
    rows = torch.stack([*to_bytes(images[closest]), *training])
    save_image(picture(picture_grid(rows / 255, len(closest))), path)
    return found.scores()


@torch.no_grad()
def level_losses(scorer: Scorer) -> LevelLosses:
    """The loss on test images at each level of noise."""
    drawer, losses = scorer.drawer, LevelLosses()
    config = drawer.run.config
    assert isinstance(config, ImagesConfig)
    objective, random, test = (
        Objective.of(config.process),
        StepRandom(config.seed, drawer.run.device),
        scorer.source.test,
    )
    rows = [test[i] for i in range(min(MOST, len(test)))]
    image = torch.stack([row["image"] for row in rows]).to(drawer.run.device) / 127.5 - 1
    image = drawer.predictor.clean(image)
    labels = (torch.stack([row["label"] for row in rows]).to(drawer.run.device),) if drawer.classes else ()
    found = []
    for t in TIMES:
        problem = objective.problem_at(image, random.normal(*image.shape), image.new_full((len(image),), t))
        found.append(problem.loss(drawer.predictor.net(problem.x, problem.time, *labels)))
    losses.add(found)
    return losses


def table(scores: dict[str, float], beside: dict[str, float]) -> str:
    """A line for each score, with what real images and normally distributed pixels have beside it."""
    width = max(map(len, scores))
    lines = [f"{'score':<{width}}{'this run':>14}{'real images':>14}{'baseline':>14}"]
    for name, value in scores.items():
        real = beside.get(f"{name}_floor", beside.get(f"{name}_real"))
        lines.append(f"{name:<{width}}{_shown(value)}{_shown(real)}{_shown(beside.get(f'{name}_baseline'))}".rstrip())
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    if value is None:
        return " " * 14
    return f"{value:14.0f}" if value > 1 and float(value).is_integer() else f"{value + 0.0:14.4f}"  # + 0.0: no "-0"


def _check_count(n: int) -> None:
    if not FEWEST <= n <= MOST_DRAWN:
        raise UserError(f"--n is {n}; it must be from {FEWEST} to {MOST_DRAWN:,}.")


def _sweep(scorer: Scorer, seed: int, n: int, path: Path) -> None:
    """The distance for each sampler and number of steps, as a table on the terminal and a file."""
    name = scorer.judge.frechet_name
    rows = []
    for sampler in progress(list(SAMPLERS), "scoring", len(SAMPLERS)):
        distances = []
        for steps in SWEPT:
            sampling = dataclasses.replace(scorer.drawer.sampling, sampler=sampler, steps=steps)
            distances.append(scorer.score(Drawer(scorer.drawer.run, sampling), seed, n)[name])
        rows.append((sampler, distances))
    print(f"\n{name + ' at steps':<22}" + "".join(f"{steps:>9}" for steps in SWEPT))
    for sampler, distances in rows:
        print(f"{sampler:<22}" + "".join(f"{distance:9.3f}" for distance in distances))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sampler", *SWEPT])
        writer.writerows([sampler, *distances] for sampler, distances in rows)
