"""Choose the device, the precision and the memory format from what is really there, and say why.

`python -m torchworks.shared.machine.doctor` (`make doctor`) prints what was found, what would be chosen, and known
problems.
"""

import contextlib
import ctypes
import os
import random
import shutil
import subprocess
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from torchworks.shared.config import UserError, nearest
from torchworks.shared.machine.facts import GIB, cpu_flags, cpu_threads, process_memory

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
BF16_FLAGS = ("avx512_bf16", "amx_bf16")
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h

_PLAIN = nullcontext()  # one for all steps

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Device:
    """Where and how nets compute, this process's place among its peers, and the reasons in words."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    rank: int = 0
    world: int = 1
    local_rank: int = 0
    reasons: tuple[str, ...] = ()

    def autocast(self) -> AbstractContextManager:
        """Mixed precision for the code inside; nothing for float32."""
        if self.dtype is torch.float32:
            return _PLAIN
        return torch.autocast(self.device.type, self.dtype)

    def place(self, module: M) -> M:
        """`module` itself, moved to the device, with its 4-d and 5-d parameters in the chosen memory format."""
        module.to(self.device)
        if not self.channels_last:
            return module
        if all(parameter.ndim != 5 for parameter in module.parameters()):
            return module.to(memory_format=torch.channels_last)
        for parameter in module.parameters():  # `Module.to` takes one format, which 3-d convolutions have not
            if parameter.ndim in (4, 5):
                last = torch.channels_last if parameter.ndim == 4 else torch.channels_last_3d
                parameter.data = parameter.data.to(memory_format=last)
        return module


def choose(
    device: str = "auto",
    precision: str = "auto",
    channels_last: str = "auto",
    *,
    convolutional: bool = True,
    channels_last_on_cpu: bool = True,
) -> Device:
    """The device and arithmetic to train with, for nets that are `convolutional` or not, and gain by channels_last in
    half precision on a CPU or not.

    `device` is auto, cpu, cuda, cuda:N or mps; `precision` auto, fp32, bf16 or fp16; `channels_last` auto, on
    or off. Started by torchrun, each process takes the CUDA device of its local rank. On CUDA this also makes
    the device current and lets float32 matrix products use TF32. Raises `UserError` for what is not there.
    """
    _one_of("precision", precision, ("auto", *DTYPES))
    _one_of("channels_last", channels_last, ("auto", "on", "off"))
    rank, world, local_rank = _place_among_peers()
    chosen, why_device = _choose_device(device, world, local_rank)
    dtype, why_dtype = _choose_dtype(chosen, precision, convolutional)
    last, why_last = _choose_format(chosen, dtype, channels_last, convolutional, channels_last_on_cpu)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
        torch.set_float32_matmul_precision("high")
    return Device(chosen, dtype, last, rank, world, local_rank, (why_device, why_dtype, why_last))


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"There is no {name} '{value}'.{nearest(value, known)} Known: {', '.join(known)}.")


def _place_among_peers() -> tuple[int, int, int]:
    """(rank, world, local rank) from the environment variables that torchrun sets; alone: (0, 1, 0)."""
    if os.environ.get("WORLD_SIZE", "1") in ("0", "1"):
        return 0, 1, 0
    told = {name: os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    wrong = [name for name, value in told.items() if not value.isdigit()]
    if wrong:
        raise UserError(
            f"WORLD_SIZE is {told['WORLD_SIZE']}, as for one of several processes, but {wrong[0]} is missing or no "
            "number. Start the processes by torchrun, or unset WORLD_SIZE to train in one."
        )
    return int(told["RANK"]), int(told["WORLD_SIZE"]), int(told["LOCAL_RANK"])


def _choose_device(name: str, world: int, local_rank: int) -> tuple[torch.device, str]:
    kind, _, index = name.partition(":")
    _one_of("device", kind, ("auto", "cpu", "cuda", "mps"))
    if index and not (kind == "cuda" and index.isdigit()):
        raise UserError(f"There is no device '{name}'. Known: auto, cpu, mps, cuda and cuda:N, N counted from 0.")
    if kind == "auto":
        return _best_device(world, local_rank)
    if kind == "cuda":
        return _cuda_device(index, world, local_rank), f"device {name}: as asked"
    if kind == "mps" and not torch.backends.mps.is_available():
        found = "macOS offers no Metal device" if torch.backends.mps.is_built() else "this PyTorch has no MPS"
        raise UserError(f"Device 'mps' needs an Apple GPU, but {found}. Use --device auto to take what is there.")
    return torch.device(kind), f"device {name}: as asked"


def _best_device(world: int, local_rank: int) -> tuple[torch.device, str]:
    missing = without_cuda()
    if not missing:
        device = _cuda_device("", world, local_rank)
        return device, f"device {device}: {torch.cuda.get_device_name(device)} is there"
    if torch.backends.mps.is_available() and world == 1:
        return torch.device("mps"), "device mps: the Apple GPU is there"
    return torch.device("cpu"), f"device cpu: no CUDA, because {missing}"


def _cuda_device(index: str, world: int, local_rank: int) -> torch.device:
    if missing := without_cuda():
        raise UserError(
            f"Device 'cuda' was asked for, but it cannot be used: {missing}. `make doctor` shows what is there; "
            "use --device auto or --device cpu to go on without it."
        )
    if world > 1 and index:
        raise UserError(
            f"Device 'cuda:{index}' was asked for under torchrun, where each process takes the device of its "
            "local rank. Use --device cuda, and CUDA_VISIBLE_DEVICES to choose among the devices."
        )
    wanted, count = int(index or local_rank), torch.cuda.device_count()
    if wanted >= count:
        asker = f"torchrun's local rank {wanted} needs" if world > 1 else "Needed is"
        names = ", ".join(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(count))
        raise UserError(f"{asker} the device cuda:{wanted}, but there are only {count}: {names}.")
    return torch.device("cuda", wanted)


@cache
def without_cuda() -> str:
    """Why CUDA cannot be used here, or '' if it can."""
    with warnings.catch_warnings(record=True) as caught:  # an unfit driver is told by a warning only
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return ""
    if torch.version.cuda is None and torch.version.hip is None:
        return "this PyTorch was built without CUDA"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return "the environment variable CUDA_VISIBLE_DEVICES hides every device"
    build = f"this PyTorch is built for CUDA {torch.version.cuda}, but"
    if caught:
        return f"{build} it cannot start it: {' '.join(str(caught[0].message).split())}"
    return f"{build} {_driver_state()}"


def _driver_state() -> str:
    if not shutil.which("nvidia-smi"):
        return "no NVIDIA driver is installed (there is no nvidia-smi)"
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    devices = [line for line in listing.stdout.splitlines() if line.startswith("GPU")]
    if listing.returncode or not devices:
        return f"nvidia-smi finds no device ({(listing.stdout + listing.stderr).strip() or 'it prints nothing'})"
    return f"nvidia-smi lists {len(devices)} device(s) that PyTorch cannot open, as with a driver too old for it"


def _choose_dtype(device: torch.device, precision: str, convolutional: bool) -> tuple[torch.dtype, str]:
    if precision == "auto":
        name, why = _best_precision(device, convolutional)
        return DTYPES[name], f"precision {name}: {why}"
    slow = device.type == "cpu" and precision != "fp32" and not cpu_bf16()
    return DTYPES[precision], f"precision {precision}: as asked" + ", though slow on this CPU" * slow


def _best_precision(device: torch.device, convolutional: bool) -> tuple[str, str]:
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16", "this GPU computes in it"
        return "fp16", "this GPU does not compute in bf16; losses are scaled"
    if device.type == "mps":
        return "fp32", "half precision gains little on Apple GPUs and must be asked for"
    if not cpu_bf16():
        return "fp32", "PyTorch finds neither AVX512-BF16 nor AMX-BF16 here"
    if not convolutional:
        return "fp32", "on a CPU bf16 is taken for convolutional nets only"
    return "bf16", f"this CPU computes in it ({', '.join(flag for flag in BF16_FLAGS if flag in cpu_flags())})"


def cpu_bf16() -> bool:
    """Whether the CPU multiplies bf16 numbers in hardware and PyTorch's kernels use that."""
    wide = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return wide and torch.backends.mkldnn.is_available() and not cpu_flags().isdisjoint(BF16_FLAGS)


