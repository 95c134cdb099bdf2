"""The same service as in fastapi_peer.py, by LitServe: with its batching, and a worker for each CPU, as its
documentation advises for small models. It takes no raw bodies, so the file comes as base64 in JSON.

    python litserve_peer.py BUNDLE PORT
"""

import base64
import os
import sys
from pathlib import Path

import numpy as np
from fastapi_peer import Reader
from litserve import LitAPI, LitServer

from torchworks.serving.bundle import open_bundle


class Api(LitAPI):
    """Runs in several processes, which each open the bundle in the folder that the command line names."""

    def setup(self, device: str) -> None:
        self.reader = Reader(open_bundle(Path(sys.argv[1])), threads=1)

    def decode_request(self, request: dict) -> np.ndarray:
        return self.reader.decode(base64.b64decode(request["image"]))

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, images: np.ndarray) -> np.ndarray:
        return self.reader.run(images)

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        return list(output)

    def encode_response(self, row: np.ndarray) -> dict:
        return self.reader.answer(row)


if __name__ == "__main__":
    workers = len(os.sched_getaffinity(0))
    server = LitServer(Api(max_batch_size=16, batch_timeout=0.002), accelerator="cpu", workers_per_device=workers)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
