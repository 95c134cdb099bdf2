"""What the commands `recognize` and `evaluate` do with a run of action recognition."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.actions.baselines import ablations, accuracy_of, baselines, changed
from torchworks.hybrid_multimodal.actions.build import films_of
from torchworks.hybrid_multimodal.actions.commands import Recognize
from torchworks.hybrid_multimodal.actions.config import ActionConfig
from torchworks.hybrid_multimodal.actions.predictor import BUILDER
from torchworks.hybrid_multimodal.actions.task import probabilities
from torchworks.hybrid_multimodal.data.films import decode
from torchworks.hybrid_multimodal.data.films_listing import find_films, frames_in
from torchworks.hybrid_multimodal.data.films_plots import BLACK, RIGHT, WRONG, Strip, draw_strips
from torchworks.hybrid_multimodal.inference.commands import Evaluate
from torchworks.shared.config import UserError
from torchworks.shared.data import TensorDataset, held_out, open_source, resident
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.listing import some
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import open_run
from torchworks.shared.runs.outputs import prepare, prepare_image_file, progress, save_image

PACKAGE = "hybrid-multimodal"
CHUNK, DRAWN, NAMED = 16, 24, 20
"""Films that are held at once, that are drawn, and unreadable ones that the error names."""
SHOWN = 12
"""Test films of a report."""


class ActionRun:
    """A finished run of action recognition. Raises `UserError` for a run of another job."""

    def __init__(self, folder: Path, device: str = "auto"):
        self.run = open_run(folder, PACKAGE, device)
        manifest = read_manifest(folder)
        if manifest.builder != BUILDER:
            raise UserError(
                f"{folder} is a run of the recipe {self.run.config.recipe}, which does not name what happens in films. "
                f"Train one that does: {PACKAGE} train action."
            )
        assert isinstance(self.run.config, ActionConfig)
        self.config = self.run.config
        self.classes = self.run.predictor.signature.outputs[0].labels
        self.frames, self.channels, self.size = (manifest.config[name] for name in ("frames", "channels", "image_size"))

    @property
    def net(self) -> torch.nn.Module:
        return self.run.predictor.net

    def probabilities(self, clips: Tensor) -> Tensor:
        """Of films uint8 (N, T, C, S, S), float32 (N, K)."""
        return probabilities(self.net, clips, self.run.device)

    def read(self, path: Path) -> Tensor:
        """A film as the model takes it, uint8 (T, C, S, S). Raises `Unreadable`."""
        found = decode(path, self.frames, self.channels, self.size)
        if found.frames < 2 <= self.frames:
            raise Unreadable("it has one frame only")
        return torch.from_numpy(found.pixels)


# ---------------------------------------------------------------------------------------------------- recognize


def recognize(arguments: Recognize) -> int:
    """Print a line for each film. Raises `UserError` that names those that could not be read, once all others are
    done."""
    if not arguments.films:
        raise UserError("No films were given. Name film files, or folders of them, after the run.")
    check_number("--top", arguments.top, 1)
    opened = ActionRun(arguments.run, arguments.device)
    paths, bad = find_films([*arguments.films])
    if arguments.out is not None:
        read = [file for path in paths for file in (frames_in(path) if path.is_dir() else [path])]
        prepare_image_file(arguments.out, overwrite=arguments.overwrite, inputs=read)
    strips: list[Strip] = []
    starts = range(0, len(paths), CHUNK)
    for start in progress(starts, "recognizing", len(starts)):
        films = _read(opened, paths[start : start + CHUNK], bad)
        if not films:
            continue
        for (path, film), row in zip(films.items(), opened.probabilities(torch.stack([*films.values()])), strict=True):
            best = row.topk(min(arguments.top, len(row)))
            named = [
                f"{opened.classes[number]} {value:.2f}"
                for number, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
            ]
            print(f"{path}  {', '.join(named)}")
            if len(strips) < DRAWN:
                strips.append(_strip(opened, path, film, named))
    if arguments.out is not None and strips:
        save_image(draw_strips(strips), arguments.out)
        print(arguments.out if len(strips) == len(paths) else f"{arguments.out} ({len(strips)} films)")
    if bad:
        named = some([f"{path} ({why})" for path, why in bad.items()], NAMED)
        raise UserError(f"{len(bad)} of the films could not be used and were left out: {named}.")
    return 0


def _read(opened: ActionRun, paths: Sequence[Path], bad: dict[Path, str]) -> dict[Path, Tensor]:
    """The films at `paths`; `bad` gains those that cannot be read, and why."""
    films: dict[Path, Tensor] = {}
    for path in paths:
        try:
            films[path] = opened.read(path)
        except Unreadable as error:
            bad[path] = str(error)
    return films


def _strip(opened: ActionRun, path: Path, film: Tensor, named: Sequence[str]) -> Strip:
    """A film beside its name and what it was taken for, colored if its folder says what it is."""
    first, true = named[0], path.absolute().parent.name
    color = BLACK if true not in opened.classes else RIGHT if first.rpartition(" ")[0] == true else WRONG
    return Strip(film, [(path.stem[-24:], BLACK), (first, color)])


# ----------------------------------------------------------------------------------------------------- evaluate


def evaluate(arguments: Evaluate) -> int:
    """Score the run on the test films, as they are, as one frame, shuffled and reversed, beside simpler ways; draw test
    films beside what the model says of them forwards and backwards."""
    opened = ActionRun(arguments.run)
    config, folder = opened.config, arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json", "films.png"], overwrite=arguments.overwrite)
    source = open_source(config.data, config.loader, config.seed)
    if source.schema["label"].classes != opened.classes:
        raise UserError(
            f"{config.data} has other classes than when {arguments.run} was trained, so its scores would mean "
            "something else. Restore the data, or train again."
        )
    rest, _ = held_out(films_of(source.train), config.valid_fraction, config.seed)
    test = resident(source.test)
    said = opened.probabilities(test.tensors["clip"]).argmax(1)
    scores: dict[str, float] = {"n": len(test), "accuracy": accuracy_of(test.tensors["label"], said)}
    scores |= ablations(opened.net, test, opened.run.device) | baselines(resident(rest), test, config.seed)
    for number, name in enumerate(opened.classes):
        of_class = test.tensors["label"] == number
        if of_class.any():
            scores[f"accuracy_of_{name.replace(' ', '_')}"] = (said[of_class] == number).double().mean().item()
    width = max(map(len, scores)) + 2
    for name, value in scores.items():
        print(f"{name:<{width}}{value if isinstance(value, int) else f'{value:.4f}'}")
    write_json(folder / "evaluation.json", scores)
    save_image(draw_strips(_both_ways(opened, test)), folder / "films.png")
    print(folder)
    return 0


def _both_ways(opened: ActionRun, test: TensorDataset) -> list[Strip]:
    """The first test film of each class beside what the model says of it, forwards and backwards."""
    labels = test.tensors["label"]
    rows = [int((labels == number).nonzero()[0, 0]) for number in labels.unique().tolist()][:SHOWN]
    clips = test.tensors["clip"][rows]
    said, back = (opened.probabilities(films).argmax(1).tolist() for films in (clips, changed(clips)["reversed"]))
    strips = []
    for film, found, turned, true in zip(clips, said, back, labels[rows].tolist(), strict=True):
        lines = [(opened.classes[found], RIGHT if found == true else WRONG)]
        if found != true:
            lines.append((f"(it is: {opened.classes[true]})", BLACK))
        strips.append(Strip(film, [*lines, (f"backwards: {opened.classes[turned]}", BLACK)]))
    return strips
