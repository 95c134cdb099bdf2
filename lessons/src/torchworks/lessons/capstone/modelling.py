"""The first half: from raw files to a model that may be served."""

import json
import textwrap
from pathlib import Path

import numpy as np

from torchworks.lessons.capstone import baseline, faults, figures
from torchworks.lessons.capstone.hospital import TABLE, Row, admit, read_table, write_table
from torchworks.lessons.capstone.report import Chapter
from torchworks.lessons.capstone.scanners import ARCHIVE, NEW, OURS
from torchworks.lessons.capstone.scoring import Score, read_predictions, score, truth_of
from torchworks.lessons.capstone.settings import Settings
from torchworks.lessons.capstone.shell import written
from torchworks.lessons.capstone.story import Story, say
from torchworks.shared.config import UserError

REPAIRED = "repaired.csv"
TRANSFER, SCRATCH, ARCHIVED, HOG, PIXELS = (
    "transferred from the archive", "from scratch", "archive's net as it came",
    "logistic regression on gradients", "logistic regression on pixels",
)  # fmt: skip


def draw_data(story: Story) -> None:
    """The two hospitals' folders."""
    sizes = story.settings
    with story.step("Raw files from two hospitals") as chapter:
        archive, ours = draw_hospitals(story.data, sizes)
        machines = figures.draw_machines(story.figures / "machines.png", 12)
        chapter.text(
            "All images are drawn: rays cross ellipsoids and tubes of tissue, air, bone and fluid and are weakened by "
            "the law of Beer and Lambert; then photons are counted, scattered and blurred. No patient was X-rayed, and "
            "nothing here is a diagnosis. The files are real DICOM all the same: 12 bits in uint16, MONOCHROME1 or "
            "MONOCHROME2, rescale and window.",
            f"An archive of another hospital has {len(archive)} labelled images. Ours has {len(ours)}, of "
            f"{len({row.patient for row in ours})} patients, but labels to learn from for {sizes.train} only. The "
            "split is by patient: two images of one patient are nearly one image, and a model that has seen the first "
            "is no stranger to the second.",
        )
        chapter.picture(
            machines,
            "Two drawn chests, each as three machines show it; the third machine's images are pale and blurred.",
            "Two patients before three machines: the archive's, ours, and the portable one that will be delivered "
            "later. MONOCHROME1 stores many photons as large values; shown as the file says, it looks like the others.",
        )
        say(f"{len(archive)} images in the archive, {len(ours)} of ours")


def check_data(story: Story) -> None:
    """The raw folder is checked, its table repaired and checked again."""
    folder = story.data / "ours"
    with story.step("What is wrong with them") as chapter:
        planted = faults.plant(folder)
        raw = f"csv:{folder / TABLE}"
        found = story.run(chapter, "cnn-vision", "check", raw, *story.images, expect=(2,), show="csv:")
        missed = [fault for fault in planted if faults.SAYS[fault.name] not in found.output]
        if missed:
            raise UserError(f"The check does not name what is wrong with {missed[0].path}: {missed[0].what}.")
        write_table(folder / REPAIRED, faults.repaired(read_table(folder / TABLE), planted))
        repaired = f"csv:{folder / REPAIRED}"
        nine = story.figures / "nine.png"
        story.run(chapter, "cnn-vision", "check", repaired, *story.images, "--picture", nine, show="csv:")
        chapter.text(
            f"{len(planted)} faults were planted, and the check names all of them: it ends with exit code 2 until "
            "those that would stop a training are repaired. The copy of a test patient's image under a training "
            "patient's name is the worst, as it would have made the test look easier without any error. Lines without "
            "a usable image were taken out of the table, and the slip of the pen was mended."
        )
        chapter.table(
            "What was planted",
            ("fault", "file"),
            *((fault.what, fault.path) for fault in planted),
        )
        chapter.picture(
            nine,
            "Nine training images as the net sees them, with their labels below.",
            "Nine training images at the size that the net sees, drawn by the check.",
        )
        story.test_rows = [row for row in read_table(folder / REPAIRED) if row.split == "test"]
        story.facts["faults"] = {"planted": len(planted), "named": len(planted) - len(missed)}
        say(f"{len(planted)} of {len(planted)} planted faults named; the repaired table passes")


# ---- training --------------------------------------------------------------------------------------------


