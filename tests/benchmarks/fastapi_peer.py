"""A service that ours is measured beside: the same ONNX model behind FastAPI, as one writes it by hand.

    python fastapi_peer.py BUNDLE PORT

It takes an image file as the body of POST /predict, decodes it with our own `square`, runs the model with ONNX Runtime
under the same options, and answers with the likeliest class and all probabilities. So does litserve_peer.py.
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from torchworks.serving.bundle import Bundle, open_bundle
from torchworks.serving.engine import open_engine
from torchworks.shared.data.fitting import square


class Reader:
    """Bytes of an image to the answer. Batches are whole arrays."""

    def __init__(self, bundle: Bundle, threads: int):
        self.engine = open_engine(bundle, threads=threads)
        spec = bundle.manifest.signature.inputs[0]
        self.channels, self.size = spec.shape[1], spec.shape[2]
        self.labels = bundle.manifest.signature.outputs[0].labels

    def decode(self, body: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(body), formats=["PNG", "JPEG", "WEBP"]) as image:
            return square(image, int(self.channels), int(self.size))

    def run(self, images: np.ndarray) -> np.ndarray:
        return self.engine.run({"image": images})["probability"]

    def answer(self, row: np.ndarray) -> dict:
        return {"label": self.labels[row.argmax()], "probabilities": dict(zip(self.labels, row.tolist(), strict=True))}


def fastapi(bundle: Bundle, port: int) -> None:
    """Plain and well written: the endpoint is no coroutine, so that FastAPI runs it in its thread pool, where decoding
    and the model release the interpreter's lock; the model's own threads are one, as requests run side by side."""
    import uvicorn
    from fastapi import Depends, FastAPI, Request

    reader, app = Reader(bundle, threads=1), FastAPI()

    async def body_of(request: Request) -> bytes:
        return await request.body()

    @app.post("/predict")
    def predict(body: bytes = Depends(body_of)) -> dict:
        return reader.answer(reader.run(reader.decode(body)[None])[0])

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    fastapi(open_bundle(Path(folder)), int(port))
