#!/usr/bin/env bash
# onnx.version_converter changes what a model computes, without a word.
#
# Versions: onnx 1.23.2, onnxruntime 1.31.1, numpy 2.4.6, Python 3.11.
# Expected: a converted model gives the outputs of the original, or the converter refuses with an error.
# Seen:     three operators, each alone in a valid model that onnx.checker accepts before and after:
#           - Softmax 13 → 12, axis 1 of a (2, 3, 4) input: opset 12 flattens to (2, 12) first, so rows of three numbers
#             no longer sum to 1 (the upward converter, 12 → 13, inserts Flatten and Reshape and is right);
#           - Hardmax 12 → 13, axis 1: the same change of meaning, in this direction unhandled;
#           - Resize 10 → 11, linear: opset 10 samples at x / scale ("asymmetric"), opset 11 by default at
#             (x + 0.5) / scale - 0.5 ("half_pixel"), and the converter does not write the attribute.
# Output:   softmax 13 to 12: largest difference 0.55, sums over axis 1 from 0.11 to 0.39
#           hardmax 12 to 13: 2 ones before, 8 ones after
#           resize 10 to 11: [1.0, 1.5, 2.0, 2.5, 3.0, 3.0] before, [1.0, 1.25, 1.75, 2.25, 2.75, 3.0] after
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.31.1 numpy==2.4.6
cd "$folder"
cat > script.py <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper, version_converter


def model(operator, shape, opset, scales=None, **attributes):
    names = ["x"] if scales is None else ["x", "scales"]
    constants = [] if scales is None else [numpy_helper.from_array(np.array(scales, np.float32), "scales")]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], **attributes)],
        "graph",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info("y", 1, None)],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made)


def run(made, x):
    onnx.checker.check_model(made, full_check=True)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def both(made, to, x):
    return run(made, x), run(version_converter.convert_version(made, to), x)


x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
before, after = both(model("Softmax", x.shape, 13, axis=1), 12, x)
sums = after.sum(1)
print(f"softmax 13 to 12: largest difference {abs(before - after).max():.2f}, "
      f"sums over axis 1 from {sums.min():.2f} to {sums.max():.2f}")
assert np.allclose(before.sum(1), 1)
assert not np.allclose(sums, 1, atol=0.1), "the behavior has changed: softmax 13 to 12"

before, after = both(model("Hardmax", x.shape, 12, axis=1), 13, x)
print(f"hardmax 12 to 13: {int(before.sum())} ones before, {int(after.sum())} ones after")
assert (before.sum(), after.sum()) == (2, 8), "the behavior has changed: hardmax 12 to 13"

row = np.array([1, 2, 3], np.float32).reshape(1, 1, 1, 3)
before, after = both(model("Resize", row.shape, 10, [1, 1, 1, 2], mode="linear"), 11, row)
print(f"resize 10 to 11: {before.ravel().tolist()} before, {after.ravel().tolist()} after")
assert not np.allclose(before, after), "the behavior has changed: resize 10 to 11"
PYTHON
"$folder/venv/bin/python" script.py
