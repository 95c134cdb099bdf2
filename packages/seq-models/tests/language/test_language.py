"""Language models from the command line: trained, saved, used."""

import contextlib
import io
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.data.documents import Document
from torchworks.seq_models.language.functions import first_body, function_heads, parsed_share
from torchworks.seq_models.language.predictor import build_language_model
from torchworks.shared.cli import main
from torchworks.shared.models.manifest import FileEntry
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.testing_generation import check_generator
from torchworks.shared.text import Characters

VERSE = "the cat sat on the mat\nand the dog lay on the log\nso the rat ran to the hat\n"
TINY = [
    "--trainer.steps", 60, "--trainer.batch-size", 8, "--trainer.eval-every", 30, "--context", 32,
    "--sample-length", 40, "--net.depth", 1, "--net.embed-dim", 32, "--net.hidden-dim", 48,
    "--optim.warmup", 5, "--optim.lr", 1e-2, "--precision", "fp32",
]  # fmt: skip


def run(*words: object) -> int:
    return main("seq-models", "lm", COMMANDS, [str(word) for word in words])


def printed(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def verses(tmp_path_factory):
    """A file of a text that repeats itself."""
    path = tmp_path_factory.mktemp("text") / "verses.txt"
    path.write_text(VERSE * 200)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, verses):
    """A run of few steps, and what was printed of it."""
    folder = tmp_path_factory.mktemp("runs") / "lm"
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert run("train", "lm", "--data", f"text:{verses}", "--out", folder, *TINY) == 0
    (folder / "printed.txt").write_text(out.getvalue())
    return folder


