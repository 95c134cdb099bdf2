"""The training doctor: reads a GAN's own metrics, names what is going wrong in one line, and says what to do.

A GAN has no loss that falls as it learns, so a run that is lost looks like one that is not. What gives it away:

| ailment | sign | why |
|---|---|---|
| not finite | a loss is NaN or infinite, or most steps were skipped | nothing is learnt any more |
| divergence | the discriminator's loss is 10 × an undecided one's, or a penalized slope is 10 × its aim | it is wrong |
| getting worse | the watched score is 2 × its best | the FID of StudioGAN's DCGAN rose from 49 to 137 |
| mode collapse | diversity is under 0.05 of real images', or 0.4 of its peak | Goodfellow 2016, section 5.1 |
| lost classes | entropy of classes under 0.35 though precise, or 0.6 of its best | seen at evaluations |
| discriminator won | its loss is under 5 % of an undecided one's, no progress | Arjovsky & Bottou 2017, theorem 2.4 |
| discriminator lost | the gap of logits is beyond the margin, the wrong way | what it tells the generator misleads |
| oscillation | the gap swings beyond the margin, both ways, not dying out | Mescheder et al. 2018, section 2 |

The gap is the mean logit of real images minus that of generated ones. The numbers are ours, set well outside of
what healthy runs of the recipes here show. A loss determines what an undecided discriminator's is and which gap is a
clear margin (`CRITERIA`). A Wasserstein critic's logits have no scale of their own and it is meant to be ahead, so its
loss says nothing and it cannot win; the generator's diversity, the swings of the gap, the critic's slope, which a
penalty holds at 1, and the scores at evaluations still do.

An ailment must last before it is named: `patience` blocks of 20 steps (or of one log interval, if that is longer),
or three evaluations; a block without the sign undoes two with it. When it lasts twice as long, the run goes back to
its best state, if that is older than the ailment; when all `rollbacks` did not help, the training stops.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any

from torchworks.gans.adversarial.config import DoctorConfig
from torchworks.shared.task import Diagnosis, Task

BLOCK = 20  # steps
MEMORY = 50  # blocks
EVALUATIONS = 3  # for which a bad score must last
METRICS = {"d_loss": "d/loss", "g_loss": "g/loss", "real": "d/real", "fake": "d/fake", "diversity": "g/diversity"}
METRICS |= {"slope": "d/slope"}

Block = dict[str, float]
"""Means of the metrics over some steps; nan where a task does not log one."""


@dataclass(frozen=True)
class Criterion:
    """`undecided` is the loss of a discriminator that cannot tell (all logits in the middle), None if it says
    nothing; `margin` is the gap of mean logits, real minus generated, that counts as a clear one."""

    undecided: float | None
    margin: float


CRITERIA = {
    "hinge": Criterion(2.0, 1.0),  # 0 from a gap of 2 on, when every image is beyond its margin
    "non-saturating": Criterion(2 * math.log(2), 1.0),
    "least-squares": Criterion(0.25, 0.5),  # all logits 1/2; decided when they are 1 and 0
    "wasserstein": Criterion(None, 1.0),
    "relativistic": Criterion(math.log(2), 1.0),
}

REMEDIES = {
    "not finite": "Try a smaller --optim.lr, --trainer.clip 1, or --trainer.precision fp32.",
    "divergence": "Try a smaller --optim.lr, or --adversarial.r1 1.",
    "getting worse": "The best state is kept; try a smaller --optim.lr or fewer --trainer.steps.",
    "mode collapse": "Try a smaller --optim.lr, --adversarial.augment translation cutout, or larger batches.",
    "lost classes": "Try --adversarial.augment translation cutout, larger batches, or the recipe cgan.",
    "discriminator won": "Try a smaller --adversarial.discriminator-lr, --adversarial.augment translation cutout, "
    "or --adversarial.r1 1.",
    "discriminator lost": "Try a larger --adversarial.discriminator-lr, or --adversarial.discriminator-steps 2.",
    "oscillation": "Try --adversarial.r1 1, a smaller --optim.lr, or --adversarial.betas 0 0.9.",
}
TRANSLATION_REMEDIES = {
    "divergence": "Try a smaller --optim.lr.",
    "discriminator won": "Try a smaller --net.discriminator-width.",
    "discriminator lost": "Try a larger --net.discriminator-width.",
    "oscillation": "Try a smaller --optim.lr, or a larger --pool-size.",
}


class Doctor:
    """Looks after one training: `diagnose` takes the metrics of every log line and every evaluation.

    `loss` is a name of `CRITERIA`; "d/loss" is `scale` times that loss, plus ½γ₁·"d/r1" + ½γ₂·"d/r2" if `penalties`
    are γ₁, γ₂. `watch` is the score that chooses the best state. `remedies` replace those of `REMEDIES`.
    """

    def __init__(
        self,
        config: DoctorConfig,
        *,
        loss: str,
        scale: float = 1.0,
        penalties: tuple[float, float] = (0.0, 0.0),
        watch: str | None = None,
        watch_mode: str = "min",
        remedies: dict[str, str] | None = None,
    ):
        self.config, self.penalties = config, penalties
        self.undecided, self.margin = CRITERIA[loss].undecided, CRITERIA[loss].margin
        self.scale = scale
        self.watch, self.smaller = watch, watch_mode == "min"
        self.remedies = REMEDIES | (remedies or {})
        self.last = {"step": 0, "skipped": 0.0}  # at the end of the last block
        self.sums: Block = {}  # of the block under way
        self.blocks: list[Block] = []
        self.peak = 0.0  # of the diversity
        self.best: dict[str, tuple[int, float]] = {}  # score: step and value
        self.lasting: dict[str, int] = {}  # ailment: blocks or evaluations
        self.onset: dict[str, int] = {}  # ailment: step
        self.named: list[str] = []
        self.rollbacks = 0

    def diagnose(self, step: int, metrics: dict[str, float]) -> Diagnosis | None:
        """What is wrong, once it has lasted; `metrics` are named as in `Task.diagnose`."""
        if self.config.may == "off":
            return None
        scores = {name.removeprefix("eval/"): value for name, value in metrics.items() if name.startswith("eval/")}
        if scores:
            self._remember(step, scores)
            return self._weigh(step, self._signs_in_scores(scores), EVALUATIONS)
        self._add(metrics)
        if step - self.last["step"] < BLOCK:
            return None
        self._close(step, metrics.get("skipped", 0.0))
        return self._weigh(step, self._signs_in_blocks(), self.config.patience)

    def state_dict(self) -> dict[str, Any]:
        """Its memory, of bounded size, as plain data."""
        return {name: copy.deepcopy(getattr(self, name)) for name in _STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in _STATE:
            setattr(self, name, copy.deepcopy(state[name]))

    # ---- memory ------------------------------------------------------------------------------------------

    def _add(self, metrics: dict[str, float]) -> None:
        """Add a log line to the block under way."""
        values = {name: metrics.get(metric, math.nan) for name, metric in METRICS.items()}
        for gamma, name in zip(self.penalties, ("d/r1", "d/r2"), strict=True):
            values["d_loss"] -= gamma / 2 * metrics.get(name, 0.0)
        for name, value in (values | {"lines": 1.0}).items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def _close(self, step: int, skipped: float) -> None:
        """End the block and remember its means."""
        block = {name: total / self.sums["lines"] for name, total in self.sums.items()}
        block["gap"] = block["real"] - block["fake"]
        block["skipped"] = (skipped - self.last["skipped"]) / (step - self.last["step"])
        if block["diversity"] > self.peak:
            self.peak = block["diversity"]
        self.blocks = [*self.blocks, block][-MEMORY:]
        self.sums, self.last = {}, {"step": step, "skipped": skipped}

    def _remember(self, step: int, scores: dict[str, float]) -> None:
        """Keep the best of the scores that are compared with their best."""
        followed = {"class_entropy": False} | ({self.watch: self.smaller} if self.watch else {})
        for name, smaller in followed.items():
            value = scores.get(name, math.nan)
            before = self.best[name][1] if name in self.best else math.inf if smaller else -math.inf
            if value < before if smaller else value > before:
                self.best[name] = (step, value)

    # ---- signs -------------------------------------------------------------------------------------------

    def _signs_in_blocks(self) -> dict[str, str | None]:
        """What the latest blocks show, the gravest first."""
        return {
            "not finite": self._not_finite(),
            "divergence": self._diverging(),
            "mode collapse": self._collapsed(),
            "discriminator won": self._won(),
            "discriminator lost": self._lost(),
            "oscillation": self._oscillating(),
        }

    def _signs_in_scores(self, scores: dict[str, float]) -> dict[str, str | None]:
        return {"lost classes": self._classes_lost(scores), "getting worse": self._worse(scores)}

    def _not_finite(self) -> str | None:
        block = self.blocks[-1]
        for player, name in ("discriminator", "d_loss"), ("generator", "g_loss"):
            if not math.isfinite(block[name]):
                return f"the loss of the {player} is {block[name]}"
        if block["skipped"] > 0.5:
            return f"{block['skipped']:.0%} of the steps were skipped, their gradients being not finite"
        return None

    def _diverging(self) -> str | None:
        if (slope := self.blocks[-1].get("slope", math.nan)) >= 10:
            return f"the critic's slope is {slope:.1f} instead of 1, so that its numbers estimate no distance"
        if not (share := self._share()) >= 10:
            return None
        return f"the discriminator's loss is {share:.0f} times that of one that cannot decide"

    def _collapsed(self) -> str | None:
        now = self.blocks[-1]["diversity"]
        if now < 0.05:
            return f"generated images differ from each other by {now:.1%} of what real ones do"
        if self.peak >= 0.5 and now < 0.4 * self.peak:
            return f"the diversity of generated images fell from {self.peak:.2f} to {now:.2f} of real ones'"
        return None

    def _won(self) -> str | None:
        if not (share := self._share()) < 0.05 or self._progressing():
            return None
        block = self.blocks[-1]
        seen = f", diversity {block['diversity']:.2f}" if math.isfinite(block["diversity"]) else ""
        return (
            f"it tells real from generated in nearly every batch (gap {block['gap']:.1f}, loss {share:.1%} of an "
            f"undecided one's) and the generator gets no further (loss {block['g_loss']:.2f}{seen})"
        )

    def _lost(self) -> str | None:
        gap = self.blocks[-1]["gap"]
        return f"generated images get higher logits than real ones, by {-gap:.1f}" if gap < -self.margin else None

    def _oscillating(self) -> str | None:
        swings = _swings([block["gap"] for block in self.blocks], self.margin)[:-1]  # the last is still under way
        if len(swings) < 4:
            return None
        before, after = (sum(map(abs, part)) / 2 for part in (swings[-4:-2], swings[-2:]))
        if after < 0.9 * before:
            return None
        return f"the gap between real and generated logits swings to and fro (by ±{before:.1f}, then ±{after:.1f})"

    def _classes_lost(self, scores: dict[str, float]) -> str | None:
        if "class_entropy" not in self.best:
            return None
        now, best = scores["class_entropy"], self.best["class_entropy"][1]
        convincing = scores.get("precision", 1.0) > 0.1  # noise has no classes either
        if not ((now < 0.35 and convincing) or now < 0.6 * best):
            return None
        covered, of = (scores.get(name, math.nan) for name in ("classes_covered", "classes_covered_of"))
        return f"generated images show {covered:.0f} of {of:.0f} classes (entropy {now:.2f}, at best {best:.2f})"

    def _worse(self, scores: dict[str, float]) -> str | None:
        if self.watch not in self.best:
            return None
        (step, best), now = self.best[self.watch], scores[self.watch]
        if not (now > 2 * best > 0 if self.smaller else now < best / 2):
            return None
        return f"{self.watch} is {now:.3g}; at step {step} it was {best:.3g}"

    def _share(self) -> float:
        """The discriminator's loss as a share of an undecided one's; nan where that says nothing."""
        undecided = math.nan if self.undecided is None else self.undecided * self.scale
        return self.blocks[-1]["d_loss"] / undecided

    def _progressing(self) -> bool:
        """Whether the generator still learns: over the time of patience its diversity rose or its loss fell by a tenth,
        or a best score was reached."""
        recent = self.blocks[-self.config.patience :]
        half = len(recent) // 2
        if half == 0:
            return True
        (was_diverse, lost), (diverse, loses) = (
            [_mean(part, name) for name in ("diversity", "g_loss")] for part in (recent[:half], recent[half:])
        )
        reached = self.best[self.watch][0] if self.watch in self.best else -math.inf
        return (
            diverse > 1.1 * was_diverse
            or loses < lost - 0.1 * abs(lost)
            or reached > self.last["step"] - BLOCK * self.config.patience
        )

    # ---- action ------------------------------------------------------------------------------------------

    def _weigh(self, step: int, signs: dict[str, str | None], patience: int) -> Diagnosis | None:
        """Count how long each ailment has lasted; the gravest that lasted long enough hides the others."""
        for name, words in signs.items():
            self._count(step, name, words is not None, 2 * patience)
        for name, words in signs.items():
            if words is not None and self.lasting[name] >= patience:
                return self._act(name, f"{name}: {words}. {self.remedies[name]}", 2 * patience)
        return None

    def _count(self, step: int, name: str, present: bool, most: int) -> None:
        count = self.lasting.get(name, 0)
        self.lasting[name] = min(count + 1, most) if present else max(count - 2, 0)
        if present:
            self.onset.setdefault(name, step)
        elif self.lasting[name] == 0:
            self.onset.pop(name, None)
            self.named = [other for other in self.named if other != name]

    def _act(self, name: str, cause: str, most: int) -> Diagnosis | None:
        if name not in self.named:
            self.named.append(name)
            return Diagnosis(cause)
        older = self.watch in self.best and self.best[self.watch][0] < self.onset[name]
        if self.lasting[name] < most or not older or self.config.may == "warn":
            return None
        if self.rollbacks < self.config.rollbacks:
            self.rollbacks += 1
            self._forget()
            return Diagnosis(f"{cause} It lasts, so the run goes back to its best state.", "rollback")
        return Diagnosis(f"{cause} Going back did not help: stopping.", "stop") if self.config.may == "stop" else None

    def _forget(self) -> None:
        """What led to a roll-back no longer counts."""
        self.sums, self.blocks = {}, []
        self.lasting, self.onset, self.named = {}, {}, []


class WatchedTask(Task):
    """A task that a doctor looks after, if it has one."""

    doctor: Doctor | None = None

    def diagnose(self, step: int, metrics: dict[str, float]) -> Diagnosis | None:
        return self.doctor.diagnose(step, metrics) if self.doctor is not None else None

    def state_dict(self) -> dict[str, Any]:
        return {"doctor": self.doctor.state_dict()} if self.doctor is not None else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.doctor is not None:
            self.doctor.load_state_dict(state["doctor"])


_STATE = ("last", "sums", "blocks", "peak", "best", "lasting", "onset", "named", "rollbacks")


def _mean(blocks: list[Block], name: str) -> float:
    return sum(block[name] for block in blocks) / len(blocks)


def _swings(gaps: list[float], margin: float) -> list[float]:
    """The extremes of a series beyond ±`margin`, in turn above and below zero."""
    extremes: list[float] = []
    for gap in gaps:
        if abs(gap) <= margin:
            continue
        if extremes and extremes[-1] * gap > 0:
            extremes[-1] = max(extremes[-1], gap, key=abs)
        else:
            extremes.append(gap)
    return extremes
