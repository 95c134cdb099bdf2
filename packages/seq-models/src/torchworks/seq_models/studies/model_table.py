"""The command `models`: the models of this package, and how far each is from the library it re-implements."""

from functools import partial

from torchworks.seq_models.models.parity import LENGTHS, ORACLES, ROWS
from torchworks.seq_models.models.registry import find_model, list_models
from torchworks.shared.models.listing import NetList

print_models = NetList(
    program="seq-models",
    nets={name: partial(find_model, name) for name in list_models()},
    oracles=ORACLES,
    libraries=("transformers", "onnxruntime"),
    exports=f"The last two columns compare exports with our own net at {' and '.join(map(str, ROWS))} rows and lengths "
    f"of {', '.join(map(str, LENGTHS))}; torch.export is called twice in one process.",
).print