def test_a_short_training_beats_counting_characters(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["steps"] == 60
    assert result["bits_per_character"] < result["bits_per_character_unigram"] - 0.5
    assert result["bits_per_character_5_gram"] < 0.5  # it repeats itself
    assert {"perplexity", "next_token_accuracy", "bits_per_character_lzma", "tokens_per_second"} <= result.keys()


def test_a_sample_is_written_at_each_evaluation_and_the_last_is_shown(trained):
    samples = sorted((trained / "samples").glob("sample-*.txt"))
    assert [path.stem for path in samples] == ["sample-00000030", "sample-00000060"]
    for place in ("README.md", "printed.txt"):
        assert samples[-1].read_text().rstrip() in (trained / place).read_text()
    assert (trained / "printed.txt").read_text().splitlines()[-1] == str(trained)


@pytest.mark.parametrize("recipe", ["lm-lstm", "lm-gru", "lm-rnn"])
def test_recurrent_nets_train_and_write(recipe, verses, tmp_path, capsys):
    assert run("train", recipe, "--data", f"text:{verses}", "--out", tmp_path / "run", *TINY) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["bits_per_character"] < result["bits_per_character_unigram"] - 0.5
    assert check_golden(tmp_path / "run") < 1e-4
    assert run("generate", tmp_path / "run", "the ", "--length", 100) == 0
    assert run("complete", tmp_path / "run", "the cat ", "--n", 2) == 0
    assert capsys.readouterr().out.count("the cat ") >= 2


def test_python_code_is_scored_by_what_parses(tmp_path):
    """By byte pairs; functions of the test part are written anew."""
    for i in range(40):
        (tmp_path / f"{i:02}.txt").write_text(f"def area(side):\n    return side * {i}\n\n\nx = area({i})\n" * 10)
    words = ["--data", f"text:{tmp_path}", "--vocabulary", 300, "--functions", 4, "--out", tmp_path / "run"]
    assert run("train", "code", *words, *TINY) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["n_functions"] == 4
    assert 0 <= result["functions_parsed"] <= 1
    assert any(name.startswith("functions_parsed_") for name in result)
    assert result["bits_per_character"] < result["perplexity"]  # of tokens that are longer than characters


# ------------------------------------------------------------------------------------------------ the model


def test_the_saved_model_answers_as_it_did_when_it_was_saved(trained):
    assert check_golden(trained) < 1e-5


@pytest.mark.parametrize("model", ["gpt", "lstm", "gru", "rnn"])
def test_texts_of_any_length_are_read_and_continued_as_by_the_net(model):
    net = {"depth": 2, "embed_dim": 8, "num_heads": 2, "hidden_dim": 12, "drop_rate": 0.1}
    files = {"tokenizer.json": Characters.train(["the cat"], specials=("<pad>", "<unk>", "<end>")).to_json()}
    generator = build_language_model({"model": model, "context": 32, "first": 2, "net": net}, files)
    assert generator.generation.end == 2
    check_generator(generator, export=False)  # float32; test_generators.py has the exports


def test_a_service_gets_the_logits_of_the_next_character(trained):
    predictor = load_predictor(trained)
    tokenizer = Characters.train([VERSE], specials=("<pad>", "<unk>", "<end>"))
    text = torch.tensor([tokenizer.encode("the cat sat on th")])
    logits = predictor.predict({"text": text, "length": torch.tensor([text.shape[1]])})["logits"]
    assert tokenizer.decode([int(logits.argmax())]) == "e"


# ------------------------------------------------------------------------------------------------ commands


def test_generated_texts_follow_from_the_seed(trained, capsys):
    texts = []
    for seed in (0, 0, 1):
        assert run("generate", trained, "the ", "--length", 50, "--seed", seed, "--n", 2) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("the ")
    assert texts[0].count("─" * 40) == 1


@pytest.mark.parametrize("words", [["--temperature", 0], ["--top-k", 1], ["--top-p", 1e-9]])
def test_the_likeliest_text_does_not_depend_on_the_seed(trained, capsys, words):
    texts = []
    for seed in (0, 1):
        assert run("generate", trained, "the cat", "--length", 20, "--seed", seed, *words) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_what_the_model_does_not_know_of_a_prompt_is_said_and_the_text_goes_on(trained, capsys):
    assert run("generate", trained, "the 猫 Ça", "--length", 5) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("the 猫 Ça")
    assert "it reads as unknown: 'Ç' (U+00C7), '猫' (U+732B)." in " ".join(captured.err.split())


def test_a_text_is_the_same_however_many_are_written_together(trained, capsys, monkeypatch):
    texts = []
    for at_once in (32, 2):
        monkeypatch.setattr("torchworks.seq_models.language.use.AT_ONCE", at_once)
        assert run("generate", trained, "the ", "--length", 20, "--n", 3) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_without_a_prompt_a_text_begins(trained, capsys):
    assert run("generate", trained, "--length", 30) == 0
    assert 1 < len(capsys.readouterr().out) <= 32


def test_a_text_longer_than_the_model_goes_on_and_that_is_said(trained, capsys):
    assert run("generate", trained, "the cat ", "--length", 100) == 0
    captured = capsys.readouterr()
    assert len(captured.out) == len("the cat ") + 100 + 1
    assert "reads 32 tokens at most" in captured.err
    assert run("generate", trained, VERSE, "--length", 5) == 0
    assert "but the model reads 32: its end is used" in printed(capsys)


def test_completions_are_ends_of_the_line_with_their_probabilities(trained, capsys):
    assert run("complete", trained, "the cat sat on the m", "--n", 2, "--length", 10) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    shares = [float(line.split("%")[0]) for line in lines]
    assert shares == sorted(shares, reverse=True)
    assert all(line[8:].startswith("the cat sat on the m") for line in lines)


def test_evaluate_scores_another_text_and_repeats_the_runs_own_scores(trained, tmp_path, capsys):
    assert run("evaluate", trained) == 0
    own = dict(line.split() for line in capsys.readouterr().out.splitlines()[:-1])
    written = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    assert written["perplexity"] == pytest.approx(float(own["perplexity"]), abs=1e-4)
    result = json.loads((trained / "result.json").read_text())
    for name in ("bits_per_character", "perplexity", "bits_per_character_5_gram", "bits_per_character_lzma"):
        assert float(own[name]) == pytest.approx(result[name], abs=1e-3)
    (tmp_path / "other.txt").write_text("the zebra (quite) unlike it\n" * 20)
    assert run("evaluate", trained, "--data", f"text:{tmp_path / 'other.txt'}", "--out", tmp_path / "out") == 0
    other = dict(line.split() for line in capsys.readouterr().out.splitlines()[:-1])
    assert float(other["bits_per_character"]) > float(own["bits_per_character"]) + 1
    assert float(other["unknown_characters"]) > 0.1


# ------------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["generate", "RUN", "猫"], "only characters that the model does not know"),
        (["generate", "RUN", "--n", 10**9], "--n is 1000000000; it must be from 1 to 10,000"),
        (["complete", "RUN", "the", "--n", 10**6, "--length", 8], "--n is 1,000,000; this model can follow"),
        (["generate", "RUN", "--length", 0], "--length is 0"),
        (["generate", "RUN", "--n", 0], "--n is 0"),
        (["generate", "RUN", "--temperature", -1], "--temperature must be 0 or more"),
        (["generate", "RUN", "--top-p", 2], "--top-p must be above 0 and at most 1"),
        (["complete", "RUN", "the", "--length", 32], "--length is 32, but the model reads 32"),
        (["evaluate", "RUN", "--data", "digits", "--overwrite"], "does not read images"),
        (["train", "lm", "--data", "manual", "--dry-run"], "needs text"),
        (["train", "lm", "--trainer.strategy", "fsdp"], "Muon needs whole matrices"),
    ],
)
def test_mistakes_are_explained(trained, manual, capsys, words, sentence):
    assert run(*(trained if word == "RUN" else word for word in words)) == 2
    assert sentence in printed(capsys)


