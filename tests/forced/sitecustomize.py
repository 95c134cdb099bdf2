"""What `--precision auto` takes on a CPU while tests run: TORCHWORKS_TEST_BF16=1 forces bf16, 0 forces fp32.

Python imports a module of this name at its start. The root's conftest.py puts this folder on the path of pytest and of
every Python process that a test starts, if that variable is set.
"""

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

MODULE = "torchworks.shared.machine.device"


class Forcing(importlib.abc.MetaPathFinder):
    """Changes the module that chooses the precision when it is imported, so that nothing imports torch too early."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            force(module)

        spec.loader.exec_module = exec_module
        return spec


def force(device: ModuleType) -> None:
    """Let the module find a CPU with or without bf16."""
    if os.environ["TORCHWORKS_TEST_BF16"] == "1":
        device.cpu_flags = lambda: frozenset(device.BF16_FLAGS[:1])
        device.torch.backends.cpu.get_cpu_capability = lambda: "AVX512"
    else:
        device.cpu_flags = frozenset


if os.environ.get("TORCHWORKS_TEST_BF16"):
    sys.meta_path.insert(0, Forcing())
