"""The one training loop: any task, any number of phases, one process or many.

Read `task.py` first, then `Trainer._train` and `Trainer._run_phase` here: they are the loop and the step.
The rules it keeps, each with a test:

- `step` counts passes over all phases, however many optimisers there are.
- A phase's gradients reach only its own net.
- The host never waits for the device between two log lines.
- A step with gradients that are not finite changes nothing, is counted, and stops the training when it recurs.
- Data order, augmentation and noise depend on the seed and the place in training alone, so that a run that was
  killed and resumed ends with the very same weights.
"""

import contextlib
import copy
import math
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from torchworks.shared.config import OptimConfig, TrainerConfig, UserError
from torchworks.shared.machine.device import Device, choose, peak_memory
from torchworks.shared.numbers.state import rng_state, set_rng_state
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.task import Phase, Task
from torchworks.shared.training import checkpoint, optim, parallel, preflight
from torchworks.shared.training.batches import Batch, OneBatch, endless, rows, split
from torchworks.shared.training.checkpoint import Checkpoint, Damaged
from torchworks.shared.training.evaluation import evaluating, score, swapped
from torchworks.shared.training.guard import (
    GradientGuard,
    Interrupted,
    Signals,
    TrainingFailed,
    is_out_of_memory,
    step_if_finite,
)
from torchworks.shared.training.metrics import Reading, Sink, Window
from torchworks.shared.training.probe import Profile
from torchworks.shared.training.progress import Progress, Silent

POLL_EVERY = 10  # steps between two agreements about signals among several processes
_PROGRESS = (
    "position", "samples", "seconds", "evaluated", "accumulate", "best", "stale", "scores", "lr_factor", "findings",
)  # fmt: skip


@dataclass
class Result:
    """How a training ended. `scores` are those of the weights the nets now hold: the best by the watched score,
    averaged if the averaging was on."""

    steps: int
    seconds: float
    samples_per_second: float
    scores: dict[str, float]
    best_step: int
    stopped_by: str
    findings: list[dict[str, Any]] = field(default_factory=list)


