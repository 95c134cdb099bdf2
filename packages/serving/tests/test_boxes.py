"""A detector answers with boxes in the pixels of the picture that was sent, whatever its shape and how it was sent."""

import base64
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from safetensors.numpy import load_file, save

sys.path.insert(0, str(Path(__file__).parent))

import sight_bundles
from sight_bundles import CELL, COUNT, INSTANCE, SIDE, THINGS, picture, tiny, write_seeing

from torchworks.serving import client as typed
from torchworks.serving.app import create_app
from torchworks.serving.bundle import BUNDLE, open_bundle, read_bundle
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export.parity import closeness, detection_f1, score_of
from torchworks.serving.export.trained import Samples
from torchworks.serving.limits import Settings
from torchworks.serving.monitoring.drift import features
from torchworks.serving.monitoring.record import answer
from torchworks.serving.output_kinds import colours, detections
from torchworks.serving.parity_rules import compare
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Letterbox
from torchworks.shared.models.manifest import GOLDEN, FileEntry
from torchworks.shared.models.signature import Signature

PREDICT = "/v1/models/{}/predict"


@pytest.fixture(scope="module")
def seeing(tmp_path_factory) -> Iterator[TestClient]:
    """A service with all models that see."""
    folder, settings = tmp_path_factory.mktemp("seeing"), Settings()
    registry = Registry(settings)
    for name in sight_bundles.SEEING:
        registry.add(ServedModel.load(write_seeing(name, folder / name), settings))
    with TestClient(create_app(registry, settings), client=("127.0.0.1", 1)) as client:
        yield client


