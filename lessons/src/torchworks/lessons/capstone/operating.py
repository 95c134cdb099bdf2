"""The second half: a service that is watched, drift, a challenger, a promotion, and a roll-back."""

import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from torchworks.lessons.capstone import figures
from torchworks.lessons.capstone.hospital import Row, read_table, write_table
from torchworks.lessons.capstone.modelling import REPAIRED, draw_newcomers
from torchworks.lessons.capstone.report import Chapter
from torchworks.lessons.capstone.retrain import DONE, Plan, write_plan
from torchworks.lessons.capstone.scoring import Score, gain
from torchworks.lessons.capstone.service import NAME, Refused, Service, Watchman
from torchworks.lessons.capstone.shell import written
from torchworks.lessons.capstone.story import Story, say
from torchworks.lessons.capstone.traffic import Traffic, png_of, score_of, shuffled
from torchworks.shared.config import UserError

LONGEST = 600.0
"""Seconds that a retraining may take."""
CHAMPION, CHALLENGER, BAD = "champion", "challenger", "bad version"


@dataclass
class Shift:
    """What the steps at the running service share."""

    story: Story
    service: Service
    traffic: Traffic
    watchman: Watchman
    rows: dict[str, list[Row]]
    names: dict[str, str] = field(default_factory=dict)
    """What the versions are called here, the hashes of their model files as the service calls them."""
    events: dict[str, int] = field(default_factory=dict)
    """Requests after which something happened."""
    used: int = 0
    """Images of the new machine that were sent."""
    quiet: dict[str, Any] = field(default_factory=dict)
    """The service's report on drift before the new machine."""
    known: dict[str, Score] = field(default_factory=dict)
    """Of the champion before it."""

    def version(self, name: str) -> str:
        return next(version for version, other in self.names.items() if other == name)

    def mark(self, event: str) -> None:
        self.events[event] = len(self.traffic.log)

    def send(self, phase: str, count: int, **options: Any) -> int:
        """So many further images of the new machine."""
        rows = self.rows["drifted"][self.used : self.used + count]
        sent = self.traffic.send(phase, self.story.data / "drifted", rows, **options)
        self.used += sent
        return sent

    def admin(self, chapter: Chapter | None, path: str, **body: Any) -> dict[str, Any]:
        """Change what is served, and put the request into the chapter as a command with curl."""
        state = self.service.admin(path, **body)
        if chapter is not None:
            keep = {name: state[name] for name in ("aliases", "share", "version") if name in state}
            chapter.command(self.service.curl(path, **body), json.dumps(keep))
        return state


def operate(story: Story) -> None:
    """All steps at the service, which ends with them."""
    service_folder = story.out / "service"
    rows = draw_newcomers(story.data, story.settings)
    sizes = story.settings
    plan = Plan(
        out=str(story.out),
        champion=str(story.champion),
        before=str(story.data / "ours" / REPAIRED),
        labelled=str(story.data / "labelled"),
        options=[*story.training_options(sizes.steps), "--optim.lr", "0.001"],
    )
    program = write_plan(story.out, plan, sys.executable)
    service = Service(service_folder, story.out / "bundles", story.out / "bundles" / "champion", program)
    with service:
        first = png_of(story.data / "normal" / rows["normal"][0].path)
        with Watchman(service, first) as watchman:
            shift = Shift(story, service, Traffic(service), watchman, rows)
            for step in (serve, drift, wait_for_challenger, duel, roll_back):
                step(shift)
    sum_up(shift)


