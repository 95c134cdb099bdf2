"""How the nets of a task are spread over processes, and which of its nets a task finds in its attributes."""

import contextlib
import copy
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor, nn

from torchworks.shared.machine.device import Device
from torchworks.shared.task import Task
from torchworks.shared.training import parallel

_ONE_PROCESS = contextlib.nullcontext()  # one for all steps


class Strategy:
    """How the nets that a task's phases train are spread over processes ("ddp" or "fsdp"), and how a step calls them.

    Nets are changed in place: moved into FSDP2's shards, or compiled.
    """

    def __init__(self, name: str, device: Device, task: Task, compile_nets: bool):
        nets, trained = task.nets(), dict.fromkeys(phase.net for phase in task.phases)
        self.sharded = device.world > 1 and name == "fsdp"
        self.group = dist.group.WORLD if self.sharded else None
        self.whole = {name: copy.deepcopy(nets[name]) for name in task.exported} if self.sharded else {}
        """Copies of the exported nets from before they were sharded."""
        self._task, self._device = task, device
        if compile_nets:
            for net in trained:
                nets[net].compile()
        self._called = {net: self._wrapped(nets[net]) for net in trained}
        self.parameters = {net: [p for p in nets[net].parameters() if p.requires_grad] for net in trained}
        """Of each net, those that are trained."""
        # A sharded net's parameters are not leaves of the graph, so `backward(inputs=…)` cannot spare the others.
        spared = len(nets) > 1 and not self.sharded
        self.inputs = {net: each if spared else None for net, each in self.parameters.items()}
        """What a phase that trains a net gives to `backward(inputs=…)`."""
        everything = [parameter for each in self.parameters.values() for parameter in each]
        self.cleared = {net: everything if self.sharded else each for net, each in self.parameters.items()}
        """Parameters that have gradients after that."""

    def _wrapped(self, net: nn.Module) -> nn.Module:
        if self._device.world == 1:
            return net
        return parallel.shard(net) if self.sharded else parallel.wrap(net, self._device.device)

    def calling(self, net: str) -> contextlib.AbstractContextManager[None]:
        """While active, the task finds the data-parallel wrapper of `net` in its place."""
        return _ONE_PROCESS if self._device.world == 1 else swapped(self._task, {net: self._called[net]})

    def set_gradient_sync(self, net: str, on: bool) -> None:
        """Whether the next backward exchanges gradients; off for all but the last micro-batch."""
        parallel.set_gradient_sync(self._called[net], on)

    def mean(self, weights: Tensor | int, *, equal: bool) -> Tensor | int:
        """Mean over the processes of what their losses weigh, if it is not `equal` everywhere."""
        if self._device.world == 1 or equal:
            return weights
        return parallel.mean(torch.as_tensor(weights, dtype=torch.float32, device=self._device.device).detach().clone())


@contextlib.contextmanager
def swapped(task: Task, nets: dict[str, nn.Module]) -> Iterator[None]:
    """While active, `task` finds `nets` in the attributes of those names."""
    before = {name: getattr(task, name) for name in nets}
    for name, net in nets.items():
        setattr(task, name, net)
    try:
        yield
    finally:
        for name, net in before.items():
            setattr(task, name, net)
