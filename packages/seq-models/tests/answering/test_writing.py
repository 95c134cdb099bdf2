"""Answers, summaries and replies that are written: trained, saved, used, exported."""

import contextlib
import io
import json
from typing import Any

import numpy as np
import pytest
import torch

from torchworks.seq_models.answering.chat import Replies
from torchworks.seq_models.answering.run import open_answering_run
from torchworks.seq_models.answering.writing_data import FORMS, train_tokenizer, writing_dataset, written_texts
from torchworks.seq_models.answering.writing_predictor import build_writer, new_net
from torchworks.seq_models.answering.writing_task import GPTWriting, PointerWriting, divided
from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.data.questions import Row
from torchworks.seq_models.generation.generate import complete
from torchworks.seq_models.models.gpt import GPT
from torchworks.shared.cli import main
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.testing_generation import check_generator
from torchworks.shared.text.sampling import GREEDY, Sampling

TINY = [
    "--precision", "fp32", "--net.depth", 1, "--net.embed-dim", 32, "--net.num-heads", 2, "--vocabulary", 320,
    "--context", 96, "--optim.warmup", 5, "--optim.lr", 1e-2, "--trainer.batch-size", 16,
]  # fmt: skip
NET = {"depth": 2, "decoder_depth": 1, "embed_dim": 16, "num_heads": 2, "ff_dim": 24, "drop_rate": 0.0}


def run(*words: object) -> int:
    return main("seq-models", "lm", COMMANDS, [str(word) for word in words])


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