def serve(shift: Shift) -> None:
    """With a key, and ordinary images."""
    story, service = shift.story, shift.service
    with story.step("A service with a key") as chapter:
        chapter.command(service.command, f"Serving at {service.url}")
        print(f"   $ {service.command}")
        try:
            key, service.key = service.key, "not-the-key"
            service.get(f"/v1/models/{NAME}")
            raise UserError("The service answers without the key, which it must not.")
        except Refused as refused:
            if refused.status != 401:
                raise
        finally:
            service.key = key
        (version,) = service.admin_state()[NAME]["versions"]
        shift.names[version] = CHAMPION
        count = shift.traffic.send("normal", story.data / "normal", shift.rows["normal"])
        quiet = _settled(shift, CHAMPION, count)
        story.facts["drift_before"] = quiet
        found = score_of(shift.traffic.answered("normal"), story.settings.resamples)
        chapter.text(
            "Without the key the service answers 401. With it, the Python client sends images as they come: DICOM "
            "files become PNG by the same function by which the training read them.",
            f"After {count} images of our own machine the service sees {_drifted(quiet)}. Labels that came later give "
            f"these answers a mean ROC-AUC of {found}.",
        )
        say(f"401 without the key; {count} ordinary images, {_drifted(quiet)}, mean ROC-AUC {found}")
        shift.quiet, shift.known["normal"] = quiet, found


def _drifted(report: dict[str, Any]) -> str:
    names = report["drifted"]
    return f"drift in {', '.join(names)}" if names else "no drift"


def _settled(shift: Shift, name: str, rows: int) -> dict[str, Any]:
    """The service's report on drift, once it has taken note of so many rows, or of a whole window."""
    end = time.monotonic() + 30
    while True:
        report = shift.service.drift(shift.version(name))
        if report["rows"] >= min(rows, 100) or time.monotonic() > end:
            return report
        time.sleep(0.2)


def drift(shift: Shift) -> None:
    """The new machine, until the service has called for a new model."""
    story, service = shift.story, shift.service
    with story.step("A new machine: drift, and an alert") as chapter:
        shift.mark("new machine")
        seen: dict[str, Any] = {}

        def alerted(count: int) -> bool:
            if not seen and count % 5 == 0 and service.drift(shift.version(CHAMPION))["drifted"]:
                seen["count"] = count
                shift.mark("drift seen")
            return bool(seen) and service.metric("serving_retrain_starts") >= 1

        count = shift.send("drifted", story.settings.most_drifted, enough=alerted)
        if not service.metric("serving_retrain_starts"):
            raise UserError(f"The service has not called for a new model within {count} images of another machine.")
        shift.mark("retraining begins")
        report = service.drift(shift.version(CHAMPION))
        found = score_of(shift.traffic.answered("drifted"), story.settings.resamples)
        plain = [name for name in report["drifted"] if name.endswith("brightness")]
        shown = next(iter(plain or report["drifted"]))
        chapter.text(
            "A portable machine is delivered: less dose, more scatter, more blur, a wider window. Nobody tells the "
            f"service. After {seen['count']} images it sees drift, without a single label, by comparing the last 100 "
            f"images and answers with the test data of the training; and after {count}, when two windows without "
            "common images have drifted, it runs the command of --monitor.retrain. In earnest you would ask for more "
            "windows, and for hours (--monitor.retrain-checks, --monitor.retrain-minutes).",
            f"The labels, once they are there, show what the alarm was worth: a mean ROC-AUC of {found} after "
            f"{shift.known['normal']} before.",
        )
        lines = [name for name in service.log().split("\n") if "has drifted" in name]
        chapter.command(written(["grep", "drifted", service.folder / "service.log"]), "\n".join(lines[:2]))
        chapter.picture(
            figures.draw_drift(story.figures / "drift.png", shift.quiet, report),
            f"Two bars for each feature: {_drifted(shift.quiet)} before the new machine, {_drifted(report)} after.",
            "Population stability index of each feature, as a multiple of its threshold.",
        )
        chapter.picture(
            figures.draw_spread(story.figures / "spread.png", report["features"][shown], shown),
            f"Histogram of {shown}: the last requests lie in other cells than the test data.",
            "One of the features: each cell holds about a tenth of the test data.",
        )
        story.facts["alert"] = {"drift_seen_after": seen["count"], "retraining_after": count}
        say(f"drift seen after {seen['count']} images, retraining called for after {count}; mean ROC-AUC {found}")