def png(values: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", **options)
    return file.getvalue()


def found_in(client: TestClient, data: bytes, model: str = "finder", **asked) -> list[dict]:
    response = client.post(PREDICT.format(model), content=data, headers={"Content-Type": "image/png"}, **asked)
    assert response.status_code == 200, response.text
    return response.json()["outputs"]["boxes"][0]


def test_a_square_picture_of_the_models_size_gets_the_models_boxes(seeing):
    first, second = found_in(seeing, png(picture()))
    assert first == {"label": "bird", "score": pytest.approx(250 / 255), "box": [0, 0, CELL, CELL], "number": 1}
    assert second["label"] == "car"
    assert second["box"] == [SIDE - CELL, SIDE - CELL, SIDE, SIDE]
    assert second["number"] == COUNT


@pytest.mark.parametrize(("width", "height"), [(64, 64), (128, 64), (640, 480), (100, 37), (20, 20)])
def test_boxes_are_in_the_pixels_of_the_picture_that_was_sent(seeing, width, height):
    boxes = [found["box"] for found in found_in(seeing, png(picture(width, height)))]
    assert boxes, "the bright corner must be found"
    box = Letterbox(width, height, SIDE)
    x, y = (CELL / scale for scale in box.scales)
    assert boxes[0] == pytest.approx([0, 0, min(x, width), min(y, height)], rel=1e-5)
    assert max(x2 for _, _, x2, _ in boxes) <= width
    assert max(y2 for *_, y2 in boxes) <= height


def test_every_way_of_sending_a_picture_gives_the_same_boxes(seeing):
    data = png(picture(96, 48))
    wanted = found_in(seeing, data)
    form = seeing.post(PREDICT.format("finder"), files={"image": ("a.png", data, "image/png")}).json()
    text = {"inputs": {"image": base64.b64encode(data).decode()}}
    as_json = seeing.post(PREDICT.format("finder"), json=text).json()
    assert form["outputs"]["boxes"] == as_json["outputs"]["boxes"] == [wanted]


def test_each_of_several_pictures_has_its_own_pixels(seeing):
    files = [base64.b64encode(png(picture(*size))).decode() for size in ((32, 32), (320, 160))]
    small, large = seeing.post(PREDICT.format("finder"), json={"inputs": {"image": files}}).json()["outputs"]["boxes"]
    assert small[0]["box"] == [0, 0, CELL, CELL]
    assert large[0]["box"] == [0, 0, 10 * CELL, 10 * CELL]


def test_a_picture_lying_on_its_side_is_answered_upright(seeing):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    boxes = [found["box"] for found in found_in(seeing, png(picture(128, 64), exif=exif))]
    assert max(x2 for _, _, x2, _ in boxes) <= 64
    assert max(y2 for *_, y2 in boxes) <= 128
    assert boxes[0][2] == pytest.approx(64)  # the bright corner is at the upper right now


def test_numbers_and_the_open_inference_protocol_are_answered_in_the_models_pixels(seeing):
    square = picture().transpose(2, 0, 1)
    (found,) = seeing.post(PREDICT.format("finder"), json={"inputs": {"image": [square.tolist()]}}).json()["outputs"][
        "boxes"
    ]
    assert found[0]["box"] == [0, 0, CELL, CELL]
    tensor = {
        "name": "image",
        "shape": [1],
        "datatype": "BYTES",
        "data": [base64.b64encode(png(picture(320, 320))).decode()],
    }
    answer = seeing.post("/v2/models/finder/infer", json={"inputs": [tensor]}).json()["outputs"]
    shapes = {output["name"]: (output["datatype"], output["shape"]) for output in answer}
    assert shapes == {"boxes": ("FP32", [1, COUNT, 4]), "score": ("FP32", [1, COUNT]), "label": ("INT64", [1, COUNT])}
    boxes = np.array(answer[0]["data"]).reshape(COUNT, 4)
    assert boxes[0].tolist() == [0, 0, CELL, CELL]


def test_detections_of_a_low_score_can_be_left_out_and_nonsense_is_refused(seeing):
    data = png(picture())
    assert [found["label"] for found in found_in(seeing, data, params={"least_score": "0.9"})] == ["bird"]
    assert len(found_in(seeing, data, params={"least_score": "0.5"})) == 2
    for nonsense in ("two", "2", "-1", "nan", "inf"):
        address, head = PREDICT.format("finder") + f"?least_score={nonsense}", {"Content-Type": "image/png"}
        refused = seeing.post(address, content=data, headers=head)
        assert refused.status_code == 422, nonsense
        assert "from 0 to 1" in refused.json()["error"]["message"]


def test_a_picture_without_anything_is_answered_with_an_empty_list(seeing):
    assert found_in(seeing, png(np.zeros((40, 70, 3), np.uint8))) == []


def test_jobs_and_streams_answer_in_the_pictures_pixels_too(seeing):
    files = [base64.b64encode(png(picture(320, 160))).decode()] * 20
    job = seeing.post("/v1/models/finder/jobs", json={"inputs": {"image": files}}).json()
    assert "done" in [
        json.loads(line[6:])["state"] for line in seeing.get(job["links"]["events"]).text.split("\n\n") if line
    ]
    result = seeing.get(job["links"]["result"], params={"least_score": 0.9}).json()["outputs"]["boxes"]
    assert [[found["box"] for found in row] for row in result] == [[[0, 0, 80, 80]]] * 20
    streamed = seeing.post("/v1/models/finder/stream?least_score=0.9", json={"inputs": {"image": files[:3]}}).text
    assert json.loads(streamed.split("\n\n")[0][6:])["outputs"]["boxes"] == result[:3]


def test_the_description_tells_where_boxes_are_and_its_examples_work(seeing):
    document = seeing.get("/openapi.json").json()
    operation = document["paths"]["/v1/models/finder/predict"]["post"]
    (least,) = operation["parameters"]
    assert least["name"] == "least_score"
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    boxes = schema["properties"]["outputs"]["properties"]["boxes"]
    assert "pixels of that picture" in boxes["description"]
    assert list(schema["properties"]["outputs"]["properties"]) == ["boxes"]
    assert boxes["items"]["items"]["properties"]["label"]["enum"] == list(THINGS)
    for example in operation["requestBody"]["content"]["application/json"]["examples"].values():
        assert seeing.post(PREDICT.format("finder"), json=example["value"]).status_code == 200


def test_the_typed_client_gives_detections(seeing):
    with typed.Client("http://127.0.0.1", transport=_through(seeing)) as service:
        rows = service.model("finder").predict(image=picture(320, 160).transpose(2, 0, 1)[:, :32, :32])
        assert [type(found) for found in rows[0]] == [typed.Detection] * len(rows[0])
        found = service.model("outliner").predict(image=png(picture(64, 64)))[0]
        sure = service.model("outliner").predict(image=png(picture(64, 64)), least_score=0.9)[0]
    assert found["boxes"][0] == typed.Detection("bird", pytest.approx(0.97, abs=0.02), (0, 0, 16, 16), 1)
    assert sure["boxes"] == [each for each in found["boxes"] if each.score >= 0.9] != found["boxes"]
    assert (found["instance"].values == 1).sum() == 16 * 16


def _through(client: TestClient):
    import httpx2

    class Within(httpx2.BaseTransport):
        def handle_request(self, request):
            answer = client.request(
                request.method, str(request.url), content=request.read(), headers=dict(request.headers)
            )
            return httpx2.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)

    return Within()


def test_the_module_for_one_model_names_the_type_of_its_rows(seeing, tmp_path):
    source = typed.stub(read_bundle(write_seeing("finder", tmp_path / "finder")))
    assert "Prediction[list[Detection]]" in source
    assert "least_score: float | None = None" in source
    compile(source, "finder.py", "exec")


# ---- watching ------------------------------------------------------------------------------------------------


def test_the_log_tells_what_was_found_in_a_few_words(arrays):
    signature, outputs = arrays(1)
    assert answer(signature, outputs) == "bird (1) car (1)"


