"""True Fréchet Inception Distance, for those who have the weights of the Inception net it is defined with.

That net (Szegedy et al. 2015, the TensorFlow release of 2015-12-05, used by Heusel et al. 2017) is not
torchvision's `inception_v3`. It differs in that
- average pooling inside the blocks leaves the padding out of the mean,
- the pooling of the very last block is a maximum,
- there are 1008 classes and no auxiliary head,
- images enter as values in [-1, 1], resized to 299 × 299 by plain bilinear interpolation.

Its weights as converted for PyTorch are known as `pt_inception-2015-12-05-6726825d.pth`; nothing here downloads
them.

Verified: on random weights the features equal those of another implementation of this net (frozen in the tests),
and a file with other keys, shapes or content is refused. Not verified: the official file itself, since it could
not be obtained where this was written; of its SHA-256 only the first eight digits, which stand in its name, are
checked. Published FIDs also depend on how images were resized and stored before they came here (Parmar et al. 2022).
"""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import inception as blocks

from torchworks.shared.config import UserError
from torchworks.shared.fidelity.judge import FeatureSpace

OFFICIAL = "6726825d"
"""How the SHA-256 of the official file begins."""

_SIZE = 299


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=1, padding=1)


# torchvision's blocks with another pooling in their last branch


class _A(blocks.InceptionA):
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(_average(x))]


class _C(blocks.InceptionC):
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(_average(x))]


class _E(blocks.InceptionE):
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(_average(x))]


class _LastE(blocks.InceptionE):
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(_maximum(x))]


def inception_net() -> blocks.Inception3:
    """The net without weights, under the names that the weight file uses."""
    parts: list[Callable[..., nn.Module]] = [
        blocks.BasicConv2d,
        _A,
        blocks.InceptionB,
        _C,
        blocks.InceptionD,
        _E,
        blocks.InceptionAux,
    ]
    net = blocks.Inception3(1008, aux_logits=False, inception_blocks=parts, init_weights=False)
    net.Mixed_7c = _LastE(2048)
    return net


class InceptionJudge(FeatureSpace):
    """Inception's 2048 features; its distances are called `fid` and `kid`. It knows no classes of yours.

    `weights` is the file named above, read as tensors only. `expected` is how the file's SHA-256 must begin.
    Raises `UserError` if the file is missing, another one, or not what such a file holds. A FID wants tens of
    thousands of images; grey images are shown to the net as grey colors.
    """

    name = "inception2048"
    frechet_name = "fid"
    kernel_name = "kid"

    def __init__(self, weights: Path, *, expected: str = OFFICIAL):
        super().__init__()
        _verify(weights, expected)
        net = inception_net()
        _load(net, weights)
        net.add_module("fc", nn.Identity())
        self.net = net
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> tuple[Tensor, None]:
        """Features (N, 2048) of `images` (N, 1 or 3, H, W) in [-1, 1], in float32; no logits."""
        with torch.autocast(images.device.type, enabled=False):
            x = images.float().expand(-1, 3, -1, -1)
            x = F.interpolate(x, (_SIZE, _SIZE), mode="bilinear", align_corners=False)
            return self.net(x), None


def _verify(weights: Path, expected: str) -> None:
    if not weights.is_file():
        raise UserError(f"There is no file {weights} with Inception's weights. {_REMEDY}")
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(expected):
        raise UserError(
            f"{weights} is not the file that FID is defined with: its SHA-256 begins with {digest[:8]} and not with "
            f"{expected[:8]}, so scores would not be comparable with published ones. {_REMEDY}"
        )


_REMEDY = (
    "Give pt_inception-2015-12-05-6726825d.pth, the weights that pytorch-fid and torch-fidelity use, or leave FID out: "
    "the scores in the judge's own feature space need no file."
)


def _load(net: blocks.Inception3, weights: Path) -> None:
    try:
        net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=True)
    except (RuntimeError, TypeError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{weights} does not hold the weights of this Inception net: {reason} {_REMEDY}") from error
