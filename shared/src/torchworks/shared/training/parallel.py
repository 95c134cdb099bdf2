"""Several processes training one model: DDP or FSDP2 around each net, and plain state whatever the strategy.

Each net is wrapped by itself. A phase calls its own net through the wrapper and all others as they are, so a
frozen net takes no part in the exchange of gradients.
"""

import inspect
import sys
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

if TYPE_CHECKING:
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.tensor import DTensor

_UNSYNCED: dict[str, Any] = {
    # renamed in torch 2.14
    "forward_sync_buffers"
    if "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    else "broadcast_buffers": False
}


def is_fsdp(net: nn.Module) -> bool:
    """Whether FSDP2 shards `net`. Importing FSDP takes longer than all else in a small training, and a net cannot be
    sharded before it is."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    return fsdp is not None and isinstance(net, fsdp.FSDPModule)


def is_sharded(tensor: Tensor) -> "TypeGuard[DTensor]":
    """Whether `tensor` is one process's part of a larger one; likewise without importing what that needs."""
    tensors = sys.modules.get("torch.distributed.tensor")
    return tensors is not None and isinstance(tensor, tensors.DTensor)


def shard(net: nn.Module) -> nn.Module:
    """FSDP2 in place: every direct child of a list or sequence of blocks, then the whole."""
    from torch.distributed.fsdp import fully_shard

    for module in reversed(list(net.modules())):  # inner ones first, as FSDP2 wants it
        if isinstance(module, (nn.ModuleList, nn.Sequential)):
            for block in module:
                if any(True for _ in block.parameters()):
                    fully_shard(block)
    # FSDP2 would keep what the whole has beside its blocks together until a backward pass, of which an average has none
    fully_shard(net, reshard_after_forward=True)
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
    elif is_fsdp(wrapper):
        cast("FSDPModule", wrapper).set_requires_gradient_sync(on)


def mean(values: Tensor) -> Tensor:
    """Mean over the processes, in place."""
    dist.all_reduce(values)
    return values.div_(dist.get_world_size())


class _Gather(torch.autograd.Function):
    """All rows forward. Backward, each process takes the sum over all processes of its rows' gradients, since its rows
    are in the loss of each; the mean that DDP and FSDP2 then take gives the gradient of the mean of these losses."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # a reduce-scatter would send less, but gloo has none in older versions of torch
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]


def gather(tensor: Tensor) -> Tensor:
    """The rows of `tensor` (n, …) of all processes, which have equally many, differentiably: (world · n, …)."""
    alone = not dist.is_initialized() or dist.get_world_size() == 1
    return tensor if alone else cast(Tensor, _Gather.apply(tensor))


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
    if is_fsdp(net):
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

        options = StateDictOptions(full_state_dict=True)
        state = cast(dict[str, Tensor], get_model_state_dict(net, options=options))
        return {key: value.cpu() for key, value in state.items()}
    return {key: value.detach().cpu().clone() for key, value in net.state_dict().items()}


def load_net_state(net: nn.Module, state: dict[str, Tensor]) -> None:
    """Load a whole state_dict, strictly, into a plain or sharded net."""
    if is_fsdp(net):
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

        set_model_state_dict(net, dict(state), options=StateDictOptions(full_state_dict=True))
    else:
        net.load_state_dict(state, strict=True)


def optimizer_state(net: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer's state_dict keyed by position, as one process has it; of a sharded net, only the first process
    gets it."""
    if not is_fsdp(net):
        return optimizer.state_dict()
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    full: dict[str, Any] = get_optimizer_state_dict(net, optimizer, options=options)
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
    if not is_fsdp(net):
        optimizer.load_state_dict(state)
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

    order = _order(net, optimizer)
    groups = [{**group, "params": [order[i] for i in group["params"]]} for group in state["param_groups"]]
    named = {"state": {order[i]: value for i, value in state["state"].items()}, "param_groups": groups}
    set_optimizer_state_dict(net, optimizer, named, options=StateDictOptions(full_state_dict=True))


def _order(net: nn.Module, optimizer: Optimizer) -> list[str]:
    """Parameter names in the optimizer's order."""
    names = {parameter: name for name, parameter in net.named_parameters()}
    return [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
