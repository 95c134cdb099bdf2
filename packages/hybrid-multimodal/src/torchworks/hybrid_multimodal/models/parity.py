"""Our nets beside those of other libraries: which, and at which sizes.

A net that another library has is a line in `ORACLES`: its name, and the function that makes the `Comparison`. A test
compares each line, and `hybrid-multimodal models --parity` prints all of them. How is in
`torchworks.shared.models.parity`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from torch import Tensor

from torchworks.shared.models import parity

_HERE = "torchworks.hybrid_multimodal.models.oracles"

ORACLES: dict[str, str] = {
    "CLIP": f"{_HERE}.open_clip_nets:clip",
    "CLIP, quick GELU, larger images": f"{_HERE}.open_clip_nets:clip_quick_gelu",
    "LightGCN": f"{_HERE}.geometric_nets:lightgcn",
    "SASRec, a layer": f"{_HERE}.torch_nets:sasrec_layer",
    "GCN": f"{_HERE}.geometric_nets:gcn",
    "GIN": f"{_HERE}.geometric_nets:gin",
    "GINE": f"{_HERE}.geometric_nets:gine",
    "GAT": f"{_HERE}.geometric_nets:gat",
    "GATv2": f"{_HERE}.geometric_nets:gatv2",
    "R3D": f"{_HERE}.torchvision_nets:r3d",
    "MC3": f"{_HERE}.torchvision_nets:mc3",
    "R(2+1)D": f"{_HERE}.torchvision_nets:r2plus1d",
    "S3D": f"{_HERE}.torchvision_nets:s3d",
    "MViT": f"{_HERE}.torchvision_nets:mvit",
    "MViT v2": f"{_HERE}.torchvision_nets:mvit_v2",
    "squeeze and excitation": f"{_HERE}.timm_nets:se",
    "CBAM": f"{_HERE}.timm_nets:cbam",
    "attention pooling": f"{_HERE}.timm_nets:attention_pool",
    "CoAtNet": f"{_HERE}.timm_nets:coatnet",
    "hybrid ViT": f"{_HERE}.timm_nets:hybrid_vit",
    "DETR": f"{_HERE}.hugging_face_nets:detr",
    "DETR, basic blocks": f"{_HERE}.hugging_face_nets:detr_basic",
}
"""Where the comparison of each net is made, as "module:function"."""

ROWS = (1, 3)
"""Rows at which exports are compared. Their example has 2."""
Sizes = parity.Sizes


@dataclass(frozen=True)
class Comparison(parity.Comparison):
    """Sizes besides "N" are open where `axes` name them."""

    compared_at: Sizes = field(kw_only=True)
    """Of the inputs of both nets."""
    captured_at: Sizes = field(kw_only=True)
    """Besides N, those of the example that an export is made with, none of which an export is compared at."""
    exported: tuple[Sizes, ...] = field(kw_only=True)
    """Sizes besides N at which exports are compared, the smallest first: no export is for smaller ones."""
    limits: Sizes = field(kw_only=True, default_factory=dict)
    """The largest sizes that the net takes, where there are such."""

    def compared(self) -> tuple[Tensor, ...]:
        return self.make(self.compared_at)

    def example(self) -> tuple[Tensor, ...]:
        return self.make({"N": 2, **self.captured_at})

    def cases(self) -> Iterator[tuple[Tensor, ...]]:
        for rows, sizes in product(ROWS, self.exported):
            yield self.make({"N": rows, **sizes})

    def least(self, name: str) -> int:
        return 1 if name == "N" else self.exported[0][name]

    def most(self, name: str) -> int | None:
        return self.limits.get(name)

    def check(self, output: Tensor) -> None:
        assert output.any(), "an output that is 0 everywhere compares nothing"


def comparison(name: str) -> Comparison:
    """The comparison of the net `name`. Raises `UserError` for an unknown name, and where the oracle's library is not
    installed."""
    return parity.find_comparison(name, ORACLES)
