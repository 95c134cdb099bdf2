"""What the Python client says and reads when a diffusion model draws: options, images, and the steps of a stream.
Imports no torch and sends nothing."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, overload

import httpx2
from PIL import Image

from torchworks.serving import addresses
from torchworks.serving.client.answers import image_of
from torchworks.serving.client.events import EventReader
from torchworks.serving.client.plans import Call, Plan, answered, responded
from torchworks.serving.client.predicting import Picture, picture_file

__all__ = ["DrawOptions", "DrawStep", "Drawn", "Steps", "drawn", "drawn_by_steps"]

PICTURES = ("image", "mask")
SENT_AS = {"prompt": "text"}
"""Models that draw what a text says call it so."""


class DrawOptions(TypedDict, total=False):
    """What is drawn and how; what is left out is as the model's own drawing says."""

    label: str | int | Sequence[str | int]
    """The class, by its name or number; or one for each image."""
    prompt: str | Sequence[str]
    """What a model draws that takes a text."""
    image: Picture
    """An image of which a part is drawn anew, as the next says."""
    mask: Picture
    """An image as large as it, white where that is drawn anew."""
    resamplings: int
    """How often each step of filling a hole is made, so that it fits."""
    n: int
    """Images."""
    seed: int
    """Image i of a seed is always the same one."""
    steps: int
    guidance: float
    """Above 1 the label or prompt is followed more closely, and images differ less."""
    sampler: str


@dataclass(frozen=True)
class Drawn(Sequence[Image.Image]):
    """The images that a model drew. `warnings` name what of a prompt the model has not seen in training."""

    model: str
    version: str
    request_id: str
    images: tuple[Image.Image, ...]
    warnings: tuple[str, ...] = ()

    @property
    def image(self) -> Image.Image:
        """The first image."""
        return self.images[0]

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Image.Image, ...]: ...
    def __getitem__(self, index: int | slice) -> Image.Image | tuple[Image.Image, ...]:
        return self.images[index]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class DrawStep:
    """News of some images of a request, of which `first` is the number of the first: step number `step` of `steps` was
    made, and `images` are what the model predicts them to be; or they are `drawn`, and `images` are they."""

    first: int
    images: tuple[Image.Image, ...]
    step: int
    steps: int
    drawn: bool


class Steps(EventReader[DrawStep]):
    """Reads server-sent events into steps."""

    def __init__(self) -> None:
        super().__init__()
        self._steps = dict[int, int]()

    def is_last(self, event: dict[str, Any]) -> bool:
        return "first" not in event

    def made_of(self, event: dict[str, Any]) -> DrawStep:
        first, drawn = event["first"], "step" not in event
        self._steps[first] = event.get("steps", self._steps.get(first, 0))
        step = self._steps[first] if drawn else event["step"]
        return DrawStep(first, tuple(map(image_of, event["images"])), step, self._steps[first], drawn)


def drawn(model: str, options: DrawOptions, timeout: float) -> Plan[Drawn]:
    """The images as a whole."""
    answer = yield from answered(Call("POST", addresses.model(model, None, "draw"), options=_body(options)), timeout)
    images = tuple(map(image_of, answer["outputs"]["image"]))
    names = (answer["model"], answer["version"], answer["request_id"])
    return Drawn(*names, images, tuple(answer.get("warnings", ())))


def drawn_by_steps(model: str, options: DrawOptions, timeout: float) -> Plan[httpx2.Response]:
    """The response whose events `Steps` reads."""
    body = _body({**options, "stream": True, "previews": True})
    call = Call("POST", addresses.model(model, None, "draw"), options=body, events=True)
    return (yield from responded(call, timeout))


def _body(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the request."""
    given = {SENT_AS.get(name, name): _plain(name, value) for name, value in options.items() if value is not None}
    return {"json": given}


def _plain(name: str, value: Any) -> Any:
    if name in PICTURES:
        return base64.b64encode(picture_file(name, value)).decode("ascii")
    return list(value) if isinstance(value, tuple) else value
