"""The command `evaluate --restore`: how well test images are restored by a model that was only trained to draw.

The middle of each image is taken out and filled, each image is made small and enlarged again, and each is changed into
the next class. A judge, a classifier of the same data, reads what the results show.

Shape letters: N images, C channels, S pixels along a side.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from torchworks.diffusion.images.commands import Evaluate
from torchworks.diffusion.images.sample import to_bytes, with_drawing
from torchworks.diffusion.restore.restoring import Restorer, blocks, interpolated, peak_ratio, shrunk
from torchworks.diffusion.restore.use import restoring_drawer
from torchworks.shared.config import UserError
from torchworks.shared.data import Source, open_source
from torchworks.shared.fidelity import Judge, judge_for
from torchworks.shared.runs.directory import picture_grid, write_json
from torchworks.shared.runs.outputs import picture, prepare, progress, save_image

STEPS = 12
"""Steps unless something else is said."""
ROWS = 200
"""Test images that are restored unless something else is said."""
AT_ONCE = 100
FACTORS = (4, 2)
"""By which images are made small: the first that divides their size."""
RESAMPLINGS = (1, 3)
STRENGTHS = (0.3, 0.5, 0.7, 0.9)
SHOWN = 10
"""Images in restored.png."""


@dataclass(frozen=True)
class Job:
    """A way to restore or change images."""

    name: str
    told: bool = False
    """Whether the model is told what an image shows, or is to show."""
    resamplings: int = 1
    strength: float = 0.0

    @property
    def title(self) -> str:
        """What is done and how, for a table."""
        if self.name == "inpaint":
            return f"inpaint, {self.resamplings} resampling{'s' if self.resamplings > 1 else ''}"
        return f"edit, strength {self.strength:g}" if self.name == "edit" else self.name


@dataclass(frozen=True)
class Given:
    """Test images (N, C, S, S) in [-1, 1], their classes if there are some, and what is known of the images."""

    images: Tensor
    labels: Tensor | None
    hole: Tensor
    """bool (1, 1, S, S)"""
    factor: int

    @classmethod
    def of(cls, source: Source, rows: int, device: torch.device) -> "Given":
        samples = [source.test[i] for i in range(min(rows, len(source.test)))]
        images = torch.stack([sample["image"] for sample in samples]).to(device) / 127.5 - 1
        labels = torch.stack([sample["label"] for sample in samples]).to(device) if "label" in source.schema else None
        size = images.shape[-1]
        hole = torch.zeros(1, 1, size, size, dtype=torch.bool, device=device)
        hole[..., size // 4 : size - size // 4, size // 4 : size - size // 4] = True
        factor = next((factor for factor in FACTORS if size % factor == 0), 1)
        return cls(images, labels, hole, factor)

    def part(self, rows: slice) -> "Given":
        labels = None if self.labels is None else self.labels[rows]
        return dataclasses.replace(self, images=self.images[rows], labels=labels)

    def wanted(self, job: Job, classes: int) -> Tensor | None:
        """The class that each restored image should show: the next one where images are changed."""
        if self.labels is None or job.name != "edit":
            return self.labels
        return (self.labels + 1) % classes


def evaluate(arguments: Evaluate) -> int:
    """Score restoring, write restore.json and restored.png, print a table."""
    if arguments.sweep:
        raise UserError("--sweep scores how images are drawn, --restore how they are restored. Leave one out.")
    if arguments.n is not None and arguments.n < 1:
        raise UserError(f"--n is {arguments.n}; it must be at least 1.")
    drawer = with_drawing(restoring_drawer(arguments.run, arguments.device), arguments.drawing)
    config, sampling = drawer.run.config, drawer.sampling
    if arguments.drawing.steps is None:
        sampling = dataclasses.replace(sampling, steps=STEPS)
    seed = config.seed if arguments.seed is None else arguments.seed
    folder = arguments.out or arguments.run / "evaluation"
    written = ["restore.json", "restored.png"]
    prepare(folder, written, overwrite=arguments.overwrite or arguments.out is None)
    source = open_source(config.data, config.loader)
    judge = judge_for(source, image_size=drawer.predictor.shape[-1], device=drawer.run.device)
    given = Given.of(source, arguments.n or ROWS, drawer.run.device)
    restorer = Restorer(drawer.predictor, sampling, seed)
    jobs = list(jobs_of(restorer, given))
    results = {job: restored(restorer, given, job) for job in progress(jobs, "restoring", len(jobs))}
    scores = [score(judge, given, job, made, len(drawer.classes)) for job, made in results.items()]
    scores += untrained(judge, given)
    write_json(folder / "restore.json", {"rows": scores, "n": len(given.images), "seed": seed, "steps": sampling.steps})
    save_image(picture(example(given, results)), folder / "restored.png")
    print(table(scores))
    print(folder)
    return 0


def jobs_of(restorer: Restorer, given: Given) -> Iterator[Job]:
    """What can be scored: a model without classes is told none, and changes none."""
    conditional = bool(restorer.predictor.classes)
    for told in (False, True)[: 1 + conditional]:
        for resamplings in RESAMPLINGS:
            yield Job("inpaint", told, resamplings)
        if given.factor > 1:
            yield Job("enlarge", told)
    if conditional:
        yield from (Job("edit", True, strength=strength) for strength in STRENGTHS)


def restored(restorer: Restorer, given: Given, job: Job) -> Tensor:
    """What `job` makes of the images, (N, C, S, S)."""
    parts = [slice(start, start + AT_ONCE) for start in range(0, len(given.images), AT_ONCE)]
    return torch.cat([_restored(restorer, given.part(rows), job) for rows in parts])


def _restored(restorer: Restorer, given: Given, job: Job) -> Tensor:
    labels = given.wanted(job, len(restorer.predictor.classes)) if job.told else None
    if job.name == "inpaint":
        return restorer.fill(given.images, given.hole, labels, resamplings=job.resamplings)
    if job.name == "enlarge":
        return restorer.enlarge(shrunk(given.images, given.factor), labels)
    return restorer.edit(given.images, labels, job.strength)


def score(judge: Judge, given: Given, job: Job, made: Tensor, classes: int) -> dict[str, object]:
    """The scores of the images `made` by `job`: how many show what they should, pixels changed where none may be, what
    blocks' means are off by, and how far the images are from the true ones."""
    found: dict[str, object] = {"job": job.title, "told": job.told}
    found |= _read(judge, made, given.wanted(job, classes))
    off = made.clamp(-1, 1) - given.images
    if job.name == "inpaint":
        changed = to_bytes(made) != to_bytes(given.images)
        found |= {"changed": int((changed & ~given.hole).sum()), "rmse": _root(off[given.hole.expand_as(off)])}
    elif job.name == "enlarge":
        small = shrunk(given.images, given.factor)
        found |= {"means_off": float((shrunk(made, given.factor) - small).abs().max())}
        found |= {"psnr": float(peak_ratio(made, given.images).mean())}
    else:
        found |= {"rmse": _root(off)}
    return found


