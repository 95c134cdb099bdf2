"""The scores of a task outside of a training."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from torchworks.shared.task import Task
from torchworks.shared.training.collecting import CollectingMetric


@torch.no_grad()
def scored(task: Task, batches: Iterable[dict[str, Tensor]]) -> dict[str, float]:
    """What the task's `evaluate` gives over these batches, by the nets as they are."""
    for net in task.nets().values():
        net.eval()
    sums: dict[str, list[float]] = {}
    metrics: dict[str, Any] = {}
    for batch in batches:
        for name, value in task.evaluate(batch).items():
            if isinstance(value, CollectingMetric):
                metrics[name] = value
                continue
            total = sums.setdefault(name, [0.0, 0.0])
            total[0], total[1] = total[0] + float(value[0]), total[1] + float(value[1])
    found = {name: total / count for name, (total, count) in sums.items() if count}
    for metric in metrics.values():
        found |= {name: float(value) for name, value in metric.compute().items()}
        metric.reset()
    return found