def test_a_text_shorter_than_a_window_is_refused(tmp_path, capsys):
    (tmp_path / "short.txt").write_text("a b c\n" * 10)
    assert run("train", "lm", "--data", f"text:{tmp_path / 'short.txt'}", "--dry-run") == 2
    sentence = printed(capsys).split("The text is too short: ")[1]
    assert "a window of --context 128 and what follows it take 129" in sentence
    assert run("check", f"text:{tmp_path / 'short.txt'}") == 2
    assert sentence.replace("tokens", "characters") in " ".join(capsys.readouterr().out.split())


def test_weights_that_are_no_numbers_are_refused(trained, tmp_path, capsys):
    shutil.copytree(trained, tmp_path / "run")
    weights = load_file(tmp_path / "run" / "model.safetensors")
    name = next(iter(weights))
    weights[name] = weights[name] * float("nan")
    replaced(tmp_path / "run", "model.safetensors", lambda path: save_file(weights, path))
    for words in (
        ["generate", tmp_path / "run"],
        ["complete", tmp_path / "run", "the"],
        ["evaluate", tmp_path / "run"],
    ):
        assert run(*words) == 2
        assert "not all numbers" in printed(capsys)


@pytest.mark.parametrize("admitted", [False, True])
def test_the_tokenizer_of_another_run_is_refused(trained, tmp_path, capsys, admitted):
    """Also if the model's description was changed to name it."""
    shutil.copytree(trained, tmp_path / "run")
    other = Characters.train(["another text"], specials=("<pad>", "<unk>", "<end>")).to_json()
    if admitted:
        replaced(tmp_path / "run", "tokenizer.json", lambda path: path.write_bytes(other))
    else:
        (tmp_path / "run" / "tokenizer.json").write_bytes(other)
    assert run("generate", tmp_path / "run", "the") == 2
    assert printed(capsys)


def test_a_run_whose_state_had_another_form_is_opened(trained, tmp_path):
    """As of versions in which all keys and values of a GPT were one state."""
    shutil.copytree(trained, tmp_path / "run")
    manifest = json.loads((tmp_path / "run" / "model.json").read_text())
    manifest["generation"]["state"] = [{"name": "past", "shape": ["N", 1, 2, 2, "P", 4], "dtype": "float32"}]
    (tmp_path / "run" / "model.json").write_text(json.dumps(manifest))
    assert run("generate", tmp_path / "run", "the", "--length", 2) == 0


def replaced(folder, name, write):
    """Write a file of a run anew, and its size and hash into `model.json`."""
    write(folder / name)
    manifest = json.loads((folder / "model.json").read_text())
    entry = FileEntry.of(folder / name)
    manifest["files"] = [vars(entry) if item["name"] == name else item for item in manifest["files"]]
    (folder / "model.json").write_text(json.dumps(manifest))


# ------------------------------------------------------------------------------------------------ Python code


def test_heads_of_functions_end_before_their_bodies():
    code = (
        "import os\n\ndef f(a,\n      b):\n    return a\n\n@x\ndef g(): return 1\n\ndef h() -> int:\n    '''Doc.'''\n"
    )
    assert function_heads([Document.of("a", code)], 10) == ["def f(a,\n      b):\n", "def h() -> int:\n"]


def test_a_body_ends_where_indentation_does():
    assert first_body("    return 1\n\nx = 2\ny") == "    return 1\n\n"
    assert first_body("    a = 1\n    b = (") == "    a = 1\n"


def test_only_functions_that_parse_count():
    bodies = {"def f():\n": "    return 1\n\n\ndef", "def g():\n": "    return (\n\n\ndef"}
    tokenizer = Characters.train([*bodies, *bodies.values()])
    written = [tokenizer.encode(body) for body in bodies.values()]
    assert parsed_share(list(bodies), tokenizer, lambda prompts, steps: written) == 0.5
