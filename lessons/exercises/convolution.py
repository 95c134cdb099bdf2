"""Exercises of lesson 9, convolution. Put your code where `...` stands, then: make check-lesson NAME=convolution"""

from torch import Tensor


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many places a convolution has along a side of `size` pixels.

    A dilated filter has gaps: it spans dilation * (kernel - 1) + 1 pixels.
    """
    ...


def max_pool(images: Tensor, size: int) -> Tensor:
    """The largest value of each size × size square: (N, C, H, W) → (N, C, H // size, W // size).

    What is left over at the right and below is dropped. Without PyTorch's pooling.
    """
    ...


def receptive_field(layers: list[tuple[int, int]]) -> int:
    """How many pixels of the input, along a side, one output of a chain of layers can see: each is (kernel, stride).

    One 3×3 layer sees 3; two of them, with stride 1, see 5.
    """
    ...
