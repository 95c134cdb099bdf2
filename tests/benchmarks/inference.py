"""Inference with a ResNet in the ways PyTorch offers: eager, channels_last, bf16, compiled.

The weights are random, and the batch norms have seen one batch, so that outputs are of the size they have in a trained
net. How far an output may be off is told relative to the largest output of the eager net in fp32.
"""

import copy
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from vision_step import Job

from torchworks.shared.machine.device import Device, cpu_bf16

EAGER = "eager, fp32"
Form = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Absent:
    """A way that is not open here, and why."""

    why: str


def forms(job: Job, images: Tensor, device: Device) -> dict[str, Form | Absent]:
    """Every way to call the same net, by name. It is compiled at the first call of that way, for all batch sizes."""
    net = settled(job.net().to(device.device), images)
    last = copy.deepcopy(net).to(memory_format=torch.channels_last)
    no_bf16 = Absent("this CPU does not multiply in bf16") if _slow_bf16(device) else None
    no_compiler = _no_compiler()
    return {
        EAGER: net,
        "channels_last": last,
        "bf16": no_bf16 or _in_bf16(net, device),
        "bf16, channels_last": no_bf16 or _in_bf16(last, device),
        "compiled": no_compiler or compiled(net),
        "compiled, bf16, channels_last": no_compiler or no_bf16 or _in_bf16(compiled(last), device),
    }


def settled(net: nn.Module, images: Tensor) -> nn.Module:
    """`net` in eval mode, its batch norms set by one batch."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain average of all batches seen
    with torch.no_grad():
        net.train()(images)
    return net.eval()


def compiled(net: nn.Module) -> nn.Module:
    net = copy.deepcopy(net)
    net.compile(dynamic=True)
    return net


def _in_bf16(net: nn.Module, device: Device) -> Form:
    def call(images: Tensor) -> Tensor:
        with torch.autocast(device.device.type, torch.bfloat16):
            return net(images).float()

    return call


def _slow_bf16(device: Device) -> bool:
    """Without the instructions a CPU emulates bf16: one image of 32×32 pixels took over a minute."""
    return device.device.type == "cpu" and not cpu_bf16()


def _no_compiler() -> Absent | None:
    """torch.compile writes C++, for a GPU the code that starts its kernels."""
    wanted = (os.environ.get("CXX", "g++"), "clang++")
    return None if any(map(shutil.which, wanted)) else Absent(f"there is no C++ compiler ({', '.join(wanted)})")


def difference(form: Form, eager: Form, images: Tensor) -> float:
    """Largest difference of an output, as a share of the largest output."""
    with torch.inference_mode():
        expected = eager(images)
        return ((form(images) - expected).abs().max() / expected.abs().max()).item()