class Trainer:
    """Trains `task` on `train`, a loader of `torchworks.shared.data` or any iterable of batches (dicts of
    tensors with rows first), and chooses the best state on `evaluation`.

    Without a `folder` nothing is written and the last state is the one kept.
    """

    def __init__(
        self,
        task: Task,
        train: Iterable[Batch],
        evaluation: Iterable[Batch] | None = None,
        config: TrainerConfig | None = None,
        *,
        optim: OptimConfig | None = None,
        seed: int = 0,
        folder: Path | None = None,
        sinks: Iterable[Sink] = (),
        progress: Progress | Silent | None = None,
        device: Device | None = None,
    ):
        self.task, self.evaluation, self.folder = task, evaluation, folder
        self.config = config or TrainerConfig()
        self.optim = optim or OptimConfig()
        self.train = OneBatch(train) if self.config.overfit_one_batch else train
        self.device = device or choose(
            self.config.device, self.config.precision, self.config.channels_last, convolutional=False
        )
        self._sharded = self.device.world > 1 and self.config.strategy == "fsdp"
        self.progress = progress or Silent()
        self.sinks: list[Sink] = [*sinks, self.progress]

        self.step = self.position = self.samples = self.evaluated = 0
        self.seconds = 0.0
        self.accumulate = self.config.accumulate
        self.best: dict[str, Any] = {"step": 0, "score": None, "scores": {}}
        self.stale = 0  # evaluations since the best one
        self.lr_factor = 1.0  # halved at each roll-back
        self._lr_scale: float | None = None  # what the optimisers' rates were last multiplied by
        self.findings: list[dict[str, Any]] = []
        self.scores: dict[str, float] = {}
        self._signals = Signals()
        self._mark = (time.monotonic(), 0)  # when the present stretch of training began, and its samples
        self._saved = 0  # step of the last checkpoint
        self._due = 0  # step before which something must be done besides training
        self._build(seed)

    # ---- before the first step ---------------------------------------------------------------------------

    def _build(self, seed: int) -> None:
        """Place the nets, wrap them for several processes, make the optimisers."""
        config, task, device = self.config, self.task, self.device
        self.nets = task.nets()
        preflight.check_task(task, self.nets)
        task.random = StepRandom(seed, device.device)
        for net in self.nets.values():
            device.place(net)
        exported = {name: self.nets[name] for name in task.exported}
        self.ema = optim.EMA(exported, config.ema) if config.ema else None
        self._whole = {name: copy.deepcopy(net) for name, net in exported.items()} if self._sharded else {}
        self._called = {name: self._wrapped(self.nets[name]) for name in dict.fromkeys(p.net for p in task.phases)}
        if self.ema is not None and self._sharded:
            for net in self.ema.nets.values():
                parallel.shard(net)
        self.optimizers = {name: task.optimizer(name) for name in self._called}
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
        self._parameters = {
            name: [parameter for parameter in self.nets[name].parameters() if parameter.requires_grad]
            for name in self._called
        }
        trained = {phase.name: self._parameters[phase.net] for phase in task.phases}
        self.guard = GradientGuard(trained, device.device, scaled=device.dtype == torch.float16)
        self.schedule = optim.schedule(self.optim, config.steps)
        self.plateau = optim.Plateau(self.optim) if self.optim.schedule == "plateau" else None
        self._profile = Profile(self.folder) if config.profile else None
        self._window = Window(device.device)
        self._readings: deque[tuple[int, dict[str, float], Reading]] = deque()
        self._norms: dict[str, Tensor] = {}

    @property
    def _averaged(self) -> dict[str, nn.Module]:
        return self.ema.nets if self.ema is not None else {}

    def _wrapped(self, net: nn.Module) -> nn.Module:
        if self.config.compile:
            net.compile()
        if self.device.world == 1:
            return net
        return parallel.shard(net) if self._sharded else parallel.wrap(net, self.device.device)

    def _check(self) -> None:
        """Room for checkpoints, and one batch through the evaluation: what is wrong with it is known now and not hours
        later."""
        if self.folder is not None:
            nets = [*self.nets.values(), *self._averaged.values()]
            trained = [parameter for group in self._parameters.values() for parameter in group]
            preflight.check_room(self.folder, nets, trained)
        if self.evaluation is not None:
            first = next(iter(self.evaluation), None)
            preflight.check_scores(self.task, None if first is None else self.score([first]))
        elif self.task.watch is not None and self.config.patience:
            raise UserError("Early stopping (patience) needs evaluation data, and there are none.")

    # ---- the loop ----------------------------------------------------------------------------------------

    def fit(self, resume: Checkpoint | None = None) -> Result:
        """Train to the end, from the start or from `resume`, and leave the weights to use in the task's nets.

        Raises `Interrupted` after saving when a signal asks to stop, `TrainingFailed` when training cannot go on.
        """
        if resume is not None:
            self._restore(resume)
        try:
            with Signals() as self._signals:
                self._check()
                stopped_by = self._train()
                return self._finish(stopped_by)
        finally:
            for sink in self.sinks:
                sink.close()

    def _train(self) -> str:
        """The loop; returns why it ended."""
        config, phases = self.config, self.task.phases
        device = self.device.device
        batches = endless(self.train, self.position, None if device.type == "cpu" else device)
        run_phase = self._run_phase if self._profile is None else self._profile.labelled(self._run_phase)
        for net in self.nets.values():
            net.train()
        self._mark = (time.monotonic(), self.samples)
        self.progress.begin(self.step)
        if config.compile:
            self.progress.say("the nets are compiled in the first steps, which therefore take long")
        while True:
            if self.step >= self._due and (reason := self._between_steps()):
                return reason

            batch = self._next(batches)
            self.task.step = self.step
            self._set_learning_rates()
            self._measuring = (self.step + 1) % config.log_every == 0 or self.step + 1 == config.steps
            for phase in phases:
                if self.step % phase.every == 0:
                    for repetition in range(phase.repeat):
                        batch = self._next(batches) if repetition else batch
                        run_phase(phase, repetition, batch)
            if self.guard.scaled:
                self.guard.update()
            if self.ema is not None:
                self.ema.update()
            self.step += 1

            self.progress.advance(self.step)
            if self._profile is not None:
                self._profile.step()
            if self._measuring:
                self._log()
            if self._signals.received or self.device.world > 1:
                self._poll()

    def _between_steps(self) -> str | None:
        """Evaluate, save or stop, whatever is due; returns why to stop, if so."""
        config = self.config
        if self._evaluation_due():
            self._evaluate()
        elif config.checkpoint_every and self.step % config.checkpoint_every == 0 and self._saved != self.step:
            self.save()
        intervals = (config.eval_every, config.checkpoint_every, int(config.max_minutes > 0))
        self._due = min([config.steps, *(self.step - self.step % every + every for every in intervals if every)])
        return self._reason_to_stop()

    def _run_phase(self, phase: Phase, repetition: int, batch: Batch) -> None:
        """One optimiser step."""
        parameters, optimizer = self._parameters[phase.net], self.optimizers[phase.net]
        weight = self._gradients(phase, repetition, batch)
        gradients = [gradient for parameter in parameters if (gradient := parameter.grad) is not None]
        if not gradients:
            raise UserError(f"The loss of phase '{phase.name}' depends on no parameter of '{phase.net}', its net.")
        group = torch.distributed.group.WORLD if self._sharded else None
        found = self.guard.unscale(phase.name, gradients, weight, group)
        clip = phase.clip or self.config.clip
        if clip or self._measuring:
            norm = _global_norm(gradients)
            self._norms[f"{phase.name}/grad_norm"] = norm
            if clip:
                torch._foreach_mul_(gradients, (clip / (norm + 1e-6)).clamp(max=1.0))
        step_if_finite(optimizer, found)
        self._clear_gradients(phase.net)

    def _clear_gradients(self, net: str) -> None:
        # A sharded net's parameters are not leaves of the graph, so `backward(inputs=…)` cannot spare the others.
        for name in self._parameters if self._sharded else (net,):
            for parameter in self._parameters[name]:
                parameter.grad = None

    def _gradients(self, phase: Phase, repetition: int, batch: Batch) -> Tensor | int:
        """Gradients of the whole batch, summed over its micro-batches; returns the weight to divide them by.

        A device that runs out of memory gets micro-batches of half the size, from now on.
        """
        while True:
            try:
                return self._accumulate(phase, repetition, batch)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.device.world > 1 or self.accumulate >= rows(batch):
                    raise
            self._clear_gradients(phase.net)
            if self.device.device.type == "cuda":
                torch.cuda.empty_cache()
            self.accumulate *= 2
            self.progress.say(
                f"Out of memory in phase '{phase.name}': batches are now split into {self.accumulate} micro-batches. "
                "The gradient stays that of the whole batch; batch normalisation sees the smaller ones."
            )

    def _accumulate(self, phase: Phase, repetition: int, batch: Batch) -> Tensor | int:
        device = self.device
        inputs = None if self._sharded or len(self.nets) == 1 else self._parameters[phase.net]
        whole, start, total = rows(batch), 0, 0
        parts = split(batch, self.accumulate) if self.accumulate > 1 else [batch]
        for number, part in enumerate(parts):
            n = whole if part is batch else rows(part)
            self.task.random.at(
                "train", self.step, phase.name, repetition,
                rows=n, start=device.rank * whole + start, total=device.world * whole,
            )  # fmt: skip
            if len(parts) > 1:
                parallel.set_gradient_sync(self._called[phase.net], number + 1 == len(parts))
            with self._calling(phase):
                out = self.task.loss(phase.name, part)
            weight = n if out.weight is None else out.weight
            alone = len(parts) == 1 and device.world == 1
            loss = out.loss if alone else out.loss * weight
            self.guard.scale(loss).backward(inputs=inputs)
            self._window.add(phase.name, {"loss": out.loss, **out.logs}, weight)
            start, total = start + n, total + weight
        if alone:
            return 1
        if device.world == 1 or out.weight is None:  # all processes have as many rows
            return total
        return parallel.mean(torch.as_tensor(total, dtype=torch.float32, device=device.device).detach().clone())

    # ---- between steps -----------------------------------------------------------------------------------

    def _next(self, batches: Iterator[Batch]) -> Batch:
        batch = next(batches)
        self.position += 1
        self.samples += rows(batch) * self.device.world
        return batch

    def _set_learning_rates(self) -> None:
        scale = self.lr_factor * (self.plateau.scale if self.plateau else 1.0) * self.schedule(self.step)
        if scale != self._lr_scale:
            self._lr_scale = scale
            for optimizer in self.optimizers.values():
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * scale

    def _calling(self, phase: Phase) -> contextlib.AbstractContextManager[Any]:
        """While the task computes a phase's loss: mixed precision, and the net that the phase trains is called through
        its data-parallel wrapper."""
        if self.device.world == 1:
            return self.device.autocast()
        stack = contextlib.ExitStack()
        stack.enter_context(self.device.autocast())
        stack.enter_context(swapped(self.task, {phase.net: self._called[phase.net]}))
        return stack

    def _evaluation_due(self) -> bool:
        """Also true after a resume at a step whose evaluation was cut short."""
        every = self.config.eval_every
        return bool(every) and self.step > 0 and self.step % every == 0 and self.evaluated < self.step

    def _reason_to_stop(self) -> str | None:
        config = self.config
        if self.step >= config.steps:
            return "steps"
        if config.patience and self.stale >= config.patience:
            return "patience"
        if config.max_minutes and self._in_step_with_others and self._elapsed() > 60 * config.max_minutes:
            return "max_minutes"
        if self.findings and self.findings[-1]["action"] == "stop":
            return "doctor"
        return None

    @property
    def _in_step_with_others(self) -> bool:
        """Whether this is a step at which several processes talk about stopping."""
        return self.device.world == 1 or self.step % POLL_EVERY == 0

    def _elapsed(self) -> float:
        """Seconds of training, those before a resume included."""
        elapsed = self.seconds + time.monotonic() - self._mark[0]
        return parallel.from_first(elapsed) if self.device.world > 1 and self.config.max_minutes else elapsed

    def _poll(self) -> None:
        """Save and stop if a signal came; several processes agree first."""
        received = self._signals.received or 0
        if self.device.world > 1:
            received = parallel.agree(received) if self._in_step_with_others else 0
        if received:
            self.save()
            raise Interrupted(received, self._where_to_continue())

    def _poll_alone(self) -> None:
        """The same during an evaluation, where several processes cannot agree and `score` saves."""
        if self.device.world == 1 and self._signals.received:
            raise Interrupted(self._signals.received, self._where_to_continue())

    def _where_to_continue(self) -> str:
        if self.folder is None:
            return f"Stopped at step {self.step}; nothing was saved, since this training has no folder."
        return f"Stopped at step {self.step} and saved. Continue with `train --resume {self.folder}`."

    # ---- figures -----------------------------------------------------------------------------------------

    def _log(self) -> None:
        """Close the window of figures. On a GPU they are read when the next window closes, so nobody waits."""
        now, (then, samples) = time.monotonic(), self._mark
        self.seconds += now - then
        self._mark = (now, self.samples)
        reading = self._window.close({**self._norms, **self.guard.figures()}, shared=self.device.world > 1)
        self._norms = {}
        host = {
            "lr": max(group["lr"] for opt in self.optimizers.values() for group in opt.param_groups),
            "samples_per_second": (self.samples - samples) / max(now - then, 1e-9),
            "seconds": self.seconds,
            "memory": peak_memory(self.device),
        }
        self._readings.append((self.step, host, reading))
        self._due = self.step  # what is logged may be a reason to stop
        self._emit(waiting=1 if self.device.device.type == "cuda" else 0)

    def _emit(self, waiting: int = 0) -> None:
        """Write figures to the sinks, all but the newest `waiting` readings, and look at them."""
        while len(self._readings) > waiting:
            step, host, reading = self._readings.popleft()
            figures = {**reading.get(), **host}
            self._write("train", step, figures)
            self._stop_if_never_finite(step, figures)
            self._examine(step, figures)

    def _write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        for sink in self.sinks:
            sink.write(kind, step, figures)

    def _stop_if_never_finite(self, step: int, figures: dict[str, float]) -> None:
        for phase in self.task.phases:
            bad = int(figures[f"skipped_in_row/{phase.name}"])
            if bad >= self.config.max_bad_steps:
                saved = checkpoint.steps(self.folder / "checkpoints") if self.folder else []
                last = f"The last good checkpoint is that of step {saved[-1]}." if saved else "No checkpoint was made."
                loss = figures.get(f"{phase.name}/loss", math.nan)  # a rare phase may not have run in this window
                raise TrainingFailed(
                    f"Training stopped at step {step}: the last {bad} steps of phase '{phase.name}' had gradients that "
                    f"are not finite (its loss was {loss:.4g}, the learning rate {figures['lr']:.3g}); none of them "
                    f"changed a weight. {last} Try a smaller learning rate, `--trainer.clip 1`, or "
                    "`--trainer.precision fp32`, and look for NaN in the data."
                )

    def _examine(self, step: int, figures: dict[str, float]) -> None:
        """Ask the task's doctor, and do what it says."""
        diagnosis = self.task.diagnose(step, figures)
        if diagnosis is None:
            return
        self.findings.append({"step": step, "cause": diagnosis.cause, "action": diagnosis.action})
        self.progress.say(f"step {step}  doctor: {diagnosis.cause}")
        if diagnosis.action == "rollback" and self._load_best():
            self.lr_factor *= 0.5  # the step count and the data go on
            self.progress.say(f"rolled back to the state of step {self.best['step']}, learning rates halved")

    def _load_best(self) -> bool:
        """Return to the nets and optimisers of the best evaluation; False if that is now, or not to be had."""
        if self.folder is None or self.best["step"] in (0, self.step):
            return False
        try:
            self._load_nets(checkpoint.load(checkpoint.path_of(self.folder / "checkpoints", self.best["step"])))
        except Damaged as damage:
            self.progress.say(f"the best state cannot be had, so the present one stays: {damage}")
            return False
        return True

    # ---- evaluation --------------------------------------------------------------------------------------

    def score(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Scores of the present state (averaged nets if there are any) on `batches`; changes nothing."""
        try:
            with evaluating(self.task, self.device, self._averaged):
                return score(self.task, batches, self.device, self._poll_alone)
        except Interrupted:
            self.save()  # only now are the random generators those of the training again
            raise

    def _evaluate(self) -> None:
        """Score the present state, keep it if it is the best so far, and save."""
        self._emit()
        begun = time.monotonic()
        if self.evaluation is not None:
            self.scores = self.score(self.evaluation)
            self._write("eval", self.step, self.scores)
        self._draw()
        self._judge()
        self.evaluated = self.step
        if self.scores:
            self._examine(self.step, {f"eval/{name}": value for name, value in self.scores.items()})
        self._mark = (self._mark[0] + time.monotonic() - begun, self._mark[1])  # it does not count as training
        self.save()

    def _draw(self) -> None:
        """Write the task's pictures."""
        if self.folder is None:
            return
        with evaluating(self.task, self.device, self._averaged):
            pictures = self.task.preview()
        if pictures and self.device.rank == 0:
            from PIL import Image

            samples = self.folder / "samples"
            samples.mkdir(exist_ok=True)
            for name, picture in pictures.items():
                pixels = picture.permute(1, 2, 0).cpu().contiguous().numpy()
                Image.fromarray(pixels).save(samples / f"{name}-{self.step:08d}.png")

    def _judge(self) -> None:
        """Compare with the best evaluation so far."""
        score = self.scores.get(self.task.watch) if self.task.watch else None
        before, smaller = self.best["score"], self.task.watch_mode == "min"
        finite = score is not None and math.isfinite(score)
        better = self.task.watch is None or (
            finite and (before is None or (score < before if smaller else score > before))
        )
        if better:
            self.best = {"step": self.step, "score": score, "scores": dict(self.scores)}
        self.stale = 0 if better else self.stale + 1
        if self.plateau is not None:
            self.plateau.update(better)

    def _finish(self, stopped_by: str) -> Result:
        """Last evaluation and checkpoint; then the weights to use go into the task's nets."""
        self._emit()
        self.seconds += time.monotonic() - self._mark[0]
        self._mark = (time.monotonic(), self.samples)
        seconds = self.seconds
        if self.evaluated < self.step or self.step == 0:
            self._evaluate()
        if self._profile is not None:
            self._profile.close(self.progress.say)
        self._stop_if_never_scored()
        self._use_best()
        return Result(
            steps=self.step,
            seconds=seconds,
            samples_per_second=self.samples / max(seconds, 1e-9),
            scores=self.best["scores"],
            best_step=self.best["step"],
            stopped_by=stopped_by,
            findings=self.findings,
        )

    def _stop_if_never_scored(self) -> None:
        """A training too short for `_stop_if_never_finite` may have come to nothing all the same."""
        if self.task.watch in self.scores and self.best["score"] is None:
            raise TrainingFailed(
                f"Training came to its end, but '{self.task.watch}' was never a finite number, so the nets are of no "
                "use. Try a smaller learning rate, `--trainer.clip 1`, or `--trainer.precision fp32`, and look for NaN "
                "in the data."
            )

    def _use_best(self) -> None:
        """Put the exported nets' best state into the nets themselves."""
        if not self._load_best():
            self.best = {"step": self.step, "score": None, "scores": dict(self.scores)}
        for name in self.task.exported:
            state = parallel.net_state(self._averaged.get(name, self.nets[name]))
            self.nets[name] = self._whole.get(name, self.nets[name])  # a sharded net becomes whole again
            self.nets[name].load_state_dict(state)
            setattr(self.task, name, self.nets[name])
        self.ema = None
        self._signals = Signals()  # nothing is left to save: a signal now ends the process as usual
        for net in self.nets.values():
            net.eval()

    # ---- state -------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint, if this training has a folder. All processes must call it together."""
        if self.folder is None:
            return
        self._emit()
        nets = {name: parallel.net_state(net) for name, net in self.nets.items()}
        if self.ema is not None:
            nets |= {f"{name}.ema": parallel.net_state(net) for name, net in self.ema.nets.items()}
        state = {
            **{name: getattr(self, name) for name in _PROGRESS},
            "seconds": self.seconds + time.monotonic() - self._mark[0],
            "optimizers": {
                name: parallel.optimizer_state(self.nets[name], optimizer)
                for name, optimizer in self.optimizers.items()
            },
            "guard": self.guard.state_dict(),
            "window": self._window.state_dict(),
            "ema": self.ema.updates if self.ema is not None else 0,
            "plateau": self.plateau.state_dict() if self.plateau is not None else {},
            "task": self.task.state_dict(),
            "rng": rng_state(self.device.device),
        }
        if self.device.rank == 0:
            folder = self.folder / "checkpoints"
            checkpoint.save(folder, Checkpoint(self.step, nets, state))
            checkpoint.prune(folder, keep=2, best=self.best["step"])
        self._saved = self.step

    def _restore(self, saved: Checkpoint) -> None:
        """Continue as if there had been no interruption."""
        state = saved.state
        self._load_nets(saved)
        self.step = self._saved = saved.step
        for name in _PROGRESS:
            setattr(self, name, state[name])
        self.accumulate = max(self.config.accumulate, self.accumulate)
        self.guard.load_state_dict(state["guard"])
        self._window.load_state_dict(state["window"])
        if self.plateau is not None:
            self.plateau.load_state_dict(state["plateau"])
        self.task.load_state_dict(state["task"])
        set_rng_state(state["rng"], self.device.device)

    def _load_nets(self, saved: Checkpoint) -> None:
        """Weights, moving averages and optimisers of a checkpoint."""
        for name, net in self.nets.items():
            parallel.load_net_state(net, saved.nets[name])
        if self.ema is not None:
            for name, net in self.ema.nets.items():
                parallel.load_net_state(net, saved.nets[f"{name}.ema"])
            self.ema.updates = saved.state["ema"]
        for name, optimizer in self.optimizers.items():
            parallel.load_optimizer_state(self.nets[name], optimizer, saved.state["optimizers"][name])
        self._lr_scale = None


def _global_norm(gradients: list[Tensor]) -> Tensor:
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
