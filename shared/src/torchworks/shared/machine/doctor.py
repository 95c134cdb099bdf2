"""`make doctor`: what was found on this machine, what would be chosen and why, and known problems."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

import torch
from rich.console import Console
from rich.table import Table

from torchworks.shared.config import UserError
from torchworks.shared.machine.device import BF16_FLAGS, choose, limit_threads, without_cuda
from torchworks.shared.machine.facts import GIB, affinity, cpu_flags, cpu_model, cpu_quota, memory_free, memory_total

SHM = Path("/dev/shm")


@dataclass(frozen=True)
class Finding:
    """One fact about the machine, and what to do if it is a problem."""

    name: str
    value: str
    status: Literal["ok", "warn", "bad"] = "ok"
    advice: str = ""


def describe() -> list[Finding]:
    """Everything found, in the order to read it."""
    return [
        Finding("Python", f"{platform.python_version()} on {platform.platform(terse=True)}"),
        Finding("torch", torch.__version__),
        *_companions(),
        torchvision_ops(),
        *_cuda(),
        Finding("MPS", "usable" if torch.backends.mps.is_available() else "none"),
        _cpu(),
        _threads(),
        *shared_memory(SHM),
        _memory(),
        _disk(Path.cwd()),
        *_choice(),
    ]


def _companions() -> Iterator[Finding]:
    import torchvision

    yield companion("torchvision", torchvision)
    try:
        import torchaudio
    except ModuleNotFoundError:
        yield Finding("torchaudio", "not installed (only packages for sound need it)")
    except (ImportError, OSError) as error:  # its library was built for another torch
        yield Finding("torchaudio", f"cannot be imported: {error}", "bad", "Install the version for this torch.")
    else:
        yield companion("torchaudio", torchaudio)


def companion(name: str, module: ModuleType) -> Finding:
    """Whether a library was built for the same CUDA as torch, by the build tags such as '+cu130'."""
    ours, theirs = (found.__version__.partition("+")[2] for found in (torch, module))
    if ours == theirs:
        return Finding(name, module.__version__)
    advice = f"Its build is for '{theirs or 'no tag'}', torch's for '{ours or 'no tag'}': install both from one index."
    return Finding(name, module.__version__, "warn", advice)


def torchvision_ops() -> Finding:
    """Whether torchvision's compiled operators really run, on two boxes of which one hides the other."""
    import torchvision

    boxes, scores = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9]]), torch.tensor([0.9, 0.8])
    try:
        kept = torchvision.ops.nms(boxes, scores, 0.5).tolist()
    except (RuntimeError, NotImplementedError, AttributeError) as error:
        advice = f"torchvision does not fit this torch; reinstall the pair. It says: {str(error).splitlines()[0]}"
        return Finding("torchvision ops", "do not run", "bad", advice)
    if kept != [0]:
        return Finding("torchvision ops", f"nms keeps {kept} for [0]", "bad", "Reinstall torchvision.")
    return Finding("torchvision ops", "work")


def _cuda() -> Iterator[Finding]:
    if missing := without_cuda():
        built_for_it = torch.version.cuda is not None and shutil.which("nvidia-smi")
        advice = "A driver is there: update it, or install the torch that fits it." if built_for_it else ""
        yield Finding("CUDA", f"not usable: {missing}", "warn" if built_for_it else "ok", advice)
        return
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        capability = f"compute capability {found.major}.{found.minor}"
        value = f"{found.name}, {total / GIB:.0f} GiB ({free / GIB:.0f} free), {capability}"
        full = free < 0.1 * total
        advice = "Others use nearly all its memory: choose another with --device cuda:N." if full else ""
        yield Finding(f"cuda:{index}", value, "warn" if full else "ok", advice)


def _cpu() -> Finding:
    bf16 = [flag for flag in BF16_FLAGS if flag in cpu_flags()]
    capability = torch.backends.cpu.get_cpu_capability()
    return Finding("CPU", f"{cpu_model()}, kernels for {capability}, bf16: {', '.join(bf16) or 'none'}")


def _threads() -> Finding:
    before, quota = torch.get_num_threads(), cpu_quota()
    limits = f"{affinity()} CPUs" + (f", quota of {quota:g}" if quota else "")
    value = f"{limit_threads()} used ({limits}; torch alone would take {before})"
    if quota and torch.get_num_threads() > max(1, quota):
        return Finding("threads", value, "warn", "OMP_NUM_THREADS is above the quota: unset or lower it.")
    return Finding("threads", value)


def shared_memory(folder: Path) -> Iterator[Finding]:
    """Whether workers that decode have room to hand over their batches (Linux only)."""
    if not folder.is_dir():
        return
    size = shutil.disk_usage(folder).total
    small = size < GIB
    advice = "Too small for decoding workers: docker run --shm-size=2g, or --loader.workers 0." if small else ""
    yield Finding(str(folder), f"{size / GIB:.2f} GiB", "warn" if small else "ok", advice)


def _memory() -> Finding:
    free, total = memory_free(), memory_total()
    value = f"{total / GIB:.1f} GiB" + (f", {free / GIB:.1f} free" if free is not None else "")
    if free is not None and free < GIB:
        return Finding("memory", value, "warn", "Less than 1 GiB is free: training may be killed.")
    return Finding("memory", value)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    value = f"{free / GIB:.1f} GiB free here"
    if not os.access(folder, os.W_OK):
        return Finding("disk", value, "warn", "This folder cannot be written: give runs another with --out.")
    if free < GIB:
        return Finding("disk", value, "warn", "Less than 1 GiB is free: checkpoints may not fit.")
    return Finding("disk", value)


def _choice() -> Iterator[Finding]:
    """What `auto` takes for convolutional nets and for others, with the reasons."""
    try:
        for kind, convolutional in (("convolutional nets", True), ("other nets", False)):
            yield Finding(f"chosen for {kind}", "\n".join(choose(convolutional=convolutional).reasons))
    except UserError as error:
        yield Finding("chosen", "nothing can be", "bad", str(error))


def main() -> int:
    """Print the findings: a table on a terminal, plain lines elsewhere. Returns 1 if something is bad, else 0."""
    findings = describe()
    if sys.stdout.isatty():
        Console().print(_table(findings))
    else:
        for found in findings:
            print(f"{found.status:4}  {found.name}: {found.value.replace(chr(10), '; ')}  {found.advice}".rstrip())
    return int(any(found.status == "bad" for found in findings))


def _table(findings: list[Finding]) -> Table:
    table = Table(title="torchworks doctor", title_justify="left")
    for column in ("", "what", "found", "what to do"):
        table.add_column(column)
    colors = {"ok": "green", "warn": "yellow", "bad": "red"}
    for found in findings:
        mark = f"[{colors[found.status]}]{found.status}[/]"
        table.add_row(mark, found.name, found.value.replace("[", r"\["), found.advice.replace("[", r"\["))
    return table


if __name__ == "__main__":
    sys.exit(main())
