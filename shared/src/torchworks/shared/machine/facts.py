"""Facts about the machine that PyTorch does not report: CPU, memory, and a container's limits on both.

Every function that reads the system's files takes their `root`, so that a copy of another machine's can stand
in for them.
"""

import os
import platform
import sys
from functools import cache
from pathlib import Path

GIB = 1 << 30


def affinity() -> int:
    """CPUs that this process may run on."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def cpu_threads() -> int:
    """Threads that this process can keep busy: one for each CPU it may use, within the quota of its control group."""
    return max(1, min(affinity(), int(cpu_quota() or affinity())))


@cache
def cpu_model(root: Path = Path("/")) -> str:
    """The CPU's model name."""
    return _cpuinfo(root).get("model name") or platform.processor() or platform.machine()


@cache
def cpu_flags(root: Path = Path("/")) -> frozenset[str]:
    """Instruction sets of an x86 or ARM CPU under Linux, such as 'avx512_bf16'; elsewhere empty."""
    info = _cpuinfo(root)
    return frozenset((info.get("flags") or info.get("Features") or "").split())


def _cpuinfo(root: Path) -> dict[str, str]:
    """The first CPU's entry of /proc/cpuinfo."""
    first = _read(root / "proc/cpuinfo").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def cpu_quota(root: Path = Path("/")) -> float | None:
    """CPUs' worth of time that the control group (version 1 or 2) grants, or None without a limit."""
    quotas = []
    for folder in _control_groups(root, "cpu"):
        quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
        quota = quota or _read(folder / "cpu.cfs_quota_us").strip()
        period = period or _read(folder / "cpu.cfs_period_us").strip()
        if quota.isdigit() and period.isdigit():
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def memory_total(root: Path = Path("/")) -> int:
    """Bytes of main memory this process may use: the machine's or its control group's limit."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in _control_groups(root, "memory"):
        limit = (_read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")).strip()
        limits += [int(limit)] if limit.isdigit() else []
    return min(limits)


def memory_free(root: Path = Path("/")) -> int | None:
    """Bytes of main memory that a program can still take, where the system says so."""
    for line in _read(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return min(int(value.split()[0]) * 1024, memory_total(root))
    return None


def process_memory() -> int:
    """Bytes of main memory that this process had at most."""
    import resource  # not there under Windows, where nothing else here needs it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _control_groups(root: Path, controller: str) -> list[Path]:
    """Folders whose limits for `controller` hold for this process: its control group's and its ancestors'.

    Inside a container the path in /proc may be the host's, of which only some ancestor is mounted; folders
    that do not exist are read as empty.
    """
    folders = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        group = mount / path.strip("/")
        folders += [group, *(parent for parent in group.parents if parent.is_relative_to(mount))]
    return folders


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