def wait_for_challenger(shift: Shift) -> None:
    """While the service goes on answering."""
    story, service = shift.story, shift.service
    with story.step("Retraining, called by the service") as chapter:
        done, end = story.out / DONE, time.monotonic() + LONGEST
        asked = shift.watchman.asked
        while not done.exists():
            if service.metric("serving_retrain_failures") or time.monotonic() > end:
                logs = sorted((service.folder / "log").glob("retrain-*.log"))
                said = " ".join(logs[-1].read_text(errors="replace").split()[-60:]) if logs else "nothing"
                raise UserError(f"The retraining has failed or does not end. It said: {said}")
            time.sleep(0.5)
        facts = json.loads(done.read_text(encoding="utf-8"))
        for command in facts["commands"]:
            chapter.command(command)
            print(f"   $ {command}")
        chapter.text(
            f"The command learns from the champion's images and from {story.settings.new_train} of the new machine "
            f"that were labelled meanwhile, starting from the champion's weights, and exports the challenger through "
            f"the same gates. It took {facts['seconds']:.0f} seconds, in which the service answered "
            f"{shift.watchman.asked - asked} requests of the watchman, who asks four times a second throughout. The "
            "command finds what drifted in its environment (TORCHWORKS_DRIFTED); it promotes nothing.",
        )
        story.facts["retraining"] = facts
        say(f"the challenger learned from {facts['images']} images in {facts['seconds']:.0f} s; the service went on")


def _load(shift: Shift, chapter: Chapter, bundle: str, name: str) -> str:
    state = shift.admin(chapter, "", bundle=bundle)
    shift.names[state["version"]] = name
    return state["version"]


def duel(shift: Shift) -> None:
    """Champion and challenger share the requests until labels have come; the better one is promoted."""
    story, sizes = shift.story, shift.story.settings
    with story.step("Champion and challenger") as chapter:
        version = _load(shift, chapter, CHALLENGER, CHALLENGER)
        shift.admin(chapter, f"/{NAME}/split", version=version, share=0.5)
        shift.mark("split")
        shift.send("split", sizes.split, by_hand=True)
        answers = {name: shift.traffic.answered("split", shift.version(name)) for name in (CHAMPION, CHALLENGER)}
        scores = {name: score_of(each, sizes.resamples) for name, each in answers.items()}
        low, high = gain(scores[CHALLENGER], scores[CHAMPION])
        better = low > 0
        if better or sizes.quick:
            shift.admin(chapter, f"/{NAME}/promote", version=version)
            shift.mark("promoted")
        after = _after(shift, "promoted")
        chapter.text(
            "The challenger is loaded beside the champion, and half of the patients get it, always the same ones by "
            f"X-Sticky-Key. Days later the labels of {sizes.split} images are there: the challenger has "
            f"{scores[CHALLENGER]}, the champion {scores[CHAMPION]}; the 95 % interval of the difference is {low:+.3f} "
            f"to {high:+.3f}. " + ("It lies above zero, so the challenger is promoted." if better else _NOT_BETTER),
        )
        chapter.table(
            "By delayed labels, images of the new machine",
            ("version", "images", "mean ROC-AUC"),
            *((name, each.images, each) for name, each in scores.items()),
            ("after the decision", after.images, after),
        )
        shown = {f"{CHAMPION}, own machine": shift.known["normal"], f"{CHAMPION}, new machine": scores[CHAMPION]}
        chapter.picture(
            figures.draw_duel(story.figures / "duel.png", shown | {f"{CHALLENGER}, new machine": scores[CHALLENGER]}),
            "Three scores with intervals: the champion's on both machines, and the challenger's on the new one.",
            "The champion on the machine that it knows, and both on the new one.",
        )
        intervals = {name: [each.value, each.low, each.high] for name, each in scores.items()}
        story.facts["duel"] = {"scores": intervals, "difference": [low, high], "promoted": better}
        say(f"challenger {scores[CHALLENGER]}, champion {scores[CHAMPION]}, difference {low:+.3f} to {high:+.3f}")
        say("promoted" if better else "not better by its interval")


