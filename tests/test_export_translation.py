"""A model that translates becomes a bundle whose service answers, by `generate`, what `seq-models translate` prints."""

import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.seq_models", reason="needs the package that trains these nets")

sys.path.insert(0, str(Path(__file__).parent))

from text_service import run, served

from torchworks.seq_models.generation.generate import complete
from torchworks.shared.models.predictor import load_predictor
from torchworks.shared.text import from_json
from torchworks.shared.text.sampling import Sampling

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
TEXTS = [
    "four hundred and six", "twenty-one", "the third of May nineteen ninety-nine", "half past three in the morning",
    "nine hundred and ninety-nine thousand one hundred and eleven, seven",
]  # fmt: skip
TINY = [
    "--data", "numbers:train=600,test=40", "--steps", "60", "--trainer.batch-size", "16", "--net.embed-dim", "32",
    "--net.hidden-dim", "32", "--net.attention-dim", "16", "--net.ff-dim", "48", "--optim.lr", "1e-2",
    "--optim.warmup", "5", "--pictured", "0", "--precision", "fp32", "--longest", "32",
]  # fmt: skip


def answers(client: TestClient, recipe: str, **options) -> list[str]:
    found = client.post(f"/v1/models/{recipe}/generate", json={"prompts": TEXTS, **options})
    assert found.status_code == 200, found.text
    return [each["text"] for each in found.json()["texts"]]


@pytest.mark.parametrize(
    ("recipe", "form"),
    [
        pytest.param("translate", "onnx", marks=pytest.mark.slow),
        pytest.param("translate-gru", "onnx", marks=pytest.mark.long),
        pytest.param("translate", "safetensors", marks=pytest.mark.slow),
    ],
)
def test_a_service_translates_as_the_command_does(tmp_path, recipe, form):
    """Token by token, several texts of different lengths in one batch, and one text alone in a stream."""
    run("train", recipe, "--out", tmp_path / "run", *TINY)
    wanted = run("translate", tmp_path / "run", *TEXTS).splitlines()
    assert len(set(wanted)) > 1
    with served(tmp_path / "run", format=form) as client:
        assert answers(client, recipe) == wanted
        address, asked = f"/v1/models/{recipe}/generate", {"prompt": TEXTS[-1], "stream": True}
        with client.stream("POST", address, json=asked) as stream:
            assert "".join(stream.iter_text()).count("data: ") > 1
        chat = {"model": recipe, "messages": [{"role": "user", "content": TEXTS[0]}]}
        said = client.post("/v1/chat/completions", json=chat).json()["choices"][0]["message"]["content"]
        assert said == wanted[0].strip()
        assert answers(client, recipe, repetition_penalty=1.5) == penalized(tmp_path / "run")
        long = client.post(address, json={"prompt": "twelve " * 40})
        assert long.status_code == 422
        assert "reads 32 at most" in long.json()["error"]["message"]


def penalized(folder: Path) -> list[str]:
    """In Python, with tokens that are repeated made less probable: those of the answer, not of the source."""
    predictor, tokenizer = load_predictor(folder), from_json((folder / "tokenizer.json").read_bytes())
    sampling = Sampling(temperature=0, repetition_penalty=1.5)
    rows = [tokenizer.encode(text) for text in TEXTS]
    found = complete(predictor.net, rows, steps=64, sampling=sampling, end=tokenizer.special("<end>"))  # ty: ignore
    return [tokenizer.decode(ids) for ids in found]
