"""A model that writes answers or summaries becomes a bundle whose service writes, by `generate` and in a chat, what the
commands print."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.seq_models", reason="needs the package that trains these nets")

sys.path.insert(0, str(Path(__file__).parent))

from text_service import run, served

from torchworks.seq_models.answering.writing_data import FORMS
from torchworks.seq_models.data.questions import Row

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
