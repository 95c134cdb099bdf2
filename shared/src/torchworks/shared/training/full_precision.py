"""Arithmetic that half precision would spoil, kept in float32 under autocast.

Autocast chooses a type for each operation: a matrix product gives bf16 or fp16, a sum beside it stays in float32. That
suits layers. It does not suit losses and statistics over many pixels: in bf16 they keep two or three digits, in fp16
they overflow at 65,504, and an operation that wants one type for all its tensors (`scatter_add`, `index_put`,
`index_copy`) refuses the mixture. Which operations are autocast also differs between CPU and CUDA.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

P = ParamSpec("P")
R = TypeVar("R")


def at_least_float32(x: Tensor) -> Tensor:
    """`x`, as float32 if it is of half precision; float64 and whole numbers stay."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """`function` with autocast off and every tensor among its arguments, also within lists and dicts, of half precision
    converted to float32. Where autocast is off already, it is the plain function, so that exported programs are too.

        @full_precision
        def gram(maps: Tensor) -> Tensor: ...
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        kinds = {x.device.type for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        kind = next(iter(kinds - {"cpu"}), "cpu")  # a scalar on the CPU may stand beside tensors of another device
        if not torch.is_autocast_enabled(kind):
            return function(*args, **kwargs)
        args, kwargs = tree_map_only(Tensor, at_least_float32, (args, kwargs))
        with torch.autocast(kind, enabled=False):
            return function(*args, **kwargs)

    return call