def _choose_format(
    device: torch.device, dtype: torch.dtype, asked: str, convolutional: bool, on_cpu: bool = True
) -> tuple[bool, str]:
    if asked != "auto":
        return asked == "on", f"channels_last {asked}: as asked"
    if not convolutional:
        return False, "channels_last off: only convolutional nets gain by it"
    if device.type == "mps" or dtype is torch.float32:
        return False, "channels_last off: the gain comes with bf16 or fp16 on CUDA or a CPU"
    if device.type == "cpu" and not on_cpu:
        return False, "channels_last off: measured slower for nets of this kind on a CPU"
    return True, "channels_last on: convolutions in half precision are faster so"


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch (every device), for code that draws from them."""
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)


def limit_threads() -> int:
    """Keep PyTorch's threads within the CPUs and the quota of the control group; returns their number.

    More threads than a container's quota are not just useless: the kernel stops all of them at each period's
    end. `OMP_NUM_THREADS` is respected.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(cpu_threads(), torch.get_num_threads()))
    return torch.get_num_threads()


def keep_memory() -> None:
    """Let glibc, where that is the C library, keep up to a GiB of memory that tensors give back. Otherwise it returns
    large blocks to the system at once, and each step of a training on a CPU fetches them anew, page by page."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, 1 << 30)
        mallopt(M_MMAP_MAX, 0)


def start_processes(device: Device) -> None:
    """Join the process group that torchrun prepared; does nothing for a process alone."""
    if device.world > 1 and not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.device.type == "cuda" else "gloo")


def stop_processes() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def peak_memory(device: Device) -> float:
    """GiB of memory that this process had at most: the device's on CUDA and MPS, else main memory."""
    if device.device.type == "cuda":
        return torch.cuda.max_memory_allocated(device.device) / GIB
    if device.device.type == "mps":
        return torch.mps.driver_allocated_memory() / GIB
    return process_memory() / GIB
