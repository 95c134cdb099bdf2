"""The commands of runs of `lead`: `estimate`, and what `evaluate` does with them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.inference.commands import Estimate, Evaluate
from torchworks.hybrid_multimodal.inference.dispatch import table_of
from torchworks.hybrid_multimodal.inference.scoring import scored
from torchworks.hybrid_multimodal.lead.baselines import baselines
from torchworks.hybrid_multimodal.lead.build import new_task
from torchworks.hybrid_multimodal.lead.config import LeadConfig
from torchworks.hybrid_multimodal.lead.failures import FAILURES
from torchworks.hybrid_multimodal.lead.nets import Net
from torchworks.hybrid_multimodal.lead.plots import Answer, draw_scenes
from torchworks.hybrid_multimodal.lead.scenes import CAMERA, RANGE, Scenes, read_scenes
from torchworks.shared.data import Dataset, ResidentLoader, TensorDataset, held_out, open_source, resident
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun, open_run
from torchworks.shared.runs.outputs import picture, prepare, prepare_image_file, save_image

SHOWN = 4
"""Scenes of a drawing."""
EXAMPLES = 3
"""Scenes that `evaluate` writes as files."""
AT_ONCE = 256


def evaluate(arguments: Evaluate) -> int:
    """Score on the test part, with sensors that fail, beside what answers without fusion; draw some scenes, and write
    some as files that `estimate` reads."""
    run = open_run(arguments.run, "hybrid-multimodal")
    config = cast(LeadConfig, run.config)
    folder = arguments.out or arguments.run / "evaluation"
    cameras = [f"scene-{i}.png" for i in range(1, EXAMPLES + 1)]
    prepare(folder, ["evaluation.json", "scenes.png", "scenes.csv", *cameras], overwrite=arguments.overwrite)
    source = open_source(config.data, config.loader, config.seed)
    rest, _ = held_out(resident(source.train), config.valid_fraction, config.seed)
    task = new_task(config, cast(Net, run.predictor.net))
    found = scored(task, ResidentLoader(source.test, AT_ONCE, train=False, device=run.device))
    found |= baselines(rest, source.test)
    write_json(folder / "evaluation.json", found)
    _print(found)
    draw(run, shown(resident(source.test)), folder / "scenes.png")
    _write_examples(resident(source.test), folder, cameras)
    print(folder)
    return 0


def _print(found: dict[str, float]) -> None:
    """Sensors that fail, then what is compared with, as tables."""
    print(f"{'':<14}{'MAE m':>9}{'within 1 m':>13}{'80 % interval':>16}{'holds':>8}")
    for name in FAILURES:
        end = f"_{name}" if name else ""
        mae, within, wide, holds = (found[f"{key}{end}"] for key in ("mae", "within_1m", "interval", "coverage"))
        print(f"{name.replace('_', ' ') or 'both sensors':<14}{mae:>9.3f}{within:>13.1%}{wide:>14.2f} m{holds:>8.1%}")
    print()
    for name in ("mean", "coin", "nearest", "brightest_column", "rule"):
        if f"mae_{name}" in found:
            label = name.replace("_", " ")
            print(f"{label:<17}{found[f'mae_{name}']:>6.3f}{found[f'within_1m_{name}']:>13.1%}")


@dataclass(frozen=True)
class Shown:
    """Scenes to be drawn, uint8 (N, 3, H, W) and (N, B), what is said of each, and the truth if it is known."""

    cameras: Tensor
    beams: Tensor
    titles: list[str]
    truth: list[float | None]


def shown(test: TensorDataset) -> Shown:
    """Four test scenes: two as they are, one without camera, one without range sensor."""
    rows = test.subset(range(min(SHOWN, len(test)))).tensors
    cameras, beams, titles = rows["image"].clone(), rows["beams"].clone(), ["both sensors"] * len(rows["beams"])
    if len(beams) == SHOWN:
        cameras[2], titles[2] = 0, "camera dark"
        beams[3], titles[3] = 0, "range sensor off"
    return Shown(cameras, beams, titles, [*rows["distance"].tolist()])


def draw(run: FinishedRun, scenes: Shown, file: Path) -> None:
    """Write a drawing of scenes with what the model answers."""
    distance, low, high, bearing = answered(run, scenes.cameras, scenes.beams)
    columns = zip(scenes.cameras, scenes.beams, distance.tolist(), low.tolist(), high.tolist(), bearing, scenes.truth,
                  scenes.titles, strict=True)  # fmt: skip
    save_image(draw_scenes([Answer(*values) for values in columns]), file)


@torch.no_grad()
def answered(run: FinishedRun, cameras: Tensor, beams: Tensor) -> tuple[Tensor, ...]:
    """distance, low, high (N,) and bearing (N, C), on the CPU."""
    config = cast(LeadConfig, run.config)
    parts = []
    for images, lines in zip(cameras.split(AT_ONCE), beams.split(AT_ONCE), strict=True):
        use = [torch.full((len(images),), int(config.sensors in ("both", name))) for name in (CAMERA, RANGE)]
        given = (value.to(run.device) for value in (images, lines, *use))
        parts.append([value.cpu() for value in run.predictor(*given)])
    return tuple(torch.cat(values) for values in zip(*parts, strict=True))


def _write_examples(test: Dataset, folder: Path, cameras: Iterable[str]) -> None:
    rows, lines = resident(test).tensors, [f"{CAMERA},{RANGE}"]
    for i, name in enumerate(cameras):
        row = min(i, len(test) - 1)
        save_image(picture(rows["image"][row]), folder / name)
        lines.append(f"{name},{' '.join(f'{metres:.2f}' for metres in rows['beams'][row].tolist())}")
    (folder / "scenes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def estimate(arguments: Estimate) -> int:
    """Print the distance in each scene of a file, and its interval."""
    run = open_run(arguments.run, "hybrid-multimodal", arguments.device)
    camera, beams = run.predictor.signature.inputs[:2]
    height, width = (int(size) for size in camera.shape[2:])
    scenes: Scenes = read_scenes(table_of(arguments), (height, width), int(beams.shape[1]))
    if arguments.out is not None:
        prepare_image_file(arguments.out, overwrite=arguments.overwrite, inputs=scenes.files)
    distance, low, high, _ = answered(run, scenes.cameras, scenes.beams)
    wide = max(map(len, scenes.names))
    for i, name in enumerate(scenes.names):
        off = [said for said, value in (("camera dark", scenes.cameras[i]), ("range sensor off", scenes.beams[i]))
               if not value.any()]  # fmt: skip
        without = f"   ({', '.join(off)})" if off else ""
        print(f"{name:<{wide}}  {distance[i]:6.2f} m   {low[i]:6.2f} to {high[i]:6.2f} m{without}")
    if arguments.out is not None:
        few = slice(SHOWN)
        draw(run, Shown(scenes.cameras[few], scenes.beams[few], scenes.names[few],
                        [None] * len(scenes.names[few])), arguments.out)  # fmt: skip
        print(arguments.out)
    return 0
