#!/usr/bin/env bash
# The reference evaluator of ONNX takes the last window of LpPool for a full one.
#
# Versions: onnx 1.23.2, onnxruntime 1.31.1, numpy 2.4.6, Python 3.11.
# Expected: LpPool of ones, with a kernel of 3, stride 2 and ceil_mode, is the 2-norm of each window. The last window has
#           only two elements, so its norm is √2; the reference evaluator, by which runtimes are judged, says so too.
# Seen:     the reference evaluator says √3: it averages the squares of what is there and multiplies by the size of the
#           kernel. ONNX Runtime says √2. Without ceil_mode both agree. A test that compares an export with the reference
#           fails at the right and lower border alone, and only at some image sizes.
# Output:   length 7: reference [1.732, 1.732, 1.732], onnxruntime [1.732, 1.732, 1.732]
#           length 6: reference [1.732, 1.732, 1.732], onnxruntime [1.732, 1.732, 1.414]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
cd "$folder"
cat > script.py <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import checker, helper
from onnx.reference import ReferenceEvaluator


def both(length):
    node = helper.make_node("LpPool", ["x"], ["y"], kernel_shape=[3], strides=[2], p=2, ceil_mode=1)
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", 1, [1, 1, length])],
        [helper.make_tensor_value_info("y", 1, [1, 1, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    checker.check_model(model, full_check=True)
    x = {"x": np.ones((1, 1, length), np.float32)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = ReferenceEvaluator(model).run(None, x)[0], session.run(None, x)[0]
    return [[round(float(value), 3) for value in output.ravel()] for output in outputs]


found = {length: both(length) for length in (7, 6)}
for length, (reference, runtime) in found.items():
    print(f"length {length}: reference {reference}, onnxruntime {runtime}")
assert found[7][0] == found[7][1]
assert found[6] == [[1.732, 1.732, 1.732], [1.732, 1.732, 1.414]], "the behavior has changed"
PYTHON
"$folder/venv/bin/python" script.py