def untrained(judge: Judge, given: Given) -> list[dict[str, object]]:
    """Scores without a model: the images as they are, with a black hole, and enlarged by interpolation and blocks."""
    rows = {"images as they are": given.images, "black hole": given.images.masked_fill(given.hole, -1)}
    scores = [{"job": name, "told": False, **_read(judge, made, given.labels)} for name, made in rows.items()]
    if given.factor > 1:
        small, size = shrunk(given.images, given.factor), given.images.shape[-1]
        for name, made in (("bicubic", interpolated(small, size)), ("nearest", blocks(small, size))):
            ratio = float(peak_ratio(made, given.images).mean())
            scores.append({"job": name, "told": False, **_read(judge, made, given.labels), "psnr": ratio})
    return scores


def _read(judge: Judge, images: Tensor, wanted: Tensor | None) -> dict[str, object]:
    """The share of images that the judge reads as what they should show."""
    if wanted is None or not judge.classes:
        return {}
    read = torch.cat([judge.logits(part.clamp(-1, 1)).argmax(1) for part in images.split(AT_ONCE)])
    return {"class_right": float((read == wanted).float().mean())}


def _root(off: Tensor) -> float:
    return float(off.square().mean().sqrt())


COLUMNS = {"class_right": ".3f", "changed": "d", "rmse": ".2f", "psnr": ".1f", "means_off": ".0e"}


def table(scores: list[dict[str, object]]) -> str:
    """A line for each way to restore."""
    lines = ["job".ljust(24) + "told".rjust(6) + "".join(name.rjust(13) for name in COLUMNS)]
    for row in scores:
        cells = [format(row[name], form).rjust(13) if name in row else " " * 13 for name, form in COLUMNS.items()]
        lines.append((str(row["job"]).ljust(24) + ("yes" if row["told"] else "").rjust(6) + "".join(cells)).rstrip())
    return "\n".join(lines)


def example(given: Given, results: dict[Job, Tensor]) -> Tensor:
    """Rows of some images, an image of each class where there are classes: as they are, with the hole, filled, small,
    enlarged, changed; uint8 (3, H, W)."""
    chosen = _one_of_each(given)
    some, size = given.images[chosen], given.images.shape[-1]
    rows = [some, some.masked_fill(given.hole, 0)]
    filled = {job: made[chosen] for job, made in results.items() if job.name == "inpaint"}
    rows += [made for job, made in filled.items() if job.resamplings == max(RESAMPLINGS)]
    if given.factor > 1:
        rows.append(blocks(shrunk(some, given.factor), size))
    rows += [made[chosen] for job, made in results.items() if job.name == "enlarge"]
    rows += [made[chosen] for job, made in results.items() if job.strength == max(STRENGTHS)]
    return picture_grid(torch.cat(rows).clamp(-1, 1).cpu() / 2 + 0.5, len(chosen))


def _one_of_each(given: Given) -> list[int]:
    """The places of the first image of each of `SHOWN` classes; of the first images, if there are no classes."""
    if given.labels is None:
        return list(range(min(SHOWN, len(given.images))))
    first: dict[int, int] = {}
    for place, label in enumerate(given.labels.tolist()):
        first.setdefault(label, place)
    return [first[label] for label in sorted(first)][:SHOWN]
