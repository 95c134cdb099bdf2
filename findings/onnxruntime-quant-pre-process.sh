#!/usr/bin/env bash
# onnxruntime's quant_pre_process leaves a model with operator sets that none of its nodes uses.
#
# Versions: onnxruntime 1.31.1, onnx 1.23.2, Python 3.11.
# Expected: the pre-processing before quantization (shape inference and optimization) keeps the operator sets of a model
#           of one MatMul, or drops those that became unnecessary; it can be read by whatever read the model before.
# Seen:     eight further sets are imported, among them training, preview and experimental ones. One of them, ai.onnx.ml
#           5, is younger than IR version 9: onnx now says that the file needs IR 10, which older runtimes refuse.
# Output:   before: IR 9 is needed, operator sets ai.onnx 20
#           after:  IR 10 is needed, nodes of the sets {''}, unused: ai.onnx.ml 5, ai.onnx.preview 1,
#                   ai.onnx.preview.training 1, ai.onnx.training 1, com.microsoft 1, com.microsoft.experimental 1,
#                   com.microsoft.nchwc 1, org.pytorch.aten 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check onnxruntime==1.31.1 onnx==1.23.2 sympy==1.14.0
cd "$folder"
venv/bin/python - <<'PYTHON' 2>/dev/null
import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxruntime.quantization.shape_inference import quant_pre_process

weight = onnx.numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in "xy")
graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "one", [x], [y], [weight])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
onnx.save(model, "before.onnx")
quant_pre_process("before.onnx", "after.onnx")
after = onnx.load("after.onnx")

needed = [helper.find_min_ir_version_for(m.opset_import, ignore_unknown=True) for m in (model, after)]
used = {node.domain for node in after.graph.node}
unused = sorted(f"{entry.domain} {entry.version}" for entry in after.opset_import if entry.domain not in used)
print(f"before: IR {needed[0]} is needed, operator sets ai.onnx 20")
print(f"after:  IR {needed[1]} is needed, nodes of the sets {used}, unused: {', '.join(unused)}")
assert needed == [9, 10] and used == {""} and len(unused) == 8, "the behavior has changed"
PYTHON