def train(story: Story) -> None:
    """On the archive; then on our few images from there, and from scratch."""
    sizes, runs = story.settings, story.out / "runs"
    ours = story.data / "ours"
    with story.step("Transfer learning") as chapter:
        options = story.training(story.data / "archive" / TABLE, sizes.archive_steps)
        story.run(chapter, "cnn-vision", "train", "medical", *options, "--out", runs / "archive", show="scores")
        for seed in range(sizes.seeds):
            own = [*story.training(ours / REPAIRED, sizes.steps), "--seed", seed]
            from_archive = ["--pretrained", runs / "archive", "--optim.lr", "0.001"]
            first = chapter if seed == 0 else None
            words = ("cnn-vision", "train", "medical", *own)
            story.run(first, *words, *from_archive, "--out", runs / f"transfer-{seed}")
            story.run(first, *words, "--out", runs / f"scratch-{seed}")
        story.scores = _scores(story, chapter)
        own, scratch = (_mean(story.scores[name]) for name in (TRANSFER, SCRATCH))
        chapter.text(
            f"The net learns from {sizes.train} patients what it can. Started from the archive's weights it reaches a "
            f"mean ROC-AUC of {own}, from scratch {scratch}: with so few labels the start is worth more than anything "
            f"else. {_seeds(sizes.seeds)} The archive's net as it came, without one of our labels, has "
            f"{_mean(story.scores[ARCHIVED])}: what it learned there is most of what is needed here, and our labels "
            "adapt it to our machine. Dots are trainings, lines 95 % intervals by the bootstrap over patients."
        )
        say(f"mean ROC-AUC of our test patients: {own} transferred, {scratch} from scratch")


def _seeds(count: int) -> str:
    return f"These are means over the seeds 0 to {count - 1}, ± standard deviation." if count > 1 else "One seed only."


def _mean(scores: list[Score]) -> str:
    values = [each.value for each in scores]
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def _scores(story: Story, chapter: Chapter) -> dict[str, list[Score]]:
    """Of all methods on our test patients."""
    sizes, runs, rows = story.settings, story.out / "runs", story.test_rows
    ours = story.data / "ours"
    train_rows = [row for row in read_table(ours / REPAIRED) if row.split == "train"]
    found = {
        TRANSFER: [_predicted(story, runs / f"transfer-{seed}", rows) for seed in range(sizes.seeds)],
        SCRATCH: [_predicted(story, runs / f"scratch-{seed}", rows) for seed in range(sizes.seeds)],
        ARCHIVED: [_predicted(story, runs / "archive", rows)],
    }
    scores = {name: [_scored(story, rows, each) for each in answers] for name, answers in found.items()}
    scores[HOG] = [_scored(story, rows, baseline.from_gradients(ours, train_rows, rows))]
    own = json.loads((story.champion / "result.json").read_text(encoding="utf-8"))
    pixels = float(own["auroc_baseline"])
    chapter.table(
        "Mean ROC-AUC of the test patients",
        ("method", "ROC-AUC", "95 % interval of seed 0"),
        *((name, _mean(each), f"{each[0].low:.3f} to {each[0].high:.3f}") for name, each in scores.items()),
        (PIXELS, f"{pixels:.3f}", "–"),
        ("chance", "0.500", "–"),
    )
    chapter.picture(
        figures.draw_scores(story.figures / "scores.png", scores),
        "A line for each method, with a dot and its interval for each training; the table above has the numbers.",
        "Every training, with the interval of its own score.",
    )
    story.facts["auroc"] = {name: [round(each.value, 4) for each in every] for name, every in scores.items()}
    story.facts["auroc"][PIXELS] = [round(pixels, 4)]
    return scores


def _predicted(story: Story, run: Path, rows: list[Row]) -> np.ndarray:
    """Probabilities (N, K) by `cnn-vision predict`."""
    folder = story.data / "ours"
    table = story.out / "predictions" / f"{run.name}.csv"
    table.parent.mkdir(exist_ok=True)
    files = [folder / row.path for row in rows]
    story.shell.run("cnn-vision", "predict", run, *files, "--csv", table)
    found = read_predictions(table)
    return np.array([found[str(file)] for file in files])


def _scored(story: Story, rows: list[Row], probability: np.ndarray) -> Score:
    return score(truth_of(rows), probability, [row.patient for row in rows], story.settings.resamples)


# ---- judging and exporting ---------------------------------------------------------------------------------


