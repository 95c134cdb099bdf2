"""Promises of the service on Ray Serve. They need ray, which the extra `serving[ray]` brings."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny_bundles

from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import open_engine

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs ray: uv run --extra ray --package serving pytest"
)
USE = """
import json, sys, urllib.request
from pathlib import Path
import ray
from torchworks.serving.ray_app import run

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
run([Path(sys.argv[1])], port=int(sys.argv[2]))
address = f"http://127.0.0.1:{sys.argv[2]}"
body = json.dumps({"inputs": {"image": json.loads(sys.argv[3])}}).encode()
headers = {"Content-Type": "application/json"}
request = urllib.request.Request(f"{address}/v1/models/tiny-classifier/predict", body, headers)
print(urllib.request.urlopen(request, timeout=30).read().decode())
print(urllib.request.urlopen(f"{address}/readyz", timeout=30).status)
ray.shutdown()
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.mark.slow
def test_ray_serve_answers_as_the_engine_does(tmp_path):
    folder = tiny_bundles.write("classifier", tmp_path / "bundle")
    images = np.stack([tiny_bundles.picture(label) for label in (2, 0, 1)])
    done = subprocess.run(
        [sys.executable, "-c", USE, folder, str(free_port()), json.dumps(images.tolist())],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer, ready = done.stdout.strip().splitlines()[-2:]
    direct = open_engine(open_bundle(folder)).run({"image": images})["probability"]
    rows = json.loads(answer)["outputs"]["probability"]
    assert [row["label"] for row in rows] == [tiny_bundles.CLASSES[best] for best in direct.argmax(1)]
    np.testing.assert_allclose([[*row["probabilities"].values()] for row in rows], direct, atol=1e-6)
    assert ready == "200"


def test_ray_serve_does_not_listen_for_others_without_a_key(tmp_path):
    ray_app = pytest.importorskip("torchworks.serving.ray_app")
    with pytest.raises(ray_app.UserError, match="no key is set"):
        ray_app.run([tmp_path], host="0.0.0.0")
