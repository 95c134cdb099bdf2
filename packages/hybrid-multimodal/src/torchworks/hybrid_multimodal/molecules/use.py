"""The commands of runs that predict properties of molecules: `estimate`, and what `evaluate` does with them."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.molecules import Molecules, molecules_of
from torchworks.hybrid_multimodal.inference.commands import Estimate, Evaluate
from torchworks.hybrid_multimodal.molecules.attribution import atom_shares
from torchworks.hybrid_multimodal.molecules.baselines import baselines
from torchworks.hybrid_multimodal.molecules.build import protocol
from torchworks.hybrid_multimodal.molecules.config import MoleculeConfig
from torchworks.hybrid_multimodal.molecules.drawing import Drawn, draw, prepare_picture
from torchworks.hybrid_multimodal.molecules.metrics import named_scores, scores_of
from torchworks.hybrid_multimodal.molecules.predictor import BUILDER, TRAINING, MoleculePredictor
from torchworks.hybrid_multimodal.molecules.similarity import UNLIKE, Nearest
from torchworks.shared.config import UserError
from torchworks.shared.data import open_source
from torchworks.shared.data.decoding import STANDARD_INPUT, decoded, name_of, text_bytes
from torchworks.shared.data.listing import some
from torchworks.shared.data.ragged import pad_to_longest
from torchworks.shared.data.smiles import UnreadableSmiles, molecule_table, read_smiles, shown
from torchworks.shared.data.text_tables import rows_of
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.models.predictor import read_files
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import prepare

MOST_DRAWN = 24
WORST = 8
TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson")


@dataclass(frozen=True)
class OpenedMolecules:
    """A finished run that predicts properties of molecules."""

    run: FinishedRun

    @classmethod
    def of(cls, folder: Path, device: str) -> "OpenedMolecules":
        """Raises `UserError` unless `folder` is such a run."""
        run = open_run(folder, "hybrid-multimodal", device)
        if read_manifest(folder).builder != BUILDER:
            raise UserError(
                f"{folder} is a run of {run.config.recipe}, which knows no molecules. Give a run of the recipe "
                "molecules."
            )
        return cls(run)

    @property
    def predictor(self) -> MoleculePredictor:
        return cast(MoleculePredictor, self.run.predictor)

    @property
    def targets(self) -> tuple[str, ...]:
        return self.predictor.signature.outputs[0].labels

    @cached_property
    def nearest(self) -> Nearest:
        """Among the training molecules."""
        return Nearest(json.loads(read_files(self.run.folder)[TRAINING]))

    def values(self, molecules: Sequence[Any]) -> Tensor:
        """What is predicted for molecules of rdkit, (N, K)."""
        tables, _ = pad_to_longest([torch.from_numpy(molecule_table(each)) for each in molecules])
        return self.run.compute(tables)

    def shares(self, molecule: Any, target: int = 0) -> list[float]:
        """What each atom adds to the value of a target."""
        table = torch.from_numpy(molecule_table(molecule)).to(self.run.device)
        return atom_shares(self.predictor, table)[:, target].tolist()


# --------------------------------------------------------------------------------------------------- estimate


def estimate(arguments: Estimate) -> int:
    """Print a line for each molecule; those that cannot be read are named at the end. Raises `UserError` for them."""
    opened = OpenedMolecules.of(arguments.run, arguments.device)
    texts = list(given(arguments.given))
    if arguments.out is not None:
        inputs = [Path(each) for each in arguments.given if Path(each).is_file()]
        prepare_picture(arguments.out, overwrite=arguments.overwrite, inputs=inputs)
    read, bad = readable(texts)
    if read:
        values = opened.values([molecule for _, molecule in read])
        print_values(opened, read, values)
        if arguments.out is not None:
            draw_shares(opened, read[:MOST_DRAWN], values, arguments.out)
            print(arguments.out)
    if bad:
        raise UserError(f"Molecules that cannot be read: {len(bad)} ({some(bad, 10)}).")
    return 0


def given(words: Sequence[str]) -> Iterator[str]:
    """The SMILES that the words of a command are, or that the files hold which they name. Raises `UserError`."""
    if not words:
        raise UserError("Name a molecule by its SMILES, such as CCO for ethanol, or a file of them.")
    for word in words:
        path = Path(word)
        if path == STANDARD_INPUT or path.suffix.lower() in (*TABLES, ".smi", ".txt") or _is_file(path):
            yield from _in_file(path)
        else:
            yield word


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a SMILES may be no possible name
        return False


def _in_file(file: Path) -> Iterator[str]:
    """A table with the column smiles, or lines that begin with a SMILES."""
    content = text_bytes(file, "Give SMILES, or the path of a file with one in each line.")
    if file.suffix.lower() in TABLES:
        rows = rows_of(file, content, ("smiles",))
        for line, row in rows:
            if isinstance(row, str):
                raise UserError(f"{name_of(file)}: line {line} {row}.")
            yield row["smiles"]
        return
    lines = [line.split() for line in decoded(content, name_of(file)).splitlines()]
    yield from (words[0] for words in lines if words)


def readable(texts: Sequence[str]) -> tuple[list[tuple[str, Any]], list[str]]:
    """Each SMILES with its molecule, and those that are none with the reason."""
    read, bad = [], []
    for text in texts:
        try:
            read.append((text, read_smiles(text)))
        except UnreadableSmiles as error:
            bad.append(f"{shown(text)} {error}")
    return read, bad


def print_values(opened: OpenedMolecules, read: Sequence[tuple[str, Any]], values: Tensor) -> None:
    width = min(40, max(len(text) for text, _ in read))
    for (text, molecule), row in zip(read, values.tolist(), strict=True):
        named = "  ".join(written(target, value) for target, value in zip(opened.targets, row, strict=True))
        near, similarity = opened.nearest.of(molecule)
        like = f"nearest in training {near} ({similarity:.2f})"
        if similarity < UNLIKE:
            like = f"a guess: unlike all of training, {like}"
        print(f"{text:<{width}}  {named}  {like}")


def written(target: str, value: float, *, name: bool = True) -> str:
    """A value with its unit, which a target has in brackets at its end."""
    found = re.fullmatch(r"(.*\S)\s*\((.+)\)", target)
    about, unit = found.groups() if found else (target, "")
    return f"{f'{about} ' if name else ''}{value:.2f}{f' {unit}' if unit else ''}"


def draw_shares(opened: OpenedMolecules, read: Sequence[tuple[str, Any]], values: Tensor, file: Path) -> None:
    """The molecules with their atoms colored by their shares in the first target."""
    target = opened.targets[0]
    pairs = zip(read, values[:, 0].tolist(), strict=False)
    draw([Drawn(m, f"{written(target, v, name=False)}\n{text[:28]}", opened.shares(m)) for (text, m), v in pairs], file)


# --------------------------------------------------------------------------------------------------- evaluate


def evaluate(arguments: Evaluate) -> int:
    """Score the test part again, beside methods without a graph; plot predicted against measured values, and draw the
    worst molecules."""
    opened = OpenedMolecules.of(arguments.run, "auto")
    config = opened.run.config
    assert isinstance(config, MoleculeConfig)
    folder = arguments.out or arguments.run / "evaluation"
    prepare(folder, ["evaluation.json", "measured.png", "worst.png"], overwrite=arguments.overwrite)
    whole, test = molecules_of(open_source(config.data, config.loader, config.seed))
    train, valid = whole.held_out(config.valid_fraction, config.seed)
    scale = opened.predictor.std.cpu()
    read = [read_smiles(each) for each in test.smiles]
    values, measured = opened.values(read), test.tensors["target"]
    found: dict[str, Any] = named_scores(values, measured, opened.targets, scale)
    found |= by_similarity(opened, read, values[:, 0], measured[:, 0])
    found |= baselines(whole, test, scale)
    write_json(folder / "evaluation.json", found | {"protocol": protocol(train, valid, test)})
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value:.4f}")
    plot(opened.targets[0], values[:, 0], measured[:, 0], folder / "measured.png")
    draw_worst(opened, test, read, values[:, 0], folder / "worst.png")
    print(folder)
    return 0


def by_similarity(opened: OpenedMolecules, read: Sequence[Any], values: Tensor, measured: Tensor) -> dict[str, float]:
    """RMSE of test molecules that are like some of training, and of those that are unlike all, with their number."""
    unlike = torch.tensor([opened.nearest.of(molecule)[1] < UNLIKE for molecule in read])
    found: dict[str, float] = {}
    for name, rows in (("like_training", ~unlike), ("unlike_training", unlike)):
        if rows.any():
            found[f"rmse_{name}"] = scores_of(values[rows], measured[rows])["rmse"]
        found[f"molecules_{name}"] = float(rows.sum())
    return found


def plot(target: str, values: Tensor, measured: Tensor, file: Path) -> None:
    from matplotlib.figure import Figure

    known = measured.isfinite()
    x, y = measured[known].numpy(), values[known].numpy()
    figure = Figure(figsize=(5, 5), layout="constrained")
    axis = figure.subplots()
    low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    axis.plot([low, high], [low, high], color="grey", linewidth=1)
    axis.scatter(x, y, s=12, alpha=0.6)
    scores = scores_of(values, measured)
    axis.set(xlabel=f"measured {target}", ylabel="predicted", aspect="equal")
    axis.set_title(f"{len(x)} test molecules: RMSE {scores['rmse']:.3f}, R² {scores['r2']:.3f}")
    figure.savefig(file, dpi=110)


def draw_worst(opened: OpenedMolecules, test: Molecules, read: Sequence[Any], values: Tensor, file: Path) -> None:
    """The test molecules that are predicted worst, atoms colored by their shares."""
    measured = test.tensors["target"][:, 0]
    error = (values - measured).abs().nan_to_num(-1)
    worst = error.topk(min(WORST, len(error))).indices.tolist()
    words = [f"measured {measured[i]:.2f}, predicted {values[i]:.2f}" for i in worst]
    draw([Drawn(read[i], text, opened.shares(read[i])) for i, text in zip(worst, words, strict=True)], file)