def evaluate(story: Story) -> None:
    """ROC, calibration, and what the net looks at."""
    with story.step("Evaluation") as chapter:
        run = story.champion
        said = story.run(chapter, "cnn-vision", "evaluate", run, show="auroc")
        story.run(chapter, "cnn-vision", "explain", run, "--n", 3)
        chapter.text(
            "The first training, seed 0, goes on: to choose the best of three by the test would make the test a part "
            "of the training. The threshold of each finding is the highest that keeps nine in ten on images that were "
            "held out of the training; with so few of them it is a rough one, as the sensitivities of the test show."
        )
        chapter.picture(
            run / "evaluation" / "roc.png",
            "ROC curves of the three findings, each with a dot at its threshold.",
            "Sensitivity against false alarms. The dots are the thresholds that were chosen before the test.",
        )
        chapter.picture(
            run / "evaluation" / "calibration.png",
            "Reliability diagrams of the three findings.",
            "Calibration: of the images with a probability of p, a share of p should have the finding (the diagonal).",
        )
        for name in ("nodule", "effusion"):
            for group, words in (("found", "was found"), ("missed", "was missed"), ("false-alarms", "was not there")):
                picture = run / "explanations" / f"{name}-{group}.png"
                if picture.exists():
                    chapter.picture(
                        picture,
                        f"Images in which a finding, {name}, {words}, beside themselves under a heat map.",
                        f"Grad-CAM: what speaks for {name} where it {words}. {_HINTS[group]}",
                    )
        story.facts["evaluation"] = json.loads((run / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
        say(next((line for line in said.output.split("\n") if line.startswith("auroc ")), ""))


_HINTS = {
    "found": "Warm places raise its probability; at this size of image the map is coarse.",
    "missed": "Each map is scaled to its own largest value: where nothing speaks for it, the map shows noise.",
    "false-alarms": "Compare these places with those where it was found.",
}


def export(story: Story) -> None:
    """Into bundles, through the gates."""
    bundles, run = story.out / "bundles", story.champion
    with story.step("Export through gates") as chapter:
        name = ["--name", "chest", "--seconds", "0.1"]
        story.run(chapter, "serving", "export", run, "--out", bundles / "champion", *name, show="|")
        check = story.run(chapter, "serving", "check", bundles / "champion", show="name")
        pruned = ["--prune", "0.7", "--out", bundles / "pruned"]
        refused = story.run(None, "serving", "export", run, *pruned, *name, expect=(0, 2))
        chapter.command(
            refused.command,
            textwrap.fill(refused.errors.split("…")[-1].strip(), 100) if refused.code else refused.output,
        )
        passed = "passed here too, which it should not have" if refused.code == 0 else "was refused"
        chapter.text(
            "A bundle is written only if the exported model answers as the trained one does, row by row, and PARITY.md "
            "in it says how near it is. Whoever makes the model smaller has to pay within a limit: the second export, "
            f"without seven tenths of its weights, {passed}. What no gate sees is whether the labels were right: "
            "step 10 will show that."
        )
        parity = bundles / "champion" / "PARITY.md"
        chapter.command(written(["cat", parity]), parity.read_text(encoding="utf-8"))
        story.facts["export"] = {"pruned_refused": refused.code == 2}
        say(next((line for line in check.output.split("\n") if line.startswith("golden")), ""))
        say(f"pruned by 70 %: {'refused' if refused.code else 'passed'}")


# ---- images ------------------------------------------------------------------------------------------------


def draw_hospitals(folder: Path, sizes: Settings) -> tuple[list[Row], list[Row]]:
    """The archive's images, and ours."""
    archive = admit(folder / "archive", ARCHIVE, {"train": sizes.archive, "test": 40}, 1, prefix="N")
    return archive, admit(folder / "ours", OURS, {"train": sizes.train, "test": sizes.test}, 2, images=3)


def draw_newcomers(folder: Path, sizes: Settings) -> dict[str, list[Row]]:
    """Images that come to the service, and those of the new machine that somebody labels for the challenger."""
    drifted = sizes.most_drifted + sizes.split + 3 * sizes.after
    labelled = {"train": sizes.new_train, "test": sizes.new_test}
    return {
        "normal": admit(folder / "normal", OURS, {"test": sizes.normal}, 3, prefix="Q"),
        "drifted": admit(folder / "drifted", NEW, {"test": drifted}, 4, prefix="R"),
        "labelled": admit(folder / "labelled", NEW, labelled, 5, prefix="L"),
    }


def draw_folders(folder: Path, sizes: Settings) -> None:
    """All of them, ours spoiled, with the repaired table beside the raw one."""
    draw_hospitals(folder, sizes)
    planted = faults.plant(folder / "ours")
    write_table(folder / "ours" / REPAIRED, faults.repaired(read_table(folder / "ours" / TABLE), planted))
    draw_newcomers(folder, sizes)
