"""What the service runs when drift stays: trains a challenger with labelled images of both machines, and exports it.

It runs in a process of its own, started by the service, and ends with it. When it has finished, `retrained.json` says
where the challenger is; nothing is promoted: that is decided by somebody, or something, that knows labels.
"""

import json
import os
import shlex
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torchworks.lessons.capstone.hospital import TABLE, Row, read_table, write_table
from torchworks.lessons.capstone.shell import Shell

PLAN, DONE = "retrain.json", "retrained.json"


@dataclass(frozen=True)
class Plan:
    """What the challenger is made from: paths, and options of the training."""

    out: str
    champion: str
    before: str
    """Table of the images that the champion was trained with."""
    labelled: str
    """Folder of the new machine's labelled images."""
    options: list[str]


def retrain(plan_file: Path) -> None:
    """Train, evaluate and export."""
    began = time.monotonic()
    plan = Plan(**json.loads(plan_file.read_text(encoding="utf-8")))
    out = Path(plan.out)
    shell = Shell(out / "logs" / "retraining")
    table = out / "data" / "challenger.csv"
    write_table(table, _joined(table.parent, Path(plan.before), Path(plan.labelled) / TABLE))
    run, bundle = out / "runs" / "challenger", out / "bundles" / "challenger"
    words = ["cnn-vision", "train", "medical", "--data", f"csv:{table}", "--pretrained", plan.champion]
    trained = shell.run(*words, *plan.options, "--out", run)
    exported = shell.run("serving", "export", run, "--out", bundle, "--name", "chest", "--seconds", "0.1")
    facts = {
        "commands": [trained.command, exported.command],
        "drifted": os.environ.get("TORCHWORKS_DRIFTED", "").split("\n"),
        "version": os.environ.get("TORCHWORKS_VERSION", ""),
        "run": str(run),
        "bundle": bundle.name,
        "seconds": round(time.monotonic() - began, 1),
        "images": len([row for row in read_table(table) if row.split == "train"]),
    }
    aside = out / f".{DONE}"
    aside.write_text(json.dumps(facts), encoding="utf-8")
    aside.replace(out / DONE)


def _joined(folder: Path, before: Path, labelled: Path) -> list[Row]:
    """Training rows of both tables; to test, those of the new machine, whose images are what comes now."""
    rows = []
    for table, parts in ((before, ("train",)), (labelled, ("train", "test"))):
        near = Path(os.path.relpath(table.parent, folder))
        chosen = [row for row in read_table(table) if row.split in parts]
        rows += [replace(row, path=(near / row.path).as_posix()) for row in chosen]
    return rows


def write_plan(folder: Path, plan: Plan, python: str) -> Path:
    """The plan, and the program to give to `--monitor.retrain`. Returns the program."""
    (folder / PLAN).write_text(json.dumps(asdict(plan), indent=2), encoding="utf-8")
    program = folder / "retrain"
    line = f"exec {shlex.join([python, '-m', 'torchworks.lessons.capstone', '--retrain', str(folder / PLAN)])}"
    program.write_text(f"#!/bin/sh\n# run by the service when drift stays\n{line}\n", encoding="utf-8")
    program.chmod(0o700)
    return program
