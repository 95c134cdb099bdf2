"""A model that writes answers or summaries becomes a bundle whose service writes, by `generate` and in a chat, what the
commands print."""

import contextlib
import io
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.seq_models", reason="needs the package that trains these nets")

from torchworks.seq_models.answering.writing_data import FORMS
from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.data.questions import Row
from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.cli import main

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
QUESTION = "How much did Votaki pay?"
TEXTS = [
    "Votaki paid 52 euros.",
    "While Belodu lives in Garby, Nisamo is at home in Lutfield. The price that Votaki paid was 17 euros.",
    "On 3 May it was Belodu who arrived. The same guest took 4 lamps.\nVotaki paid 52 euros and Nisamo 30. " * 3,
]
TINY = [
    "--data", "facts:train=400,test=20", "--steps", "80", "--trainer.batch-size", "16", "--net.embed-dim", "32",
    "--net.ff-dim", "48", "--net.num-heads", "2", "--net.depth", "1", "--vocabulary", "500", "--optim.lr", "1e-2",
    "--optim.warmup", "5", "--precision", "fp32",
]  # fmt: skip


def run(*words: object) -> str:
    """What is printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main("seq-models", "lm", COMMANDS, [str(word) for word in words]) == 0
    return out.getvalue()


def served(run: Path, **options) -> TestClient:
    settings = Export(run, seconds=0, **options)
    export(settings)
    registry = Registry(Settings())
    registry.add(ServedModel.load(open_bundle(folder_of(settings)), Settings(Limits(generate_rows=3))))
    return TestClient(create_app(registry, Settings()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "form"), [("answer-generated", "onnx"), ("summarise", "onnx"), ("answer-generated", "safetensors")]
)
def test_a_service_writes_what_the_command_prints(tmp_path, recipe, form):
    """Greedily, prompts of three lengths in one batch, each alone in a chat, one in a stream."""
    run("train", recipe, "--out", tmp_path / "run", *TINY)
    asked = [QUESTION] if recipe == "answer-generated" else []
    wanted, prompts = [], []
    for text in TEXTS:
        (tmp_path / "text.txt").write_text(text)
        command = ["answer", tmp_path / "run", "--text", tmp_path / "text.txt", QUESTION]
        wanted.append(run(*(command if asked else ["summarise", tmp_path / "run", tmp_path / "text.txt"])).strip())
        form_of = FORMS["answer" if asked else "summary"]
        prompts.append(form_of.prompt(Row(text.strip(), QUESTION)))
    assert all(wanted)
    with served(tmp_path / "run", format=form) as client:
        found = client.post(f"/v1/models/{recipe}/generate", json={"prompts": prompts}).json()
        assert [each["text"].strip() for each in found["texts"]] == wanted
        for text, right in zip(TEXTS, wanted, strict=True):
            messages = [{"role": "user", "content": each} for each in (text.strip(), *asked)]
            said = client.post("/v1/chat/completions", json={"model": recipe, "messages": messages}).json()
            assert said["choices"][0]["message"]["content"].strip() == right
        streamed = {"prompt": prompts[1], "stream": True}
        with client.stream("POST", f"/v1/models/{recipe}/generate", json=streamed) as stream:
            assert "data: " in "".join(stream.iter_text())
        long = client.post(f"/v1/models/{recipe}/generate", json={"prompt": "Votaki paid 52 euros. " * 90})
        assert long.status_code == 422
        assert "reads 256 at most" in long.json()["error"]["message"]
