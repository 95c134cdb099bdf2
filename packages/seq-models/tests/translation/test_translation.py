"""Translation from the command line: trained, saved, used."""

import io
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from safetensors.torch import load_file, save_file

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.data.token_stream import SPECIALS
from torchworks.seq_models.translation.decoding import attention_to, pieces, translated
from torchworks.seq_models.translation.predictor import build_translation
from torchworks.seq_models.translation.task import Translation
from torchworks.shared.cli import main
from torchworks.shared.models.generation import greedy
from torchworks.shared.models.manifest import FileEntry
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.text import ByteLevelBPE, from_json

NUMBERS = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
PAIRS = [(f"{a} {b}", f"{NUMBERS[j]} {NUMBERS[i]}") for i, a in enumerate(ENGLISH) for j, b in enumerate(ENGLISH)]
"""Two words, which German says the other way round here."""
TINY = [
    "--trainer.batch-size", 32, "--net.embed-dim", 32, "--net.ff-dim", 64, "--net.depth", 1, "--net.num-heads", 2,
    "--net.hidden-dim", 32, "--net.attention-dim", 32, "--optim.lr", 1e-2, "--optim.warmup", 10, "--longest", 12,
    "--vocabulary", 340, "--precision", "fp32", "--pictured", 3, "--valid-fraction", 0.2,
]  # fmt: skip


def run(*words: object) -> int:
    return main("seq-models", "lm", COMMANDS, [str(word) for word in words])


def printed(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A file of pairs."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, pairs):
    """A run of few steps."""
    folder = tmp_path_factory.mktemp("runs") / "translate"
    words = ["--data", f"tsv:{pairs}", "--out", folder, "--steps", 120, "--trainer.eval-every", 60]
    assert run("train", "translate", *words, *TINY) == 0
    return folder


def result(folder) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_a_short_training_learns_more_than_the_nearest_training_text_says(trained):
    found = result(trained)
    assert found["exact_match"] > max(0.3, found["nearest_exact_match"])
    assert found["token_accuracy"] > 0.6
    assert {"memory_exact_match", "memory_chrf", "nearest_bleu", "nll"} <= found.keys()


def test_translations_and_a_picture_of_attention_are_shown_at_each_evaluation(trained):
    samples = {path.name for path in (trained / "samples").iterdir()}
    assert {f"{name}-{step:08d}.{kind}" for name, kind in (("attention", "png"), ("translations", "txt")) for step in
            (60, 120)} <= samples  # fmt: skip
    assert len((trained / "samples" / "translations-00000120.txt").read_text().splitlines()) == 3
    picture = imread(trained / "samples" / "attention-00000120.png")
    assert picture[..., :3].std() > 0.05  # something is drawn


@pytest.mark.parametrize("model", ["gru", "lstm"])
def test_recurrent_nets_translate(model, pairs, tmp_path, capsys):
    words = ["--data", f"tsv:{pairs}", "--out", tmp_path / "run", "--model", model, "--steps", 60]
    assert run("train", "translate-gru", *words, *TINY) == 0
    assert result(tmp_path / "run")["token_accuracy"] > 0.3
    assert check_golden(tmp_path / "run") < 1e-4
    capsys.readouterr()
    assert run("translate", tmp_path / "run", "one two") == 0
    assert capsys.readouterr().out.strip()
    assert run("align", tmp_path / "run", "one two") == 0
    assert (tmp_path / "run" / "alignment.png").is_file()


# ------------------------------------------------------------------------------------------------ the model


def test_the_saved_model_answers_as_it_did_when_it_was_saved(trained):
    assert check_golden(trained) < 1e-5


def test_exact_match_of_a_training_step_is_that_of_greedy_translations(trained):
    predictor = load_predictor(trained)
    tokenizer = from_json((trained / "tokenizer.json").read_bytes())
    task = Translation(predictor.net.eval(), lr=1e-3, weight_decay=0.0)
    end = tokenizer.special("<end>")
    for source, target in PAIRS[::7]:
        ids, answer = tokenizer.encode(source), [*tokenizer.encode(target), end]
        found = task.evaluate({"source": torch.tensor([ids]), "target": torch.tensor([answer])})["exact_match"]
        assert bool(found[0]) == (translated(predictor.net, tokenizer, [ids], 24) == [target])


def test_the_exported_steps_write_what_translate_prints(trained, capsys):
    """The likeliest token each time, by the graph that a service runs."""
    generator = load_predictor(trained)
    tokenizer = from_json((trained / "tokenizer.json").read_bytes())
    texts = [source for source, _ in PAIRS[::9]]
    capsys.readouterr()
    assert run("translate", trained, *texts) == 0
    lines = capsys.readouterr().out.splitlines()
    for text, line in zip(texts, lines, strict=True):
        ids = np.array([tokenizer.encode(text)])
        tokens, _ = greedy(generator.advance, generator.generation, ids, np.array([ids.shape[1]]), 12)
        answer = tokens[0].tolist()
        assert tokenizer.decode(answer[: answer.index(generator.generation.end)]) == line


def test_a_service_knows_how_to_use_it():
    files = {"tokenizer.json": ByteLevelBPE.train(["a"], size=300, specials=SPECIALS).to_json()}
    net = {"embed_dim": 8, "num_heads": 2, "ff_dim": 12, "depth": 1, "drop_rate": 0.0}
    spec = build_translation({"model": "transformer", "longest": 20, "net": net}, files).generation
    assert (spec.answers, spec.longest_prompt, spec.room(20), spec.end) == (True, 20, None, 2)
    assert spec.sampling.temperature == 0
    assert spec.chat.prompt([("user", "four")]) == "four"


def test_attention_of_each_token_sums_to_1(trained):
    predictor = load_predictor(trained)
    tokenizer = from_json((trained / "tokenizer.json").read_bytes())
    source, answer = tokenizer.encode("one two"), [*tokenizer.encode("zwei eins"), 2]
    weights = attention_to(predictor.net, source, answer)
    assert weights.shape == (len(answer), len(source))
    torch.testing.assert_close(weights.sum(1), torch.ones(len(answer)), atol=1e-5, rtol=0)  # float32
    assert "".join(pieces(tokenizer, answer)) == "zwei␣eins■"


# ------------------------------------------------------------------------------------------------ commands


def test_texts_of_arguments_files_and_standard_input_are_translated_in_order(trained, tmp_path, capsys, monkeypatch):
    (tmp_path / "lines.txt").write_text("two three\nfour five\n")
    capsys.readouterr()
    words = ["--file", tmp_path / "lines.txt", "--out", tmp_path / "out.tsv"]
    assert run("translate", trained, "zero one", *words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    rows = [line.split("\t") for line in (tmp_path / "out.tsv").read_text().splitlines()]
    assert rows == [[text, line] for text, line in zip(("zero one", "two three", "four five"), lines, strict=True)]
    again = ["--file", tmp_path / "lines.txt", "--out", tmp_path / "lines.txt", "--overwrite"]
    assert run("translate", trained, *again) == 2
    assert "is a file that is read" in printed(capsys)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"two three\n")))
    assert run("translate", trained, "--file", "-") == 0
    assert capsys.readouterr().out.splitlines() == lines[1:2]


