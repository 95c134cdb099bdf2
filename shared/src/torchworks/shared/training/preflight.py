"""What can be found wrong before the first step: phases and nets, room on the disk, the evaluation."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor, nn

from torchworks.shared.config import UserError, nearest
from torchworks.shared.task import Phase, Task
from torchworks.shared.training import checkpoint


def check_task(task: Task, nets: dict[str, nn.Module], accumulate: int) -> None:
    """Phases, the nets they train, and the attributes that hold those."""
    kind = type(task).__name__
    for phase in task.phases:
        _check_phase(phase, kind, nets)
        if phase.whole_batch and accumulate > 1:
            raise UserError(
                f"The loss of phase '{phase.name}' needs the whole batch at once, so it cannot be accumulated over "
                f"{accumulate} micro-batches. Leave --trainer.accumulate out; for a larger batch use more processes."
            )
    if len({phase.name for phase in task.phases}) < len(task.phases):
        raise UserError(f"Two phases of {kind} have the same name.")
    for name in (*nets, *task.exported):
        if name not in nets or getattr(task, name, None) is not nets[name]:
            raise UserError(
                f"{kind} must hold its net '{name}' as an attribute of that name and return it from nets(), since the "
                "trainer swaps nets through those attributes."
            )
    if task.watch_mode not in ("min", "max"):
        raise UserError(f"{kind}.watch_mode must be 'min' or 'max', but it is '{task.watch_mode}'.")


def _check_phase(phase: Phase, kind: str, nets: dict[str, nn.Module]) -> None:
    if phase.net not in nets:
        raise UserError(
            f"Phase '{phase.name}' trains a net '{phase.net}' that {kind}.nets() does not "
            f"return.{nearest(phase.net, nets)} It returns: {', '.join(nets)}."
        )
    if phase.every < 1 or phase.repeat < 1:
        raise UserError(f"Phase '{phase.name}' must have `every` and `repeat` of at least 1.")
    if not any(parameter.requires_grad for parameter in nets[phase.net].parameters()):
        raise UserError(f"Phase '{phase.name}' trains '{phase.net}', which has no parameters to train.")
    for name, module in nets[phase.net].named_modules():
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) and module.sparse:
            raise UserError(
                f"The embedding '{name or phase.net}' of '{phase.net}' was made with sparse=True, and sparse gradients "
                "are not supported: the guard against bad steps cannot check them. Leave sparse=True out."
            )


def check_room(folder: Path, nets: Iterable[nn.Module], trained: Iterable[Tensor]) -> None:
    """Room in `folder` for the checkpoints: at most three are kept while a fourth is written, each with the weights and
    at most two moments of every trained parameter."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = sum(value.nbytes for net in nets for value in net.state_dict().values())
    moments = 2 * sum(parameter.nbytes for parameter in trained)
    kept = min(3, len(checkpoint.steps(folder / "checkpoints")))
    needed, free = (4 - kept) * (weights + moments), shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"The checkpoints of this training need up to {needed / 2**30:.2g} GiB in {folder}, where "
            f"{free / 2**30:.2g} GiB are free. Free disk space, or choose another place with --out."
        )


def check_scores(task: Task, scores: dict[str, float] | None) -> None:
    """`scores` of one evaluation batch (None: there was no batch) hold the one to watch."""
    if scores is None:
        raise UserError("The evaluation data are empty: there is not a single batch.")
    if task.watch is not None and task.watch not in scores:
        raise UserError(
            f"The score to watch, '{task.watch}', is not among those that the evaluation "
            f"gives.{nearest(task.watch, scores)} It gives: {', '.join(scores) or 'none'}."
        )
