"""Filtered resampling: `upfirdn2d`, the operation by which StyleGAN's nets and its augmentation change resolution.

Karras et al. 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks" (arXiv:1812.04948),
section 2, after Zhang 2019, "Making Convolutional Networks Shift-Invariant Again": where a feature map is only
repeated or skipped, frequencies that the new grid cannot hold fold back into it. So zeros are put between the pixels, a
low-pass filter f runs over them, and then every second pixel is kept:

    y[n] = Σₖ f[k] · x↑[n·down − k]        x↑[n·up] = x[n], and 0 between

in each direction by itself. It is `scipy.signal.upfirdn` along both axes, written with convolutions, so that it can be
differentiated twice, which gradient penalties need.

Shapes: N batch, C channels, H × W pixels, K taps.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

BINOMIAL = (1.0, 3.0, 3.0, 1.0)
"""The filter of StyleGAN2, times 8."""
Padding = tuple[int, int]


def upfirdn2d(x: Tensor, taps: Tensor, *, up: int = 1, down: int = 1, padding: Padding = (0, 0)) -> Tensor:
    """`x` (N, C, H, W) with `up` − 1 zeros after each pixel, `padding` zeros before and after each row and column
    (negative ones cut off), filtered by `taps` (K,) in both directions, and every `down`-th pixel of it, from the first
    on: (N, C, ⌊(H·up + before + after − K) / down⌋ + 1, …).

    Without padding it is the valid part of `scipy.signal.upfirdn`; with `padding=(K − 1, K − 1)`, `up=1` all of it.
    """
    channels = x.shape[1]
    before, after = padding
    if up > 1:
        x = F.pad(x[..., None], (0, up - 1)).flatten(-2)  # zeros after each pixel of a row
        x = F.pad(x[..., None, :], (0, 0, 0, up - 1)).flatten(-3, -2)  # and rows of them after each row
    x = F.pad(x, (before, after, before, after))
    taps = taps.to(x.dtype).flip(0).expand(channels, 1, 1, -1)  # a convolution, not a correlation
    x = F.conv2d(x, taps, stride=(1, down), groups=channels)
    return F.conv2d(x, taps.mT, stride=(down, 1), groups=channels)


def low_pass(taps: tuple[float, ...], device: torch.device | None = None) -> Tensor:
    """`taps` with sum 1, float32 (K,)."""
    kernel = torch.tensor(taps, dtype=torch.float32, device=device)
    return kernel / kernel.sum()


def upsample2d(x: Tensor, taps: Tensor) -> Tensor:
    """(N, C, H, W) → (N, C, 2H, 2W), filtered by `taps` of sum 1; pixel centres stay in place. Beyond the edges are
    zeros."""
    k = len(taps)
    return upfirdn2d(x, taps * 2, up=2, padding=((k + 1) // 2, (k - 2) // 2))


def downsample2d(x: Tensor, taps: Tensor) -> Tensor:
    """(N, C, H, W) → (N, C, ⌈H/2⌉, ⌈W/2⌉), filtered by `taps` of sum 1; beyond the edges are zeros."""
    k = len(taps)
    return upfirdn2d(x, taps, down=2, padding=((k - 1) // 2, (k - 1) // 2 + x.shape[-1] % 2))
