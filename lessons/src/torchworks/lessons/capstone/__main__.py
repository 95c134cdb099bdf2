"""The command behind `make capstone`.

A mistake of the user's, or a step that fails, is one paragraph and exit code 2; what was made until then stays.
"""

import argparse
import json
import os
import signal
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from torchworks.lessons.capstone.settings import FULL, QUICK, Settings
from torchworks.shared.config import UserError

RUNS = Path("runs/capstone")


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="make capstone",
        description="Findings in X-ray-like images, from raw DICOM files to a watched service, with a report.",
    )
    parser.add_argument("--out", type=Path, help="folder to make (default: the next number in runs/capstone)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that all steps run")
    parser.add_argument("--seeds", type=int, metavar="N", help="trainings of each kind (default: 3)")
    parser.add_argument("--draw", action="store_true", help="draw the images and stop, to do the rest by hand")
    parser.add_argument("--retrain", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        if given.retrain is not None:
            from torchworks.lessons.capstone.retrain import retrain

            retrain(given.retrain)
            return 0
        sizes, folder = _sizes(given), folder_for(given.out)
        return draw(folder, sizes) if given.draw else tell(folder, sizes)
    except UserError as error:
        return _say(str(error), 2)
    except KeyboardInterrupt:
        return _say("Stopped. What was made until now stays.", 130)
    except BrokenPipeError:  # whoever reads what is printed has read enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (else Python complains at exit)
        return _say("Stopped, as nobody reads any more what is printed. What was made until now stays.", 2)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _say(f"{place}{error.strerror or error}. What was made until now stays; make room or permission.", 2)
    finally:
        signal.signal(signal.SIGTERM, before)


def _sizes(given: argparse.Namespace) -> Settings:
    sizes = QUICK if given.quick else FULL
    if given.seeds is None:
        return sizes
    if given.seeds < 1:
        raise UserError(f"--seeds must be at least 1, but it is {given.seeds}.")
    return replace(sizes, seeds=given.seeds)


def folder_for(out: Path | None) -> Path:
    """A new folder. Raises `UserError` if `out` holds something: no run is ever replaced."""
    if out is None:
        taken = [int(path.name) for path in RUNS.glob("[0-9]*") if path.name.isdecimal()] if RUNS.is_dir() else []
        out = RUNS / f"{max(taken, default=0) + 1:03}"
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"{out} is there already, and nothing is replaced. Give another folder by OUT=folder.")
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out} cannot be made: {error.strerror}. Give another folder by OUT=folder.") from error
    return out.resolve()


def draw(out: Path, sizes: Settings) -> int:
    """Only the images, for those who do the rest by hand."""
    from torchworks.lessons.capstone.modelling import draw_folders

    draw_folders(out, sizes)
    print(os.path.relpath(out))
    return 0


def tell(out: Path, sizes: Settings) -> int:
    """All steps, and the report, also where a step fails."""
    from torchworks.lessons.capstone import modelling, operating
    from torchworks.lessons.capstone.report import write_report
    from torchworks.lessons.capstone.shell import Shell
    from torchworks.lessons.capstone.story import Story

    began, used = time.monotonic(), os.times()
    story = Story(out, sizes, Shell(out / "logs"))
    failure = ""
    try:
        for step in (
            modelling.draw_data,
            modelling.check_data,
            modelling.train,
            modelling.evaluate,
            modelling.export,
            operating.operate,
        ):
            step(story)
    except KeyboardInterrupt:
        failure = "This run was stopped before its end."
        raise
    except Exception as error:
        failure = f"This run ended early. {error if isinstance(error, UserError) else repr(error)}"
        raise
    finally:
        now = os.times()
        computed = sum(now[:4]) - sum(used[:4])
        story.facts["seconds"] = {"wall": round(time.monotonic() - began, 1), "cpu": round(computed, 1)}
        (out / "facts.json").write_text(json.dumps(story.facts, indent=2, default=str), encoding="utf-8")
        report = write_report(out / "report.html", story.chapters, _summary(story.facts, sizes), failure)
        print(f"\n{story.facts['seconds']['wall']:.0f} s, of which {computed:.0f} s of computing", flush=True)
        print(os.path.relpath(report), flush=True)
    return 0


_TINY = (
    "This was a quick run with tiny sizes, to see that all steps run: its models are good for nothing, and what the "
    "text says about them holds only of a full run."
)


def _summary(facts: dict[str, Any], sizes: Settings) -> list[str]:
    seconds = facts["seconds"]
    return [
        "One course in one command: raw DICOM files are checked, a net is transferred to them, evaluated, exported and "
        "served; a new machine makes its images drift, the service calls for a new model, which has to win against the "
        "old one; and a bad version is rolled back. Every command can be typed by hand, as capstone.md does.",
        "All images are drawn. They show no patient, and no number here says anything about medicine.",
        *([_TINY] if sizes.quick else []),
        *_in_numbers(facts),
        f"The run took {seconds['wall']:.0f} seconds, {seconds['cpu']:.0f} seconds of computing.",
    ]


def _in_numbers(facts: dict[str, Any]) -> list[str]:
    """A paragraph, once all steps are done."""
    if "requests" not in facts:
        return []
    from torchworks.lessons.capstone.modelling import HOG, SCRATCH, TRANSFER

    areas = {name: sum(values) / len(values) for name, values in facts["auroc"].items()}
    alert, scores = facts["alert"], {name: values[0] for name, values in facts["duel"]["scores"].items()}
    return [
        f"In numbers, all mean ROC-AUC: transferred {areas[TRANSFER]:.3f}, from scratch {areas[SCRATCH]:.3f}, {HOG} "
        f"{areas[HOG]:.3f}. Drift was seen after {alert['drift_seen_after']} images of the new machine and retraining "
        f"called for after {alert['retraining_after']}; on it the champion has {scores['champion']:.3f} and the "
        f"challenger {scores['challenger']:.3f}. The bad version has {facts['roll_back']['bad'][0]:.3f}, and after the "
        f"roll-back it is {facts['roll_back']['after'][0]:.3f}. Of {sum_of(facts['requests'])} requests "
        f"{facts['requests']['failed']} failed."
    ]


def sum_of(requests: dict[str, int]) -> int:
    """All requests that were sent."""
    return requests["images"] + requests["watchman"]


def _stop(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a run as Ctrl+C does: the service too."""
    raise KeyboardInterrupt


def _say(text: str, code: int) -> int:
    print(textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
