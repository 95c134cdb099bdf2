"""Masks and maps come back as pictures of the size that was sent, with their meaning stated."""

import base64
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from sight_bundles import CONFIDENCE, MASK, METRES, PIXELS, SIDE, picture, tiny
from test_boxes import PREDICT, _through, png, seeing  # noqa: F401

from torchworks.serving import client as typed
from torchworks.serving.export.parity import mean_iou, score_of
from torchworks.serving.export.trained import Samples
from torchworks.serving.monitoring.drift import features
from torchworks.serving.monitoring.record import answer
from torchworks.serving.output_kinds import Painter, colours
from torchworks.serving.parity_rules import compare
from torchworks.shared.data.fitting import Letterbox
from torchworks.shared.models.signature import Signature


def masks(client, values: np.ndarray, model: str = "segmenter", **asked) -> dict:
    head = {"Content-Type": "image/png"}
    response = client.post(PREDICT.format(model), content=png(values), headers=head, **asked)
    assert response.status_code == 200, response.text
    return {name: rows[0] for name, rows in response.json()["outputs"].items()}


def opened(mask: dict | bytes) -> Image.Image:
    return Image.open(io.BytesIO(mask if isinstance(mask, bytes) else base64.b64decode(mask["png"])))


@pytest.mark.parametrize(("width", "height"), [(32, 32), (128, 64), (37, 100)])
def test_a_mask_of_classes_has_the_pictures_size_a_palette_and_the_share_of_each_class(seeing, width, height):  # noqa: F811
    mask = masks(seeing, picture(width, height))["mask"]
    image = opened(mask)
    assert (image.mode, image.size) == ("P", (width, height))
    values = np.asarray(image)
    assert values[0, 0] == PIXELS.index("sky")
    assert values[height - 1, width - 1] == PIXELS.index("land")
    assert values[0, width - 1] == PIXELS.index("background")
    assert sum(mask["shares"].values()) == pytest.approx(1)
    assert mask["shares"]["sky"] == pytest.approx((values == 2).mean(), abs=0.02)
    assert image.convert("RGB").getpixel((width - 1, 0)) == (0, 0, 0)


def test_the_padding_of_a_letterbox_is_in_no_share(seeing):  # noqa: F811
    assert masks(seeing, np.full((16, 160, 3), 250, np.uint8))["mask"]["shares"] == {
        "background": 0,
        "land": 0,
        "sky": 1,
    }


def test_a_map_has_16_bits_between_its_limits(seeing):  # noqa: F811
    depth = masks(seeing, picture(64, 48), "driver")["depth"]
    assert (depth["low"], depth["high"]) == (0, METRES)
    image = opened(depth)
    assert image.size == (64, 48)
    metres = np.asarray(image).astype(float) * METRES / 65535
    assert metres[0, 0] == pytest.approx(METRES * 250 / 255, abs=METRES / 65535)
    assert metres[47, 63] == pytest.approx(METRES * 140 / 255, abs=0.5)


def test_a_mask_of_detections_numbers_those_that_are_listed(seeing):  # noqa: F811
    both = masks(seeing, picture(64, 64), "outliner")
    numbers = [found["number"] for found in both["boxes"]]
    assert sorted(set(np.unique(np.asarray(opened(both["instance"])))) - {0}) == sorted(numbers)
    one = masks(seeing, picture(64, 64), "outliner", params={"least_score": 0.9})
    assert np.unique(np.asarray(opened(one["instance"]))).tolist() == [0, one["boxes"][0]["number"]]


def test_who_accepts_a_picture_gets_the_first_mask(seeing):  # noqa: F811
    head = {"Content-Type": "image/png", "Accept": "image/png"}
    answer = seeing.post(PREDICT.format("segmenter"), content=png(picture(50, 20)), headers=head)
    assert answer.headers["Content-Type"] == "image/png"
    assert opened(answer.content).size == (50, 20)
    refused = seeing.post(PREDICT.format("finder"), content=png(picture()), headers=head)
    assert refused.status_code == 422


def test_numbers_are_answered_in_the_models_pixels(seeing):  # noqa: F811
    square = picture().transpose(2, 0, 1)
    answer = seeing.post(PREDICT.format("segmenter"), json={"inputs": {"image": [square.tolist()]}}).json()
    assert opened(answer["outputs"]["mask"][0]).size == (SIDE, SIDE)
    tensor = {"name": "image", "shape": [1, 3, SIDE, SIDE], "datatype": "UINT8", "data": square.reshape(-1).tolist()}
    outputs = seeing.post("/v2/models/segmenter/infer", json={"inputs": [tensor]}).json()["outputs"]
    assert [(output["datatype"], output["shape"]) for output in outputs] == [
        ("UINT8", [1, SIDE, SIDE]),
        ("FP32", [1, SIDE, SIDE]),
    ]


