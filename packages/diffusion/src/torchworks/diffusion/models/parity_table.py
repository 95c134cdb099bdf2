"""The command `models`: the nets of this package, and how far each is from the library that has it."""

from functools import partial
from typing import cast

from torchworks.diffusion.models.parity import ORACLES, ROWS, Comparison
from torchworks.diffusion.models.registry import find_model, list_models
from torchworks.shared.models.listing import NetList

_ROWS = ", ".join(map(str, ROWS[:-1])) + f" and {ROWS[-1]}"

print_models = NetList(
    program="diffusion",
    nets={name: partial(find_model, name) for name in list_models()},
    oracles=ORACLES,
    libraries=("diffusers", "onnxruntime"),
    exports=f"The columns torch.export and ONNX compare exports with our own net at {_ROWS} rows and three sizes, the "
    "smallest of the last column among them; torch.export is called twice in one process.",
    smallest=lambda found: cast(Comparison, found).smallest,
).print
