"""Several processes training one model: DDP or FSDP2 around each net, and plain state whatever the strategy.

Each net is wrapped by itself. A phase calls its own net through the wrapper and all others as they are, so a
frozen net takes no part in the exchange of gradients.
"""

import inspect
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

_WHOLE = StateDictOptions(full_state_dict=True)
_WHOLE_ON_FIRST = StateDictOptions(full_state_dict=True, cpu_offload=True)
_UNSYNCED: dict[str, Any] = {
    # renamed in torch 2.14
    "forward_sync_buffers"
    if "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    else "broadcast_buffers": False
}


def shard(net: nn.Module) -> nn.Module:
    """FSDP2 in place: every direct child of a list or sequence of blocks, then the whole."""
    for module in reversed(list(net.modules())):  # inner ones first, as FSDP2 wants it
        if isinstance(module, (nn.ModuleList, nn.Sequential)):
            for block in module:
                if any(True for _ in block.parameters()):
                    fully_shard(block)
    fully_shard(net)
    return net


def wrap(net: nn.Module, device: torch.device) -> DistributedDataParallel:
    """DDP around one net. Buffers are not broadcast at each forward, since a loss may call its net twice."""
    ids = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(net, device_ids=ids, **_UNSYNCED)


def share_buffers(net: nn.Module) -> None:
    """Give every process the first one's buffers (running statistics differ from process to process)."""
    for buffer in net.buffers():
        dist.broadcast(buffer, src=0)


def set_gradient_sync(wrapper: nn.Module, on: bool) -> None:
    """Whether the next backward exchanges gradients; off for all but the last micro-batch."""
    if isinstance(wrapper, DistributedDataParallel):
        wrapper.require_backward_grad_sync = on
    elif isinstance(wrapper, FSDPModule):
        wrapper.set_requires_gradient_sync(on)


def mean(values: Tensor) -> Tensor:
    """Mean over the processes, in place."""
    dist.all_reduce(values)
    return values.div_(dist.get_world_size())


def agree(value: int) -> int:
    """The largest `value` of any process."""
    largest = torch.tensor([value])
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return int(largest.item())


def from_first(value: Any) -> Any:
    """The first process's `value` (plain data), on every process."""
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def net_state(net: nn.Module) -> dict[str, Tensor]:
    """A net's whole state_dict on the CPU, with plain keys; every process must take part if it is sharded."""
    if isinstance(net, FSDPModule):
        state = cast(dict[str, Tensor], get_model_state_dict(net, options=_WHOLE))
        return {key: value.cpu() for key, value in state.items()}
    return {key: value.detach().cpu().clone() for key, value in net.state_dict().items()}


def load_net_state(net: nn.Module, state: dict[str, Tensor]) -> None:
    """Load a whole state_dict, strictly, into a plain or sharded net."""
    if isinstance(net, FSDPModule):
        set_model_state_dict(net, dict(state), options=_WHOLE)
    else:
        net.load_state_dict(state, strict=True)


def optimizer_state(net: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """An optimiser's state_dict keyed by position, as one process has it; of a sharded net, only the first process
    gets it."""
    if not isinstance(net, FSDPModule):
        return optimizer.state_dict()
    full: dict[str, Any] = get_optimizer_state_dict(net, optimizer, options=_WHOLE_ON_FIRST)
    if not full:
        return {}
    order = _order(net, optimizer)
    groups = [{**group, "params": [order.index(name) for name in group["params"]]} for group in full["param_groups"]]
    return {
        "state": {order.index(name): value for name, value in full["state"].items()},
        "param_groups": groups,
    }


def load_optimizer_state(net: nn.Module, optimizer: Optimizer, state: dict[str, Any]) -> None:
    """The inverse of `optimizer_state`, for a plain or sharded net, whichever it was saved from."""
    if not isinstance(net, FSDPModule):
        optimizer.load_state_dict(state)
        return
    order = _order(net, optimizer)
    groups = [{**group, "params": [order[i] for i in group["params"]]} for group in state["param_groups"]]
    named = {"state": {order[i]: value for i, value in state["state"].items()}, "param_groups": groups}
    set_optimizer_state_dict(net, optimizer, named, options=_WHOLE)


def _order(net: nn.Module, optimizer: Optimizer) -> list[str]:
    """Parameter names in the optimiser's order."""
    names = {parameter: name for name, parameter in net.named_parameters()}
    return [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
