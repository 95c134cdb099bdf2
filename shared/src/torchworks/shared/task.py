"""What a model family tells the trainer: its nets, its phases, a loss per phase, an evaluation.

This file is the whole extension surface of the core. A classifier or a diffusion model has one phase; a GAN
has one per player:

    class Gan(Task):
        phases = (Phase("d", net="discriminator"), Phase("g", net="generator"))
        exported = ("generator",)

        def loss(self, phase, batch):
            real = batch["image"]
            fake = self.generator(self.random.normal(len(real), 64))
            ...

Phases are declared data, so that they can be checked before the first step, accumulated, clipped, compiled,
profiled and logged by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.training.parallel import gather

Preview = Tensor | str | tuple[Tensor, int]


@dataclass(frozen=True)
class Phase:
    """One optimizer step within a training step.

    `net` names the only net whose parameters this phase may change. The phase runs at every `every`-th step,
    `repeat` times (each repetition after the first on a fresh batch), with gradients clipped to the global
    norm `clip`.

    A loss in which the rows of a batch answer to each other, as in contrastive learning, has the `whole_batch` at
    once: it is never split into micro-batches. With several processes, such a loss needs `Task.gather`.
    """

    name: str
    net: str
    every: int = 1
    repeat: int = 1
    clip: float | None = None
    whole_batch: bool = False


@dataclass
class Out:
    """A phase's loss: the mean over `weight` items (rows if None; tokens, pixels, …), and metrics to log (0-d
    tensors).

    Micro-batches are combined by `weight`, so an accumulated step has exactly the gradient of the whole batch.
    """

    loss: Tensor
    weight: Tensor | int | None = None
    logs: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Diagnosis:
    """What a task's doctor found wrong with its own training: a cause in one line and what to do about it.

    `action` is "warn" (say it), "rollback" (return to the best state, with learning rates halved) or "stop".
    """

    cause: str
    action: str = "warn"


class Task:
    """A model family as the trainer sees it. Subclass and fill in.

    Each key of `nets()` must also be an attribute of the task that holds that net, and `loss` and `evaluate`
    must call nets through those attributes: the trainer swaps in the data-parallel wrapper of the net a phase
    trains, and the moving averages during evaluation.
    """

    phases: tuple[Phase, ...] = (Phase("train", net="model"),)
    exported: tuple[str, ...] = ("model",)
    """The nets a finished run is for: averaged if the trainer's `ema` is on, and saved as `model.safetensors`."""

    units: str = "samples"
    """What the rate of training counts: "samples", rows of batches; anything else, such as "tokens", the weights of the
    first phase's losses."""

    watch: str | None = None
    """Name of the evaluation score that chooses the best checkpoint; None keeps the newest."""
    watch_mode: str = "min"
    """Whether a smaller ("min") or a larger ("max") watched score is better."""
    newest_of_equals: bool = False
    """Whether a later state with the best score so far takes its place: right where scores have a limit that is reached
    long before learning ends."""

    step: int = 0
    """Passes over all phases before this one; set by the trainer before each call of `loss`."""

    random: StepRandom
    """Random numbers that depend only on (seed, step, phase, row); set by the trainer before each call of
    `loss` and `evaluate`. Use it for noise, and a resumed, accumulated or many-process run stays the same run."""

    def nets(self) -> dict[str, nn.Module]:
        """All nets by name, each also an attribute of that name."""
        raise NotImplementedError

    def optimizer(self, net: str) -> Optimizer:
        """A new optimizer for the parameters of `net`; called once per net that a phase trains."""
        raise NotImplementedError

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        """The loss of `phase` on one micro-batch, called under autocast with the nets in training mode."""
        raise NotImplementedError

    def gather(self, tensor: Tensor) -> Tensor:
        """The rows of `tensor` (n, …) of all processes, (world · n, …), in the order of the processes, for losses over
        the whole batch. Gradients flow back to the process that each row came from. With one process: `tensor`."""
        return gather(tensor)

    def begin_evaluation(self) -> None:
        """Called before each pass of `evaluate` over the data, under the same conditions: for what all its batches
        need, such as the embeddings of all items."""

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        """Scores on one evaluation batch: name → a torchmetrics `Metric` that was updated (the same object
        each time; its `compute` may return a dict of scores), or a pair (sum, count) that is added up.

        Metrics that are attributes of the task are moved to the device before."""
        return {}

    def preview(self) -> Mapping[str, Preview]:
        """The present state for people, written to `samples/` at each evaluation: name → an image, uint8 (3, H, W); a
        film, uint8 (T, 3, H, W); a text; or a sound and its rate in Hz, float (T,) or (channels, T) in [-1, 1]."""
        return {}

    def diagnose(self, step: int, metrics: dict[str, float]) -> Diagnosis | None:
        """Look at the metrics just logged (`<phase>/loss`, `<phase>/<log>`, `<phase>/grad_norm`, and
        `eval/<score>` after an evaluation) and name what is wrong with the training, if anything."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """State outside the nets that a resume needs (image pool, doctor's memory): tensors and plain data."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
