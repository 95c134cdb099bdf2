"""The command `models`: the nets of this package, and how far each is from the library that has it."""

from functools import partial

from torchworks.hybrid_multimodal.models.parity import ORACLES
from torchworks.hybrid_multimodal.models.registry import MODELS, find_model
from torchworks.shared.models.listing import NetList

print_models = NetList(
    program="hybrid-multimodal",
    nets={name: partial(find_model, name) for name in MODELS},
    oracles=ORACLES,
    libraries=("open_clip", "torch_geometric", "torchvision", "timm", "transformers", "onnxruntime"),
    exports="The columns torch.export and ONNX compare exports with our own net at 1 and 3 rows and three sizes, 1 or "
    "the smallest that the net takes among them; torch.export is called twice in one process.",
).print
