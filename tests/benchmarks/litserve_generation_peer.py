"""A service that generates text by LitServe: streaming, and with its batching, as its documentation has both. It runs
the same ONNX file as ours, with the same state in the same buffers, and sends token ids, a line each.

    python litserve_generation_peer.py BUNDLE PORT
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from litserve import LitAPI, LitServer

from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import open_engine
from torchworks.serving.generation.graph import StatefulEngine
from torchworks.shared.models.generation import RowStates

ROWS = 16


class Api(LitAPI):
    """Greedy texts of a batch of prompts that are all as long, and generate as many tokens."""

    def setup(self, device: str) -> None:
        engine = open_engine(open_bundle(Path(sys.argv[1])))
        assert isinstance(engine, StatefulEngine), "a bundle of a model that generates text"
        self.engine = engine

    def batch(self, inputs: list[dict[str, Any]]) -> tuple[np.ndarray, int]:
        return np.array([each["prompt"] for each in inputs]), inputs[0]["max_tokens"]

    def predict(self, batch: tuple[np.ndarray, int]) -> Iterator[list[int]]:
        tokens, steps = batch
        states = RowStates(self.engine.spec, len(tokens))
        for _ in range(steps):
            length = np.full(len(tokens), tokens.shape[1])
            outputs = self.engine.advance({"tokens": tokens, "length": length} | states.inputs())
            states.extend(outputs, length)
            newest = outputs["logits"].argmax(1)
            yield newest.tolist()
            tokens = newest[:, None]

    def encode_response(self, output_stream):  # LitServe makes FastAPI's response model of an annotation
        for tokens in output_stream:
            yield [{"token": token} for token in tokens]


if __name__ == "__main__":
    server = LitServer(Api(max_batch_size=ROWS, batch_timeout=0.02, stream=True), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