def lines_of(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"jsonl:{path}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of each recipe, by what it writes."""
    folder = tmp_path_factory.mktemp("runs")
    words = ["red", "blue", "green", "black", "white"]
    texts = [f"the {a} car and the {b} car {i}" for i, (a, b) in enumerate([(a, b) for a in words for b in words])]
    data = {
        "answer": [{"text": text, "question": "a car ?", "answer": "car" if i % 3 else ""}
                   for i, text in enumerate(texts)],
        "summary": [{"text": text, "summary": "two cars"} for text in texts],
        "reply": [{"text": text, "reply": f"I like car {i}"} for i, text in enumerate(texts)],
    }  # fmt: skip
    recipes = {"answer": "answer-generated", "summary": "summarise", "reply": "chat"}
    for kind, recipe in recipes.items():
        source = lines_of(folder / f"{kind}.jsonl", data[kind])
        with contextlib.redirect_stdout(io.StringIO()):
            assert run("train", recipe, "--data", source, "--steps", 40, *TINY, "--out", folder / kind) == 0
    return {kind: folder / kind for kind in recipes}


def test_a_short_training_learns_what_is_always_written(trained):
    result = json.loads((trained["summary"] / "result.json").read_text())
    assert result["exact_match"] == result["rouge_l"] == 1
    assert result["rouge_l_first_sentence"] < 0.5
    result = json.loads((trained["answer"] / "result.json").read_text())
    assert {"exact_match", "no_answer_recall", "exact_match_by_words"} <= result.keys()
    for folder in trained.values():
        assert check_golden(folder) < 1e-4


@pytest.mark.parametrize("architecture", ["gpt", "pointer-generator"])
@pytest.mark.parametrize("written", [*FORMS, pytest.param("exported", marks=pytest.mark.slow)])
def test_a_writer_is_a_generator_at_all_lengths(written, architecture):
    """In float32; exported ones are captured twice."""
    export, written = written == "exported", "answer" if written == "exported" else written
    tokenizer = train_tokenizer([Row("a text", "why", "so", 0, "short", "well")], written, 262)
    torch.manual_seed(0)
    config = {"written": written, "architecture": architecture, "context": 32, "net": NET}
    generator = build_writer(config, {"tokenizer.json": tokenizer.to_json()})
    net = generator.eval().net

    def answered(source, answer):
        return net(source, torch.cat([torch.full((1, 1), 2), answer], 1))[:, -1]

    check_generator(generator, answered if architecture == "pointer-generator" else None, export=export)
    spec = generator.generation
    assert (spec.end, spec.block, spec.answers) == (2, 32, architecture == "pointer-generator")
    assert spec.sampling == GREEDY or written == "reply"


def test_a_run_from_before_there_was_a_choice_of_architectures_is_a_gpt():
    tokenizer = train_tokenizer([Row("a text", summary="short")], "summary", 262)
    config = {"written": "summary", "context": 32, "net": {k: v for k, v in NET.items() if k != "decoder_depth"}}
    assert isinstance(build_writer(config, {"tokenizer.json": tokenizer.to_json()}).net, GPT)


def test_a_service_makes_the_prompts_that_the_model_was_trained_on(trained):
    for kind, folder in trained.items():
        template = load_predictor(folder).generation.chat
        row = Row("a text", "why")
        messages = [("user", row.text), ("user", row.question)] if kind == "answer" else [("user", row.text)]
        assert template.prompt(messages) == FORMS[kind].prompt(row)
    assert FORMS["answer"].prompt(row) == " a text\n why\nAnswer:"
    assert FORMS["reply"].prompt(row) == "user: a text\nassistant:"


def test_rotary_positions_continue_in_a_cache_and_know_nothing_of_padding():
    """In float64, equal to the plain forward, with the very same tokens generated."""
    torch.manual_seed(0)
    net = GPT(40, context=32, depth=2, embed_dim=16, num_heads=2, rotary_base=100.0).double().eval()
    assert "transformer.wpe.weight" not in net.state_dict()
    rows = [torch.randint(1, 40, (n,)).tolist() for n in (3, 9)]
    together = complete(net, rows, steps=12)
    for row, found in zip(rows, together, strict=True):
        assert complete(net, [row], steps=12) == [found]
        text = torch.tensor([row + found])
        assert net(text)[0, len(row) - 1 : -1].argmax(1).tolist() == found
    before, after = torch.tensor([[5, 6, 7]]), torch.tensor([[9, 5, 6, 7]])
    assert (net(before)[0, -1] - net(after)[0, -1]).abs().max() > 1e-3


@pytest.mark.parametrize("architecture", ["gpt", "pointer-generator"])
def test_what_the_likeliest_tokens_say_in_training_is_what_is_written(architecture):
    rows = [Row(f"text {i}" * (1 + i % 3), summary=f"it is {i}" * (1 + i % 2)) for i in range(8)]
    tokenizer = train_tokenizer(rows, "summary", 300)
    dataset, _ = writing_dataset(rows, tokenizer, "summary", 64)
    torch.manual_seed(0)
    net: Any = new_net({"written": "summary", "architecture": architecture, "context": 64, "net": NET}, tokenizer)
    task = PointerWriting(net, lr=0.02, weight_decay=0.0)
    if architecture == "gpt":
        task = GPTWriting(net, lr=0.02, weight_decay=0.0, text_weight=0.0)
    optimizer = task.optimizer("model")
    for _ in range(30):
        optimizer.zero_grad()
        task.loss("train", dataset.tensors).loss.backward()
        optimizer.step()
    net.eval()
    exact = task.evaluate(dataset.tensors)["exact_greedy"]
    texts = written_texts(
        lambda prompts, steps, _: complete(net, prompts, steps=steps, end=2),
        [FORMS["summary"].prompt(row) for row in rows], tokenizer, 64,
    )  # fmt: skip
    right = [text == row.summary for text, row in zip(texts, rows, strict=True)]
    assert sum(right) == int(exact[0])
    assert exact[1] == 8


def test_rows_are_divided_into_prompts_and_answers():
    batch = {
        "tokens": torch.tensor([[5, 6, 7, 8, 2], [5, 9, 2, 0, 0]]),
        "tokens_length": torch.tensor([5, 3]),
        "prompt_length": torch.tensor([2, 1]),
    }
    prompt, read, target, written = divided(batch)
    assert prompt.tolist() == [[5, 6], [5, 0]]
    assert target.tolist() == [[7, 8, 2], [9, 2, 0]]
    assert torch.equal(read, prompt > 0)
    assert torch.equal(written, target > 0)


def test_tokens_of_the_prompt_count_as_much_as_is_said():
    rows = [Row("some text", summary="a b")]
    tokenizer = train_tokenizer(rows, "summary", 262)
    batch = writing_dataset(rows, tokenizer, "summary", 64)[0].tensors
    net = GPT(len(tokenizer), context=64, depth=1, embed_dim=8, num_heads=2).eval()
    losses = {}
    for weight in (0.0, 0.5):
        out = GPTWriting(net, lr=1.0, weight_decay=0.0, text_weight=weight).loss("train", batch)
        losses[weight] = float(out.weight)
    written = int(batch["tokens_length"][0] - batch["prompt_length"][0])
    assert losses[0.0] == written == 5  # " a b<end>", by bytes
    assert losses[0.5] == written + 0.5 * (int(batch["prompt_length"][0]) - 1)


# ------------------------------------------------------------------------------------------------ commands


def test_files_are_summarized_and_those_that_cannot_be_are_named(trained, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("the red car and the blue car 3")
    (tmp_path / "b.txt").write_text(" \n")
    assert run("summarise", trained["summary"], tmp_path / "a.txt") == 0
    assert capsys.readouterr().out == "two cars\n"
    assert run("summarise", trained["summary"], tmp_path / "b.txt", tmp_path / "a.txt") == 2
    printed = capsys.readouterr()
    assert printed.out.rstrip().endswith("a.txt: two cars")
    assert f"1 of 2 ({tmp_path / 'b.txt'} is empty: no text is in it)" in " ".join(printed.err.split())
    (tmp_path / "a.txt").write_text("the red car " * 300)
    assert run("summarise", trained["summary"], tmp_path / "a.txt") == 2
    assert "but the model reads 80 at most" in said(capsys)


def test_answers_are_written_too(trained, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("the red car and the blue car 3")
    assert run("answer", trained["answer"], "--text", tmp_path / "a.txt", "a car ?") == 0
    assert capsys.readouterr().out.strip() in ("car", "not in the text")


@pytest.mark.parametrize("kind", ["answer", "summary", "reply"])
def test_an_evaluation_repeats_the_runs_own_scores(trained, kind, capsys):
    assert run("evaluate", trained[kind]) == 0
    found = json.loads((trained[kind] / "evaluation" / "evaluation.json").read_text())
    result = json.loads((trained[kind] / "result.json").read_text())
    same = found.keys() & result.keys()
    assert "exact_match" in same
    assert all(found[name] == pytest.approx(result[name], abs=1e-6) for name in same)
    assert len(same) > 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["summarise", "answer"], "Name a run of summarise"),
        (["summarise", "summary"], "No text was given"),
        (["chat", "summary"], "Name a run of chat"),
    ],
)
def test_runs_of_another_recipe_are_named(trained, capsys, words, sentence):
    assert run(words[0], trained[words[1]]) == 2
    assert sentence in said(capsys)


