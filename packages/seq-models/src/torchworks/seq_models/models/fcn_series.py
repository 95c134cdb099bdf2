"""A fully convolutional net that tells the class of a series.

Wang, Yan & Oates 2017, "Time Series Classification from Scratch with Deep Neural Networks: A Strong Baseline"
(arXiv:1611.06455), section II.B, equation 2:

    y = W ⊗ x + b,        s = BN(y),        h = ReLU(s)

The idea: three such blocks with kernels of 8, 5 and 3 steps and 128, 256 and 128 filters, then the mean over time. No
step is special, so the net has few weights and finds a shape wherever it stands.

What differs from the paper: series may differ in length and are padded; batch normalization and the mean are over real
steps. There is no b, which batch normalization would take away again.

Shape letters: N series, T steps, C channels, F filters.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from torchworks.seq_models.models.series_classifier import MaskedBatchNorm, SameConv, SeriesClassifier


class FCN(SeriesClassifier):
    """See `SeriesClassifier`."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        widths: Sequence[int] = (128, 256, 128),
        kernels: Sequence[int] = (8, 5, 3),
        drop_rate: float = 0.0,
    ):
        if len(widths) != len(kernels):
            raise ValueError(f"there must be as many widths as kernels, but there are {len(widths)} and {len(kernels)}")
        super().__init__(widths[-1], num_classes, drop_rate)
        sizes = zip((in_channels, *widths), widths, kernels, strict=False)
        self.convs = nn.ModuleList(SameConv(before, after, kernel, bias=False) for before, after, kernel in sizes)
        self.norms = nn.ModuleList(MaskedBatchNorm(width) for width in widths)

    def features(self, x: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
        x = x.transpose(1, 2)  # (N, C, T)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x), real).relu()
        return x.transpose(1, 2)