def test_drift_follows_how_many_things_are_found_and_which(arrays):
    signature, outputs = arrays(2)
    columns = features(signature, {"image": np.zeros((2, 3, SIDE, SIDE), np.uint8)}, outputs)
    told = {name: column for name, column in columns.items() if name.startswith("output.")}
    assert set(told) == {"output.boxes.count", "output.boxes.top", "output.boxes.class"}
    assert told["output.boxes.count"][0].tolist() == [2, 14]
    numbers, names = told["output.boxes.class"]
    assert [names[number] for number in numbers] == ["bird", "bird"]
    nothing = {name: np.zeros_like(value) for name, value in outputs.items()} | {"label": outputs["label"] * 0 - 1}
    numbers, names = features(signature, {"image": np.zeros((2, 3, 8, 8), np.uint8)}, nothing)["output.boxes.class"]
    assert [names[number] for number in numbers] == ["nothing", "nothing"]
    assert answer(signature, nothing) == "nothing, nothing"


# ---- the same boxes ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def arrays(tmp_path_factory) -> Callable:
    """The signature of a finder or outliner, and its outputs for its golden example."""
    folders = {name: write_seeing(name, tmp_path_factory.mktemp("arrays") / name) for name in ("finder", "outliner")}

    def made(rows: int, name: str = "finder") -> tuple[Signature, dict[str, np.ndarray]]:
        bundle = open_bundle(folders[name])
        return bundle.manifest.signature, {key: value[:rows].copy() for key, value in bundle.golden()[1].items()}

    return made


def test_detections_in_another_order_are_the_same_and_so_are_their_masks(arrays):
    signature, wanted = arrays(2, "outliner")
    order = np.random.default_rng(0).permutation(COUNT)
    found = {name: value[:, order] for name, value in wanted.items() if name != "instance"}
    number = np.zeros(COUNT + 1, np.uint8)
    number[1 + order] = 1 + np.arange(COUNT)
    found["instance"] = number[wanted["instance"]]
    assert [each.share for each in compare(signature, wanted, found, 1e-4)] == [1.0, 1.0]
    assert all(each.same for each in compare(signature, wanted, found, 1e-4))
    assert closeness(signature, wanted, found).agreement == 1


@pytest.mark.parametrize(
    ("output", "change"), [("boxes", 0.5), ("score", 0.1), ("label", 1)], ids=["moved", "less sure", "another class"]
)
def test_two_detections_that_differ_are_found_out_and_one_may(arrays, output, change):
    signature, wanted = arrays(2)
    detected = np.argwhere(wanted["label"] >= 0)
    for count, fine in ((1, True), (2, False)):
        found = {name: value.copy() for name, value in wanted.items()}
        for image, row in detected[:count]:
            found[output][image, row] = found[output][image, row] + change
        (boxes,) = compare(signature, wanted, found, 1e-4)
        assert boxes.share == pytest.approx(1 - count / len(detected))
        assert boxes.same is fine


def test_boxes_may_move_by_a_hundredth_of_a_pixel(arrays):
    signature, wanted = arrays(2)
    found = wanted | {"boxes": wanted["boxes"] + np.float32(0.005)}
    (boxes,) = compare(signature, wanted, found, 1e-4)
    assert boxes.same
    assert boxes.largest == pytest.approx(0.005, rel=1e-3)


def test_a_bundle_that_finds_other_boxes_than_its_golden_example_says_is_not_served(tmp_path):
    folder = write_seeing("finder", tmp_path / "finder")
    golden = load_file(folder / GOLDEN)
    golden["output.boxes"] = golden["output.boxes"] + np.float32(1)
    (folder / GOLDEN).write_bytes(save(golden))
    manifest = json.loads((folder / BUNDLE).read_text())
    manifest["files"] = [vars(FileEntry.of(folder / entry["name"])) for entry in manifest["files"]]
    (folder / BUNDLE).write_text(json.dumps(manifest))
    bundle = open_bundle(folder)
    with pytest.raises(UserError, match=r"0\.00% of 16 detections are the same"):
        check_golden(bundle, open_engine(bundle))


def test_a_smaller_detector_is_judged_by_the_boxes_of_the_trained_one(arrays):
    signature, wanted = arrays(2)
    samples = Samples({"image": np.zeros((2, 1))}, {}, "made up")
    assert score_of(signature, wanted, samples, wanted).value == 1
    half = {name: value.copy() for name, value in wanted.items()}
    half["label"][0] = -1
    score = score_of(signature, half, samples, wanted)
    assert score.name == "F1 with the trained model's detections"
    assert score.value == pytest.approx(2 * 14 / (14 + 16))
    found = detections(signature)
    nothing = wanted | {"label": np.full_like(wanted["label"], -1)}
    assert detection_f1(found, nothing, nothing) == 1
    assert detection_f1(found, wanted, nothing) == 0


def test_outputs_belong_together_by_kind_and_shape_whatever_their_names():
    signature = tiny(*sight_bundles.SEEING["driver"]).signature
    assert detections(signature).names == ("boxes", "score", "label")
    alone = Signature(signature.inputs, (sight_bundles.BOXES, INSTANCE))
    assert detections(alone) is None
    assert list(colours(signature)) == [*THINGS, *sight_bundles.PIXELS]
    assert colours(signature)["background"] == "#000000"
