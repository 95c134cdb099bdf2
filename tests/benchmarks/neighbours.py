"""Whether bad requests harm the good ones that come with them and share their batch.

Each wave sends good requests and bad ones at the same moment: a file that is cut off, one that is none, and an image of
another shape, which ragged batches stumble over where images are stacked as they come.
"""

import asyncio
import io
import json
from base64 import b64encode
from collections import Counter

import numpy as np
from load import Call, Connections, message
from PIL import Image

WAVES, GOOD = 20, 12


def bad_bodies() -> dict[str, bytes]:
    """Files that are no images, and one of another shape, by what is wrong with them."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 51, 3), dtype=np.uint8)).save(file, "PNG")
    whole = file.getvalue()
    return {"cut off": whole[: len(whole) // 2], "no image": b"no image", "another shape": whole}


def bad_messages(url: str, *, as_json: bool) -> list[bytes]:
    """As the service at `url` takes images: as they are, or in base64 within JSON."""
    if not as_json:
        return [message(url, body, "image/png") for body in bad_bodies().values()]
    texts = [json.dumps({"image": b64encode(body).decode()}).encode() for body in bad_bodies().values()]
    return [message(url, text, "application/json") for text in [*texts, b'{"image": [[1], [2, 3]]}']]


async def answered_beside(url: str, calls: list[Call], bad: list[bytes]) -> Counter[str]:
    """How many good requests came back "right", and how many were "harmed"."""
    connections, found = Connections(url), Counter[str]()
    try:
        for wave in range(WAVES):
            good = [calls[(GOOD * wave + i) % len(calls)] for i in range(GOOD)]
            order = np.random.default_rng(wave).permutation(len(good) + len(bad))
            sent = [*(call.message for call in good), *bad]
            asked = [asyncio.ensure_future(connections.ask(sent[i])) for i in order]
            answers = dict(zip(order, await asyncio.gather(*asked, return_exceptions=True), strict=True))
            for i, call in enumerate(good):
                answer = answers[i]
                right = not isinstance(answer, BaseException) and answer[0] == 200 and call.right(answer[1])
                found["right" if right else "harmed"] += 1
    finally:
        await connections.close()
    return found
