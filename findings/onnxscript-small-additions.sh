#!/usr/bin/env bash
# onnxscript's optimizer and rewriter leave out the addition of a number below about 1e-8, as if it were 0.
#
# Versions: onnxscript 0.7.2, onnx 1.23.2, onnxruntime 1.31.1, Python 3.11.
# Expected: `log(x + 1e-9)`, a common guard against the logarithm of 0, is the same after optimization: a float32 holds
#           1e-9, and where x is 0 the sum is 1e-9.
# Seen:     the Add is gone, and log(0 + 1e-9) is -inf where it was -20.7. 1e-7 is kept. `torch.onnx.export` with
#           dynamo=True runs the same optimizer by default, so an exported model differs there from the trained one.
# Output:   1e-07 plain: -16.12, optimized: -16.12, rewritten: -16.12
#           1e-09 plain: -20.72, optimized: -inf, rewritten: -inf
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check onnxscript==0.7.2 onnx==1.23.2 \
    onnxruntime==1.31.1
cd "$folder"
venv/bin/python -W ignore - <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxscript import optimizer, rewriter

CHANGES = {"plain": lambda model: model, "optimized": optimizer.optimize, "rewritten": rewriter.rewrite}


def guarded_log(least):
    x, z = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in "xz")
    nodes = [helper.make_node("Add", ["x", "least"], ["y"]), helper.make_node("Log", ["y"], ["z"])]
    constant = numpy_helper.from_array(np.array(least, np.float32), "least")
    graph = helper.make_graph(nodes, "guarded", [x], [z], [constant])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def at_zero(model):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return float(session.run(None, {"x": np.zeros(1, np.float32)})[0][0])


found = {least: {name: at_zero(change(guarded_log(least))) for name, change in CHANGES.items()} for least in (1e-7, 1e-9)}
for least, values in found.items():
    print(f"{least:.0e}", ", ".join(f"{name}: {value:.2f}" for name, value in values.items()))
kept, lost = found.values()
assert all(abs(value + 16.12) < 0.01 for value in kept.values()), "the behavior has changed"
assert abs(lost["plain"] + 20.72) < 0.01, "the behavior has changed"
assert lost["optimized"] == lost["rewritten"] == float("-inf"), "the behavior has changed"
PYTHON