def test_the_description_says_what_the_pixels_are(seeing):  # noqa: F811
    document = seeing.get("/openapi.json").json()["paths"]["/v1/models/driver/predict"]["post"]["responses"]["200"]
    outputs = document["content"]["application/json"]["schema"]["properties"]["outputs"]["properties"]
    assert list(outputs) == ["boxes", "mask", "depth"]
    assert "numbers of classes" in outputs["mask"]["items"]["properties"]["png"]["description"]
    assert outputs["depth"]["items"]["properties"]["high"] == {"const": METRES}
    assert "image/png" in document["content"]
    assert seeing.get("/v1/models/driver").json()["colors"]["background"] == "#000000"


def test_the_typed_client_gives_masks_and_maps(seeing):  # noqa: F811
    with typed.Client("http://127.0.0.1", transport=_through(seeing)) as service:
        row = service.model("driver").predict(image=png(picture(64, 32)))[0]
    assert row["mask"].labels == PIXELS
    assert row["mask"].values.shape == row["depth"].shape == (32, 64)
    assert row["depth"].dtype == np.float32
    assert row["depth"][0, 0] == pytest.approx(METRES * 250 / 255, abs=1e-2)
    assert row["mask"].shares["background"] > 0.5


def test_the_log_tells_the_largest_classes_and_the_limit_of_maps():
    values = np.zeros((1, 10, 10), np.uint8)
    values[0, 0], values[0, 1, :5] = 2, 1
    outputs = {"mask": values, "confidence": np.full((1, 10, 10), 0.98, np.float32)}
    told = answer(tiny(MASK, CONFIDENCE).signature, outputs)
    assert told == "background (85 %) sky (10 %) land (5 %); confidence up to 0.98"


def test_drift_follows_the_share_of_each_class(signature):
    values = np.zeros((2, SIDE, SIDE), np.uint8)
    values[1, :16] = 2
    columns = features(signature, {"image": np.zeros((2, 3, SIDE, SIDE), np.uint8)}, {"mask": values})
    assert columns["output.mask.sky"][0].tolist() == [0, 0.5]
    assert columns["output.mask.background"][0].tolist() == [1, 0.5]


# ---- the same pixels -----------------------------------------------------------------------------------------


@pytest.fixture
def signature() -> Signature:
    return tiny(MASK).signature


def test_a_pixel_in_a_thousand_may_flip(signature):
    wanted = {"mask": np.zeros((4, SIDE, SIDE), np.uint8)}
    for count, fine in ((4, True), (5, False)):
        found = {"mask": wanted["mask"].copy()}
        found["mask"].reshape(-1)[:count] = 1
        (same,) = compare(signature, wanted, found, 1e-4)
        assert same.same is fine
        assert same.share == 1 - count / wanted["mask"].size


def test_classes_of_pixels_are_scored_by_mean_iou_and_what_is_no_class_does_not_count(signature):
    target = np.zeros((1, 4, 4), np.uint8)
    target[0, :2], target[0, 3] = 1, 255
    found = np.zeros((1, 4, 4), np.uint8)
    found[0, 0] = 1
    score = score_of(signature, {"mask": found}, Samples({"image": target}, {"mask": target}, "made up"), {})
    assert (score.name, score.better) == ("mean IoU", 1)
    assert score.value == pytest.approx((4 / 8 + 4 / 8) / 2)
    assert mean_iou(target, np.where(target == 255, 2, target), 3) == pytest.approx(1)
    near = score_of(signature, {"mask": found}, Samples({"image": target}, {}, "made up"), {"mask": found})
    assert (near.name, near.value) == ("mean IoU with the trained model's masks", 1)


def test_a_map_of_a_picture_is_that_of_its_square_at_the_nearest_pixel():
    box = Letterbox(64, 32, 16)
    square = np.arange(256, dtype=np.uint8).reshape(16, 16)
    back = box.map_back(square)
    assert back.shape == (32, 64)
    np.testing.assert_array_equal(back[::4, ::4], square[:8])
    assert Letterbox(5, 900, 16).map_back(square).shape == (900, 5)


def test_a_palette_survives_any_number_of_classes():
    labels = tuple(f"class {i}" for i in range(200))
    spec = type(MASK)("mask", "mask", "uint8", ("N", 16, 16), labels=labels)
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    painted = Painter(spec, colours(Signature((), (spec,)))).png(values, None)
    np.testing.assert_array_equal(np.asarray(opened(painted)), values)