def test_beam_search_is_an_option(trained, capsys):
    capsys.readouterr()
    assert run("translate", trained, "one two", "three four", "--beams", 3) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_text_is_translated_the_same_among_others(trained):
    predictor = load_predictor(trained)
    tokenizer = from_json((trained / "tokenizer.json").read_bytes())
    rows = [tokenizer.encode(text) for text in ("one", "two three", "nine nine", "seven")]
    together = translated(predictor.net, tokenizer, rows, 12)
    assert together == [translated(predictor.net, tokenizer, [row], 12)[0] for row in rows]


def test_evaluate_repeats_the_runs_own_scores_and_takes_other_pairs(trained, tmp_path, capsys):
    assert run("evaluate", trained) == 0
    own = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    recorded = result(trained)
    for name in ("exact_match", "nearest_exact_match", "memory_chrf"):
        assert own[name] == pytest.approx(recorded[name], abs=1e-6)
    errors = (trained / "evaluation" / "errors.tsv").read_text().splitlines()
    assert len(errors) == round((1 - own["exact_match"]) * own["n"])
    (tmp_path / "other.tsv").write_text("one two\tzwei eins\nblue\tblau\n")
    assert run("evaluate", trained, "--data", f"tsv:{tmp_path / 'other.tsv'}", "--out", tmp_path / "out") == 0
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["n"] == 2


# ------------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["translate", "RUN"], "No text was given"),
        (["translate", "RUN", "one", "--beams", 0], "--beams is 0"),
        (["translate", "RUN", "one", "--beams", 10**6], "--beams is 1,000,000; this model can follow"),
        (["translate", "RUN", "one", " "], "1 of 2 (text 2 is empty). The others are done."),
        (["translate", "RUN", "one " * 30], "but the model reads 12 at most"),
        (["translate", "RUN", "one " * 3000], "has at least"),
        (["translate", "RUN", "--file", "nowhere.txt"], "There is no file nowhere.txt"),
        (["align", "RUN", "one", "--n", 0], "--n is 0"),
        (["align", "RUN", "one", "--out", "picture.txt"], "picture.txt must end in"),
        (["generate", "RUN", "one"], "which is no language model"),
        (["classify", "RUN", "one"], "not a classifier"),
        (["evaluate", "RUN", "--data", "reviews", "--overwrite"], "needs source and target"),
        (["train", "translate", "--data", "reviews", "--dry-run"], "needs source and target"),
        (["train", "translate", "--longest", 1, "--dry-run", "--data", "numbers:train=600,test=20"], "Raise --longest"),
    ],
)
def test_mistakes_are_explained(trained, capsys, words, sentence):
    assert run(*(trained if word == "RUN" else word for word in words)) == 2
    assert sentence in printed(capsys)


def test_lines_that_are_not_utf8_are_named_and_the_others_translated(trained, tmp_path, capsys):
    (tmp_path / "lines.txt").write_bytes(b"one two\ncaf\xe9\n")
    capsys.readouterr()
    assert run("translate", trained, "--file", tmp_path / "lines.txt") == 2
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0]
    assert "line 2 is not UTF-8: it has the byte 0xe9" in " ".join(captured.err.split())


def test_weights_that_are_no_numbers_are_refused(trained, tmp_path, capsys):
    shutil.copytree(trained, tmp_path / "run")
    path = tmp_path / "run" / "model.safetensors"
    weights = load_file(path)
    name = next(iter(weights))
    save_file({**weights, name: weights[name] * float("nan")}, path)
    manifest = json.loads((tmp_path / "run" / "model.json").read_text())
    entry = FileEntry.of(path)
    manifest["files"] = [vars(entry) if item["name"] == path.name else item for item in manifest["files"]]
    (tmp_path / "run" / "model.json").write_text(json.dumps(manifest))
    assert run("translate", tmp_path / "run", "one") == 2
    assert "not all numbers" in printed(capsys)
