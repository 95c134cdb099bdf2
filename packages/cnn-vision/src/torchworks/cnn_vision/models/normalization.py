"""Mean and standard deviation by which pixels are normalized, as pretrained weights expect them."""

from collections.abc import Sequence
from pathlib import Path

from torchworks.shared.models.manifest import MANIFEST, WEIGHTS, read_manifest

Statistics = tuple[Sequence[float], Sequence[float]]
"""Mean and standard deviation of each channel, of pixels in [0, 1]."""
HALF: Statistics = (0.5,), (0.5,)
"""Makes pixels −1 to 1."""
IMAGENET: Statistics = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, by which torchvision's weights were trained."""


def expected(pretrained: str, channels: int, published: Statistics = IMAGENET) -> tuple[list[float], list[float]]:
    """The same that `pretrained` weights expect: those of the run that it names, else those of `published` weights;
    `HALF` without any."""
    if run := run_of(pretrained):
        trained = read_manifest(run).config
        return each_channel(trained["mean"], trained["std"], channels)
    return each_channel(*(published if pretrained else HALF), channels)


def each_channel(mean: Sequence[float], std: Sequence[float], channels: int) -> tuple[list[float], list[float]]:
    """As they are, or their means for another number of channels, whose kernels were summed over, or repeated."""
    if len(mean) != channels:
        mean, std = [sum(mean) / len(mean)] * channels, [sum(std) / len(std)] * channels
    return list(mean), list(std)


def run_of(pretrained: str) -> Path | None:
    """The run's directory that `pretrained` names, or whose weights it names."""
    path = Path(pretrained).expanduser()
    folder = path.parent if path.name == WEIGHTS else path
    return folder if pretrained and (folder / MANIFEST).is_file() else None