_NOT_BETTER = "It does not lie above zero: more labels would be needed. This run goes on to show the steps."


def _after(shift: Shift, phase: str) -> Score:
    shift.send(phase, shift.story.settings.after)
    return score_of(shift.traffic.answered(phase), shift.story.settings.resamples)


def roll_back(shift: Shift) -> None:
    """A version that passes every gate and is wrong; the one before comes back."""
    story = shift.story
    with story.step("A bad version, and the way back") as chapter:
        table = story.data / "shuffled.csv"
        challenger = story.data / "challenger.csv"
        write_table(table, shuffled(read_table(challenger), 0))
        run, bundle = story.out / "runs" / "bad", story.out / "bundles" / "bad"
        champion = story.out / "runs" / CHALLENGER
        options = [*story.training(table, story.settings.steps), "--pretrained", champion, "--optim.lr", "0.003"]
        story.run(chapter, "cnn-vision", "train", "medical", *options, "--out", run)
        name = ["--name", NAME, "--seconds", "0.1"]
        story.run(chapter, "serving", "export", run, "--out", bundle, *name, show="|")
        version = _load(shift, chapter, "bad", BAD)
        shift.admin(chapter, f"/{NAME}/promote", version=version)
        shift.mark("bad version")
        bad = _after(shift, "bad")
        state = shift.admin(chapter, f"/{NAME}/rollback")
        shift.mark("rolled back")
        after = _after(shift, "rolled back")
        back = shift.names[state["aliases"]["champion"]]
        chapter.text(
            "The next version was trained in a hurry, on a table whose labels had been joined by the wrong column. It "
            "answers quickly and without errors, and its export passes: a gate compares the export with the training, "
            "and both are equally wrong. Without a split it is promoted at once. The service takes a version back by "
            "itself only if its first requests fail; these do not. The delayed labels tell: a mean ROC-AUC of "
            f"{bad}. One request brings the {back} back, which was still loaded: {after}.",
            "What would have helped: a challenger first, and as a gate of your own `cnn-vision evaluate` of the new "
            "run on a test set that never changes.",
        )
        values = {"bad": [bad.value, bad.low, bad.high], "after": [after.value, after.low, after.high]}
        story.facts["roll_back"] = values | {"back_to": back}
        say(f"bad version {bad}; rolled back to the {back}: {after}")


def _seconds(time: float) -> str:
    return f"{time:.1f} seconds" if time >= 1 else f"{1000 * time:.0f} milliseconds"


def sum_up(shift: Shift) -> None:
    """All requests in one figure."""
    story, traffic, watchman = shift.story, shift.traffic, shift.watchman
    failed = len(traffic.failures) + watchman.failed
    with story.step("The whole story") as chapter:
        chapter.text(
            f"{len(traffic.log)} requests with images, {watchman.asked} of the watchman, {failed} failed. The longest "
            f"wait of the watchman was {_seconds(watchman.slowest)}, on a machine that trained models meanwhile.",
        )
        chapter.picture(
            figures.draw_timeline(story.figures / "timeline.png", traffic.log, shift.names, shift.events),
            "Requests in their order, with the events marked: first the champion answers, then the challenger beside "
            "it and alone, then the bad version, then whoever was before it; below, a curve of each one's error.",
            "Above, which version answered each request; below, its mean squared error by delayed labels.",
        )
        story.facts["requests"] = {"images": len(traffic.log), "watchman": watchman.asked, "failed": failed}
        say(f"{len(traffic.log)} + {watchman.asked} requests, {failed} failed")
    if failed:
        raise UserError(f"{failed} requests failed, and none should have: {'; '.join(traffic.failures[:3])}")
