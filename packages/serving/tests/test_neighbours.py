"""Requests that cannot be answered never harm those that come with them and share their batch."""

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from processes import Answer, Service, started

JSON = {"Content_Type": "application/json"}
PNG = {"Content_Type": "image/png"}


def noise(height: int, width: int, seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


IMAGES = [(noise(8, 8, seed), PNG) for seed in range(12)]
BAD_IMAGES = [
    (noise(8, 8)[:60], PNG),
    (b"no image", PNG),
    (json.dumps({"inputs": {"image": [[[[1, 2], [3]]]]}}).encode(), JSON),
    (json.dumps({"inputs": {"image": [[[[1] * 8] * 8], [[[1] * 8] * 7]]}}).encode(), JSON),
    (json.dumps({"inputs": {"image": "AAAA"}}).encode(), JSON),
    (b'{"inputs": ', JSON),
]
SERIES = [(json.dumps({"inputs": {"series": [[float(i), 4.0, 9.0]]}}).encode(), JSON) for i in range(12)]
BAD_SERIES = [
    (json.dumps({"inputs": {"series": rows}}).encode(), JSON)
    for rows in ([[1.0], [1.0, 2.0]], [[-1.0, 4.0, 9.0]], [[]], [["one"]], [[[1.0]]], 3, None)
]
"""Ragged, without an answer (a root of -1), empty, text, of another depth, none."""


@pytest.fixture(scope="module")
def service(bundles, tmp_path_factory):
    with started(tmp_path_factory.mktemp("logs") / "log", bundles / "classifier", bundles / "sqrt") as running:
        yield running


def outputs(answer: Answer) -> object:
    return answer.json()["outputs"] if answer.status == 200 else (answer.status, answer.body)


@pytest.mark.parametrize(
    ("model", "good", "bad"),
    [("classifier", IMAGES, BAD_IMAGES), ("sqrt", SERIES, BAD_SERIES)],
    ids=["images", "series"],
)
def test_bad_and_ragged_requests_fail_alone_among_good_ones(service: Service, model, good, bad):
    path = f"/v1/models/{model}/predict"

    def ask(request: tuple[bytes, dict[str, str]]) -> Answer:
        return service.ask("POST", path, request[0], **request[1])

    alone = [outputs(ask(request)) for request in good]
    with ThreadPoolExecutor(len(good) + len(bad)) as pool:
        for wave in range(5):
            order = np.random.default_rng(wave).permutation(len(good) + len(bad))
            answers = dict(zip(order, pool.map(ask, [[*good, *bad][i] for i in order]), strict=True))
            assert [outputs(answers[i]) for i in range(len(good))] == alone
            assert {answers[len(good) + i].status for i in range(len(bad))} <= {400, 415, 422, 500}
