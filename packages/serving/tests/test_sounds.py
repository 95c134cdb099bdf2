"""Sound files are heard at the model's rate, and sound that a model gives is played; others are refused with the
reason."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parent))

import sound_bundles
from sound_bundles import RATE

from torchworks.serving.app import create_app
from torchworks.serving.bundle import read_bundle
from torchworks.serving.client import Client, Sound, stub
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.monitoring.drift import features
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.data.sounds import read_sound, wav_bytes

PREDICT = "/v1/models/softener/predict"
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return sound_bundles.write("softener", tmp_path_factory.mktemp("sounds") / "softener")


@pytest.fixture(scope="module")
def service(bundle) -> Iterator[TestClient]:
    settings = Settings(limits=Limits(sound_seconds=2))
    registry = Registry(settings)
    registry.add(ServedModel.load(bundle, settings))
    with TestClient(create_app(registry, settings)) as client:
        yield client


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def heard(row: str) -> Sound:
    return read_sound(base64.b64decode(row))


def asked(service, audio: object) -> dict:
    answer = service.post(PREDICT, json={"inputs": {"audio": audio}})
    assert answer.is_success, answer.text
    return answer.json()["outputs"]


def refused(service, audio: object) -> tuple[int, str]:
    answer = service.post(PREDICT, json={"inputs": {"audio": audio}})
    return answer.status_code, answer.json()["error"]["message"]


def test_a_length_beyond_what_was_sent_is_refused(service):
    answer = service.post("/v1/models/softener/predict", json={"inputs": {"audio": [[0.1, 0.2]], "length": [5]}})
    assert answer.status_code == 422
    assert "'length' says 5, but the rows of 'audio' have 2 at most" in answer.json()["error"]["message"]


def test_a_sound_is_answered_with_a_sound(service):
    outputs = asked(service, base64_of(wav_bytes(TONE, RATE)))
    soft = heard(outputs["soft"][0])
    assert soft.rate == RATE
    assert np.abs(soft.samples - TONE / 2).max() < 1e-4
    assert outputs["level"][0]["mean level"] == pytest.approx(np.abs(TONE).mean(), abs=1e-4)


def test_sounds_of_several_lengths_are_answered_without_their_padding(service):
    rows = asked(service, [base64_of(wav_bytes(TONE, RATE)), base64_of(wav_bytes(TONE[:100], RATE))])
    assert [len(heard(row).samples) for row in rows["soft"]] == [len(TONE), 100]
    assert rows["level"][1]["mean level"] == pytest.approx(np.abs(TONE[:100]).mean(), abs=1e-4)


@pytest.mark.parametrize("kind", ["audio/wav", "audio/x-wav"])
def test_a_file_is_a_body_of_its_own_and_a_wav_file_may_be_the_answer(service, kind):
    answer = service.post(PREDICT, content=wav_bytes(TONE, RATE), headers={"Content-Type": kind, "Accept": "audio/wav"})
    assert answer.headers["content-type"] == "audio/wav"
    assert np.abs(read_sound(answer.content).samples - TONE / 2).max() < 1e-4


def test_a_form_takes_files(service):
    files = [("audio", ("a.wav", wav_bytes(part, RATE), "audio/wav")) for part in (TONE, TONE[:50])]
    rows = service.post(PREDICT, files=files).json()["outputs"]["soft"]
    assert [len(heard(row).samples) for row in rows] == [len(TONE), 50]


def test_another_rate_is_brought_to_the_models_and_a_lower_one_is_told(service):
    high = np.repeat(TONE, 2)
    assert len(heard(asked(service, base64_of(wav_bytes(high, 2 * RATE)))["soft"][0]).samples) == len(TONE)
    answer = service.post(PREDICT, json={"inputs": {"audio": base64_of(wav_bytes(TONE, RATE // 2))}}).json()
    assert len(heard(answer["outputs"]["soft"][0]).samples) == 2 * len(TONE)
    assert "misses what is above 2000 Hz" in answer["warnings"][0]


def test_flac_is_taken_too(service):
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, TONE, RATE, format="FLAC")
    answer = service.post(PREDICT, content=file.getvalue(), headers={"Content-Type": "audio/flac"})
    assert np.abs(heard(answer.json()["outputs"]["soft"][0]).samples - TONE / 2).max() < 1e-4


def test_numbers_are_samples(service):
    rows = asked(service, [[0.5, -0.5, 0.25], [1.0]])
    assert [heard(row).samples.round(3).tolist() for row in rows["soft"]] == [[0.25, -0.25, 0.125], [0.5]]


@pytest.mark.parametrize(
    ("audio", "status", "said"),
    [
        ("!!!", 422, "A sound in JSON must be a file's bytes in base64"),
        (base64_of(b"no sound"), 415, "The sound cannot be used: it is neither a WAV nor a FLAC file."),
        (base64_of(wav_bytes(TONE, RATE)[:500]), 422, "it is cut off"),
        (base64_of(wav_bytes(np.zeros(3 * RATE), RATE)), 413, "it lasts 3.0 s, and at most 2 s are allowed"),
        ([base64_of(wav_bytes(np.zeros(int(1.2 * RATE)), RATE))] * 2, 413, "Sound 2 is too long"),
        ([0.0] * (2 * RATE + 1), 413, "16001 samples, but this service reads 16000 at most"),
        ([[0.0, 2.0]], 422, "at most 1"),
        ([], 422, "must have the shape (N, L)"),
        (5, 422, "must be"),
        ([None], 422, "must be"),
        ([[None]], 422, "must be"),
    ],
)
def test_what_is_no_sound_is_refused_with_the_reason(service, audio, status, said):
    found, message = refused(service, audio)
    assert found == status, message
    assert said in message


def test_one_long_sound_does_not_make_all_rows_long(service):
    long, rows = [0.0] * (2 * RATE), [[0.1]] * 63
    assert len(asked(service, [long, *rows])["soft"]) == 64  # within the limit of padding


def test_the_description_tells_of_files_and_its_examples_work(service):
    schema = service.get("/openapi.json").json()
    posted = schema["paths"][PREDICT]["post"]
    body = posted["requestBody"]["content"]
    assert {"application/json", "audio/wav", "audio/flac", "multipart/form-data"} <= body.keys()
    assert {"application/json", "audio/wav"} <= posted["responses"]["200"]["content"].keys()
    example = service.get("/v1/models/softener").json()["examples"][0]
    Draft202012Validator(body["application/json"]["schema"]).validate(example)
    assert len(heard(service.post(PREDICT, json=example).json()["outputs"]["soft"][0]).samples) == 16
    page = service.get("/docs").text
    assert "sound.wav" in page
    assert len(read_sound(service.get("/docs/softener/sound.wav").content).samples) == 16


def test_the_open_inference_protocol_takes_files_as_bytes(service):
    tensor = {"name": "audio", "shape": [1], "datatype": "BYTES", "data": [base64_of(wav_bytes(TONE, RATE))]}
    answer = service.post("/v2/models/softener/infer", json={"inputs": [tensor]}).json()
    soft = next(each for each in answer["outputs"] if each["name"] == "soft")
    assert soft["shape"] == [1, len(TONE)]


def test_the_client_sends_files_and_arrays_and_gives_sounds(service, tmp_path):
    (tmp_path / "tone.wav").write_bytes(wav_bytes(TONE, RATE))
    with Client("http://testserver", transport=service._transport) as client:
        model = client.model("softener")
        for given in (tmp_path / "tone.wav", wav_bytes(TONE, RATE), TONE[None]):
            (row,) = model.predict(audio=given)
            assert isinstance(row["soft"], Sound)
            assert np.abs(row["soft"].samples - TONE / 2).max() < 1e-4


def test_what_is_watched_of_sounds_is_their_length_and_level():
    rows = np.zeros((2, 100), np.float32)
    rows[0, :50] = 0.5
    rows[1] = np.tile([0.1, -0.1], 50)
    length = np.array([50, 100])
    signature = sound_bundles.softener().signature
    outputs = {"soft": rows, "soft_length": length, "level": np.ones((2, 1), np.float32)}
    watched = features(signature, {"audio": rows, "length": length}, outputs)
    found = {name.removeprefix("input.audio."): values.tolist() for name, (values, _) in watched.items()}
    assert found["length"] == [50, 100]
    assert found["level"] == pytest.approx([0.5, 0.1], rel=0.05)
    assert found["sign_changes"] == pytest.approx([0, 0.99], abs=0.05)


def test_the_stub_for_editors_is_right_python(bundle, tmp_path):
    source = stub(read_bundle(bundle))
    assert "audio: Path | bytes | ndarray | Sequence[Path | bytes | ndarray]" in source
    compile(source, "stub", "exec")


def test_letters_with_times_are_answered_as_words(tmp_path):
    settings = Settings()
    registry = Registry(settings)
    registry.add(ServedModel.load(sound_bundles.write("speller", tmp_path / "speller"), settings))
    with TestClient(create_app(registry, settings)) as client:
        sent = {"inputs": {"sign": [[2, 3, 1, 1, 4], [0, 0], [1, 4, 0, 4]]}}
        answer = client.post("/v1/models/speller/predict", json=sent)
        schema = client.get("/openapi.json").json()["paths"]["/v1/models/speller/predict"]["post"]
    first, second, third = answer.json()["outputs"]["letters"]
    assert answer.json()["outputs"].keys() == {"letters"}
    assert (first["text"], second, third["text"]) == ("ab c", {"text": "", "words": []}, "cc")
    assert [(each["word"], round(each["seconds"], 3)) for each in first["words"]] == [("ab", 0.1), ("c", 0.5)]
    described = schema["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator(described).validate(answer.json())


def test_nothing_else_is_loaded_for_sounds(bundle):
    """A service without models of sound needs neither soundfile nor SciPy."""
    code = (
        "import sys, torchworks.serving.codecs; "
        "print([name for name in ('soundfile', 'scipy', 'torch') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(said.replace("'", '"')) == []
