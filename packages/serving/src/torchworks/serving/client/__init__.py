"""A typed client of the service (needs the extra `serving[client]`). Imports no torch.

    with Client("http://127.0.0.1:8000") as client:
        digits = client.model("classify")
        digits.predict(image=Path("seven.png"))[0].label                    # "7"
        [row.label for row in digits.predict(image=["1.png", "2.png"])]     # one request
        client.generate("lm", "To be", max_tokens=40).text                  # " or not to be …"
        for piece in client.stream("lm", "To be", max_tokens=40):           # as it is written
            print(piece.text, end="")
        with client.model("hear").session() as session:                     # a recurrent model, piece by piece
            session.send(audio=Path("chunk.wav"))[0]
        client.draw("flow", label="7", steps=12).image.save("seven.png")

Inputs are checked against the model's signature before anything is sent. `AsyncClient` has the same methods to await.
Each call is a plan: a generator that yields what is to be sent, or seconds to wait, and gets what came back. The two
clients differ only in how they carry a plan out.
"""

from torchworks.serving.client.answers import Card, Classification, Detection, Findings, Mask, Prediction, Ranked
from torchworks.serving.client.clients import AsyncClient, AsyncModel, AsyncSession, Client, Model, Session
from torchworks.serving.client.drawing import Drawn, DrawOptions, DrawStep
from torchworks.serving.client.errors import ServiceError
from torchworks.serving.client.generation import Generated, GeneratedText, GenerateOptions, TextPiece
from torchworks.serving.client.predicting import Picture, Value
from torchworks.serving.client.streams import AsyncDrawStream, AsyncTextStream, DrawStream, TextStream
from torchworks.serving.client.stubs import stub
from torchworks.shared.data.sounds import Sound

__all__ = [
    "AsyncClient",
    "AsyncDrawStream",
    "AsyncModel",
    "AsyncSession",
    "AsyncTextStream",
    "Card",
    "Classification",
    "Client",
    "Detection",
    "DrawOptions",
    "DrawStep",
    "DrawStream",
    "Drawn",
    "Findings",
    "GenerateOptions",
    "Generated",
    "GeneratedText",
    "Mask",
    "Model",
    "Picture",
    "Prediction",
    "Ranked",
    "ServiceError",
    "Session",
    "Sound",
    "TextPiece",
    "TextStream",
    "Value",
    "stub",
]  # fmt: skip
