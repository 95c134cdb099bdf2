"""The one training loop: any task, any number of phases, one process or many.

Read `task.py` first, then `Trainer._step` here: it is a training step from top to bottom. `Trainer._train` is the loop
around it. The rules they keep, each with a test:

- `step` counts passes over all phases, however many optimizers there are.
- A phase's gradients reach only its own net.
- The host never waits for the device between two log lines.
- A step with gradients that are not finite changes nothing, is counted, and stops the training when it recurs.
- Data order, augmentation and noise depend on the seed and the place in training alone, so that a run that was
  killed and resumed ends with the very same weights.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from torchworks.shared.config import OptimConfig, TrainerConfig, UserError
from torchworks.shared.machine.device import Device, choose
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.task import Phase, Task
from torchworks.shared.training import optim, parallel, preflight
from torchworks.shared.training.batches import Batch, SingleBatchLoader, endless, rows, split
from torchworks.shared.training.checkpoint import Checkpoint, Damaged
from torchworks.shared.training.evaluation import Evaluator
from torchworks.shared.training.guard import (
    GradientGuard,
    Interrupted,
    Signals,
    clip_to_norm,
    is_out_of_memory,
    step_if_finite,
    stop_if_never_finite,
    too_large,
)
from torchworks.shared.training.metrics import Log, Sink, Timer
from torchworks.shared.training.progress import Progress, Silent
from torchworks.shared.training.saving import Saver
from torchworks.shared.training.stopping import Result, reason_to_stop
from torchworks.shared.training.strategy import Strategy

Turn = tuple[int, Phase, int]  # an optimizer step: its number within the training step, its phase, the repetition
POLL_EVERY = 10  # steps between two agreements about signals among several processes
_PROGRESS = ("position", "samples", "accumulate", "findings")


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
        self.train = SingleBatchLoader(train) if self.config.overfit_one_batch else train
        self.device = device or choose(
            self.config.device, self.config.precision, self.config.channels_last, convolutional=False
        )
        self.progress = progress or Silent()
        self.sinks: list[Sink] = [*sinks, self.progress]

        self.step = self.position = self.samples = 0
        self.accumulate = self.config.accumulate
        self.findings: list[dict[str, Any]] = []
        self._signals = Signals()
        self._timer = Timer()
        self._next_event = 0  # step before which something must be done besides training
        self._ready = False
        self.whole_of: dict[torch.nn.Module, torch.nn.Module] = {}
        """After training, what each exported net has become: itself, or whole where processes had parts of it."""
        self._build(seed)

    # ---- before the first step ---------------------------------------------------------------------------

    def _build(self, seed: int) -> None:
        """Place the nets, wrap them for several processes, make the optimizers."""
        config, task, device = self.config, self.task, self.device
        self.nets = task.nets()
        preflight.check_task(task, self.nets, config.accumulate)
        task.random = StepRandom(seed, device.device)
        for net in self.nets.values():
            device.place(net)
        exported = {name: self.nets[name] for name in task.exported}
        self.ema = optim.EMA(exported, config.ema) if config.ema else None
        self._strategy = Strategy(config.strategy, device, task, config.compile)
        if self.ema is not None and self._strategy.sharded:
            for net in self.ema.nets.values():
                parallel.shard(net)
        trained = self._strategy.parameters
        self.optimizers = {name: task.optimizer(name) for name in trained}
        of_phase = {phase.name: trained[phase.net] for phase in task.phases}
        self.guard = GradientGuard(of_phase, device.device, scaled=device.dtype == torch.float16)
        self.rates = optim.LearningRates(self.optimizers, self.optim, config.steps)
        self._evaluator = Evaluator(task, device, self.folder, self.ema.nets if self.ema is not None else {})
        self._log = Log(device, self.sinks, task.units, task.phases[0].name if task.phases else "")
        self._profile, self._turns = self._new_profile() if config.profile else (None, self._phases_due)
        parts = {"guard": self.guard, "window": self._log.window, "plateau": self.rates.plateau, "task": task}
        self.saver = Saver(self.folder, device, self.nets, self.ema, self.optimizers, parts)

    def _new_profile(self) -> tuple[Any, Callable[[int], Iterator[Turn]]]:
        from torchworks.shared.training.profiler import Profile  # torch's profiler takes long to import

        profile = Profile(self.folder)
        return profile, profile.labelled(self._phases_due)

    def prepare(self, resume: Checkpoint | None = None) -> None:
        """Go to the state of `resume`, if there is one; then look for room for checkpoints, and take one batch through
        the evaluation: what is wrong is known now and not hours later. Writes nothing."""
        if resume is not None:
            self._restore(resume)
        if self.folder is not None:
            nets = [*self.nets.values(), *self._evaluator.averaged.values()]
            trained = [parameter for each in self._strategy.parameters.values() for parameter in each]
            preflight.check_room(self.folder, nets, trained)
        if self.evaluation is not None:
            first = next(iter(self.evaluation), None)
            preflight.check_scores(self.task, None if first is None else self.score([first]))
        elif self.task.watch is not None and self.config.patience:
            raise UserError("Early stopping (patience) needs evaluation data, and there are none.")
        self._ready = True

    # ---- the loop ----------------------------------------------------------------------------------------

    def fit(self, resume: Checkpoint | None = None) -> Result:
        """Train to the end, from the start or from `resume`, and leave the weights to use in the task's nets. What was
        prepared before is not prepared again.

        Raises `Interrupted` after saving when a signal asks to stop, `TrainingFailed` when training cannot go on.
        """
        try:
            with Signals() as self._signals:
                if not self._ready:
                    self.prepare(resume)
                stopped_by = self._train()
                return self._finish(stopped_by)
        finally:
            for sink in self.sinks:
                sink.close()

    def _train(self) -> str:
        """The loop; returns why it ended."""
        config, device = self.config, self.device
        self._batches = endless(self.train, self.position, None if device.device.type == "cpu" else device.device)
        for net in self.nets.values():
            net.train()
        self._timer.start()
        self._log.start(self._timer.seconds, self.samples)
        self.progress.begin(self.step)
        if config.compile:
            self.progress.say("the nets are compiled in the first steps, which therefore take long")
        while True:
            if self.step >= self._next_event and (reason := self._between_steps()):
                return reason

            self.rates.set(self.step)
            self._logging = (self.step + 1) % config.log_every == 0 or self.step + 1 == config.steps
            self._step_within_memory(self._next())
            self.step += 1

            self.progress.advance(self.step)
            if self._profile is not None:
                self._profile.step()
            if self._logging:
                self._close_window()
            if self._signals.received or device.world > 1:
                self._poll()

    def _step(self, batch: Batch, begin: int = 0) -> None:
        """One training step: each phase that is due, from number `begin` on, takes a step of its optimizer."""
        task, device, guard, strategy = self.task, self.device, self.guard, self._strategy
        task.step = self.step
        for number, phase, repetition in self._turns(begin):
            if repetition and number > begin:
                batch = self._next()  # each repetition has a fresh one
            self._pending = number, phase, batch

            # Gradients of the micro-batches, summed in `parameter.grad`. Losses are means over items that may be fewer
            # in one micro-batch than in another, so each counts by its weight; the sum is divided by all weights below.
            whole, start, weights = rows(batch), 0, 0
            splits = self.accumulate > 1 and not phase.whole_batch
            micro_batches = split(batch, self.accumulate) if splits else [batch]
            alone = len(micro_batches) == 1 and device.world == 1
            for micro_batch in micro_batches:
                n = whole if micro_batch is batch else rows(micro_batch)
                task.random.at(
                    "train", self.step, phase.name, repetition,
                    rows=n, start=device.rank * whole + start, total=device.world * whole,
                )  # fmt: skip
                if len(micro_batches) > 1:  # only the last one's backward exchanges gradients with other processes
                    strategy.set_gradient_sync(phase.net, start + n == whole)
                with device.autocast(), strategy.calling(phase.net):
                    out = task.loss(phase.name, micro_batch)
                weight = n if out.weight is None else out.weight
                loss = guard.scale(out.loss if alone else out.loss * weight)
                if loss.requires_grad:  # or there are no gradients, which is said below
                    loss.backward(inputs=strategy.inputs[phase.net])  # sparing others gradients that nobody wants
                self._log.window.add(phase.name, {"loss": out.loss, **out.logs}, weight)
                start, weights = start + n, weights + weight
            divisor = 1 if alone else strategy.mean(weights, equal=out.weight is None)
            del out, loss  # and with them what the forward pass kept

            # Unscale, look for what is not finite, clip. All of it is queued on a GPU and waited for by nobody.
            gradients = [
                gradient for parameter in strategy.parameters[phase.net] if (gradient := parameter.grad) is not None
            ]
            if not gradients:
                raise UserError(
                    f"The loss of phase '{phase.name}' does not depend on any parameter of its net '{phase.net}'."
                )
            found = guard.unscale(phase.name, gradients, divisor, strategy.group)
            clip = phase.clip or self.config.clip
            if clip or self._logging:
                self._log.grad_norms[f"{phase.name}/grad_norm"] = clip_to_norm(gradients, clip)

            # Step and zero. Setting `grad` costs a tenth of what `optimizer.zero_grad()` does, which names itself to
            # the profiler first.
            step_if_finite(self.optimizers[phase.net], found)
            for parameter in strategy.cleared[phase.net]:
                parameter.grad = None
            del gradients  # or they stay in memory during the next phase

        if guard.scaled:
            guard.update()
        if self.ema is not None:
            self.ema.update()

    def _step_within_memory(self, batch: Batch) -> None:
        """One training step. A device that runs out of memory gets micro-batches of half the size from then on, and
        the step goes on with the phase that failed."""
        begin = 0
        while True:
            try:
                return self._step(batch, begin)
            except (RuntimeError, MemoryError) as error:
                begin, phase, batch = self._pending
                if is_out_of_memory(error) and phase.whole_batch:
                    raise too_large(phase, rows(batch)) from error
                if not is_out_of_memory(error) or self.device.world > 1 or self.accumulate >= rows(batch):
                    raise
            self._split_further(phase)

    def _split_further(self, phase: Phase) -> None:
        for parameter in self._strategy.cleared[phase.net]:
            parameter.grad = None
        if self.device.device.type == "cuda":
            torch.cuda.empty_cache()
        self.accumulate *= 2
        self.progress.say(
            f"Out of memory in phase '{phase.name}': batches are now split into {self.accumulate} micro-batches. "
            "The gradient stays that of the whole batch; batch normalization sees the smaller ones."
        )

    def _phases_due(self, begin: int) -> Iterator[Turn]:
        """The optimizer steps of this training step, from number `begin` on."""
        number = 0
        for phase in self.task.phases:
            if self.step % phase.every == 0:
                for repetition in range(phase.repeat):
                    if number >= begin:
                        yield number, phase, repetition
                    number += 1

    def _next(self) -> Batch:
        batch = next(self._batches)
        self.position += 1
        self.samples += rows(batch) * self.device.world
        return batch

    # ---- between steps -----------------------------------------------------------------------------------

    def _between_steps(self) -> str | None:
        """Evaluate, save or stop, whatever is due; returns why to stop, if so."""
        config = self.config
        if self._evaluation_due():
            self._evaluate()
        elif config.checkpoint_every and self.step % config.checkpoint_every == 0 and self.saver.step != self.step:
            self.save()
        intervals = (config.eval_every, config.checkpoint_every, int(config.max_minutes > 0))
        self._next_event = min([config.steps, *(self.step - self.step % every + every for every in intervals if every)])
        since_best = self._evaluator.evals_since_best
        return reason_to_stop(config, self.step, since_best, self.findings, self._elapsed)

    def _evaluation_due(self) -> bool:
        """Also true after a resume at a step whose evaluation was cut short."""
        every = self.config.eval_every
        return bool(every) and self.step > 0 and self.step % every == 0 and self._evaluator.evaluated < self.step

    @property
    def _in_step_with_others(self) -> bool:
        """Whether this is a step at which several processes talk about stopping."""
        return self.device.world == 1 or self.step % POLL_EVERY == 0

    def _elapsed(self) -> float:
        """Seconds of training, the same in all processes; 0 at steps at which these do not talk."""
        if self.device.world == 1:
            return self._timer.seconds
        return parallel.from_first(self._timer.seconds) if self._in_step_with_others else 0.0

    def _poll(self) -> None:
        """Save and stop if a signal came; several processes agree first."""
        received = self._signals.received or 0
        if self.device.world > 1:
            received = parallel.agree(received) if self._in_step_with_others else 0
        if received:
            self.save()
            raise Interrupted.at(self.step, received, self.folder)

    def _poll_alone(self) -> None:
        """The same during an evaluation, where several processes cannot agree and `score` saves."""
        if self.device.world == 1 and self._signals.received:
            raise Interrupted.at(self.step, self._signals.received, self.folder)

    # ---- metrics -----------------------------------------------------------------------------------------

    def _close_window(self) -> None:
        """End a line of the log. On a GPU it is read when the next one ends, so nobody waits."""
        self._log.close(self.step, self._timer.seconds, self.samples, self.rates.largest(), self.guard.counters())
        self._next_event = self.step  # what is logged may be a reason to stop
        self._write_lines(waiting=1 if self.device.device.type == "cuda" else 0)

    def _write_lines(self, waiting: int = 0) -> None:
        """Write the log, all but the newest `waiting` lines, and look at it."""
        for step, metrics in self._log.written(waiting):
            stop_if_never_finite(step, metrics, self.task.phases, self.config.max_bad_steps, self.saver.steps)
            self._examine(step, metrics)

    def _examine(self, step: int, metrics: dict[str, float]) -> None:
        """Ask the task's doctor, and do what it says."""
        diagnosis = self.task.diagnose(step, metrics)
        if diagnosis is None:
            return
        self.findings.append({"step": step, "cause": diagnosis.cause, "action": diagnosis.action})
        self.progress.say(f"step {step}  doctor: {diagnosis.cause}")
        if diagnosis.action == "rollback" and self._load_best():
            self.rates.factor *= 0.5  # the step count and the data go on
            self.progress.say(f"rolled back to the state of step {self._evaluator.best['step']}, learning rates halved")

    # ---- evaluation --------------------------------------------------------------------------------------

    def score(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Scores of the present state (averaged nets if there are any) on `batches`; changes nothing."""
        try:
            return self._evaluator.score(batches, self._poll_alone)
        except Interrupted:
            self.save()  # only now are the random generators those of the training again
            raise

    def _evaluate(self) -> None:
        """Score the present state, keep it if it is the best so far, and save."""
        self._write_lines()
        with self._timer.paused():
            scores = {}
            if self.evaluation is not None:
                scores = self.score(self.evaluation)
                self._log.write("eval", self.step, scores)
            self._evaluator.preview(self.step)
            better = self._evaluator.judge(self.step, scores)
            if self.rates.plateau is not None:
                self.rates.plateau.update(better)
            if scores:
                self._examine(self.step, {f"eval/{name}": value for name, value in scores.items()})
        self.save()

    # ---- the end -----------------------------------------------------------------------------------------

    def _finish(self, stopped_by: str) -> Result:
        """Last evaluation and checkpoint; then the weights to use go into the task's nets."""
        self._write_lines()
        seconds = self._timer.seconds
        if self._evaluator.evaluated < self.step or self.step == 0:
            self._evaluate()
        if self._profile is not None:
            self._profile.close(self.progress.say)
        self._evaluator.check_finite()
        self._use_best()
        return Result(
            steps=self.step,
            seconds=seconds,
            rates=self._log.rates(seconds, self.samples),
            scores=self._evaluator.best["scores"],
            best_step=self._evaluator.best["step"],
            stopped_by=stopped_by,
            findings=self.findings,
        )

    def _use_best(self) -> None:
        """Put the exported nets' best state into the nets themselves."""
        if not self._load_best():
            self._evaluator.best = {"step": self.step, "score": None, "scores": dict(self._evaluator.scores)}
        for name in self.task.exported:
            state = parallel.net_state(self._evaluator.averaged.get(name, self.nets[name]))
            sharded, self.nets[name] = self.nets[name], self._strategy.whole.get(name, self.nets[name])
            self.whole_of[sharded] = self.nets[name]  # a sharded net becomes whole again
            self.nets[name].load_state_dict(state)
            setattr(self.task, name, self.nets[name])
        self.ema, self._evaluator.averaged = None, {}
        self._signals = Signals()  # nothing is left to save: a signal now ends the process as usual
        for net in self.nets.values():
            net.eval()

    # ---- state -------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint, if this training has a folder. All processes must call it together."""
        if self.folder is None:
            return
        self._write_lines()
        progress = {name: getattr(self, name) for name in _PROGRESS}
        progress |= {"seconds": self._timer.seconds, "units": self._log.units}
        progress |= {"lr_factor": self.rates.factor, **self._evaluator.state_dict()}
        self.saver.save(self.step, progress, best=self._evaluator.best["step"])

    def _restore(self, saved: Checkpoint) -> None:
        """Continue as if there had been no interruption."""
        self.saver.restore(saved)
        self.step, state = saved.step, saved.state
        for name in _PROGRESS:
            setattr(self, name, state[name])
        self._evaluator.load_state_dict(state)
        self._timer.seconds, self.rates.factor = state["seconds"], state["lr_factor"]
        self._log.units = state.get("units", 0.0)  # not in older checkpoints
        self.accumulate = max(self.config.accumulate, self.accumulate)
        self.rates.forget()

    def _load_best(self) -> bool:
        """Return to the nets and optimizers of the best evaluation; False if that is now, or could not be restored."""
        if self.folder is None or self._evaluator.best["step"] in (0, self.step):
            return False
        try:
            self.saver.load_nets(self._evaluator.best["step"])
        except Damaged as damage:
            self.progress.say(f"could not restore the best checkpoint; keeping the current weights: {damage}")
            return False
        self.rates.forget()
        return True
