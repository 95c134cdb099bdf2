"""The address of drawing in the OpenAPI document."""

from typing import Any

from torchworks.serving.denoising.requests import MOST_RESAMPLINGS, RESAMPLINGS

Schema = dict[str, Any]
FILE: Schema = {"type": "string", "contentEncoding": "base64"}


def request(drawn: Schema) -> Schema:
    """Of `draw`, where `drawn` is the schema of the inputs of images that are drawn by a seed."""
    own: Schema = {
        "image": FILE | {"description": "A PNG, JPEG or WEBP file in base64, of which a part is drawn anew."},
        "mask": FILE | {"description": "An image as large as the other, white where that is drawn anew."},
        "resamplings": {"type": "integer", "minimum": 1, "maximum": MOST_RESAMPLINGS, "default": RESAMPLINGS},
        "stream": {"type": "boolean", "default": False, "description": "Answer by server-sent events."},
        "previews": {"type": "boolean", "default": False, "description": "Each step with the predicted image."},
    }
    together = {"dependentRequired": {"image": ["mask"], "mask": ["image"], "resamplings": ["image"]}}
    return drawn | {"properties": drawn["properties"] | own, "required": []} | together


def form(body: Schema) -> Schema:
    """The same as a form, in which images are files."""
    files = {name: {"type": "string", "format": "binary"} for name in ("image", "mask")}
    return body | {"properties": body["properties"] | files}