# ------------------------------------------------------------------------------------------------ chat


def talk(run_folder, lines, monkeypatch, capsys, *words, code: int = 0) -> list[str]:
    content = lines if isinstance(lines, bytes) else lines.encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run("chat", run_folder, *words) == code
    return capsys.readouterr().out.splitlines()


def test_a_chat_replies_with_what_it_knows_line_by_line(trained, monkeypatch, capsys):
    known = json.loads((trained["reply"] / "conversations.json").read_text())
    text, reply = known[0]
    lines = f"{text.upper()}\n\n{text}"
    assert talk(trained["reply"], lines, monkeypatch, capsys) == [reply, "", reply]
    assert talk(trained["reply"], lines.encode("utf-16"), monkeypatch, capsys) == [reply, "", reply]
    assert talk(trained["reply"], b"caf\xe9\n" + text.encode(), monkeypatch, capsys, code=2) == ["", reply]
    assert talk(trained["reply"], "", monkeypatch, capsys) == []


def test_what_is_not_known_gets_a_reply_that_is_written_and_follows_from_the_seed(trained, monkeypatch, capsys):
    found = [talk(trained["reply"], "zzz qqq\n", monkeypatch, capsys, "--seed", seed) for seed in (0, 0)]
    assert found[0] == found[1]
    run = open_answering_run(trained["reply"], "cpu", ("reply",), "chat")
    replies = Replies(run, sampling=Sampling(0.7), seed=0)
    assert replies.found("zzz qqq") == []
    pieces = list(replies.to("zzz qqq"))
    assert len(pieces) > 1
    assert pieces[0] == pieces[0].lstrip()


def test_of_several_known_replies_another_comes_each_time(trained):
    run = open_answering_run(trained["reply"], "cpu", ("reply",), "chat")
    replies = Replies(run, sampling=GREEDY)
    replies.known = [Row("hello there", reply="one"), Row("hello there", reply="two"), Row("bye", reply="three")]
    replies.index.matrix = replies.index.vectors.transform([row.text for row in replies.known])
    replies.index.similarities = lambda messages: np.array([[1.0, 1.0, 0.2]])
    assert ["".join(replies.to("hello there")) for _ in range(3)] == ["one", "two", "one"]


def test_data_without_replies_are_refused(tmp_path, capsys):
    source = lines_of(tmp_path / "a.jsonl", [{"text": f"{i}", "summary": "s"} for i in range(9)])
    assert run("train", "chat", "--data", source, "--dry-run") == 2
    assert "needs texts and reply" in said(capsys)


def test_texts_that_are_all_too_long_are_explained():
    rows = [Row("word " * 50, summary="s")]
    tokenizer = train_tokenizer(rows, "summary", 262)
    with pytest.raises(UserError, match="the model reads 16 tokens at most"):
        writing_dataset(rows, tokenizer, "summary", 16)
