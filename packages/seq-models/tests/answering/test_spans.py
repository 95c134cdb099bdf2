"""Answers cut out of texts: trained, saved, used, exported; what is wrong is explained."""

import contextlib
import io
import json

import pytest
import torch

from torchworks.seq_models.answering.span_build import threshold_of
from torchworks.seq_models.answering.span_data import answer_tokens, span_dataset, train_tokenizer
from torchworks.seq_models.answering.span_net import MATCHED, SpanNet, span_scores
from torchworks.seq_models.answering.span_predictor import build_span_predictor
from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.data.facts import rows
from torchworks.seq_models.data.questions import Row
from torchworks.shared.cli import main
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.testing import check_predictor

TINY = [
    "--precision", "fp32", "--net.depth", 1, "--net.embed-dim", 32, "--net.num-heads", 2, "--net.ff-dim", 32,
    "--vocabulary", 320, "--optim.warmup", 5,
]  # fmt: skip
NET = {"architecture": "rotary", "depth": 1, "embed_dim": 8, "num_heads": 2, "ff_dim": 12, "drop_rate": 0.1}


def run(*words: object) -> int:
    return main("seq-models", "lm", COMMANDS, [str(word) for word in words])


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    """A file of questions to which the number in the text is the answer, or nothing if there is none."""
    path = tmp_path_factory.mktemp("data") / "own.jsonl"
    lines = [{"text": f"she paid {10 + i} euros .", "question": "how much ?", "answer": str(10 + i)} for i in range(60)]
    lines += [{"text": f"she came home {'again ' * (i % 5)}.", "question": f"how much {i} ?", "answer": ""}
              for i in range(20)]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, questions):
    folder = tmp_path_factory.mktemp("runs") / "answer"
    words = ["--data", f"jsonl:{questions}", "--steps", 80, "--trainer.batch-size", 16, "--optim.lr", 1e-2]
    with contextlib.redirect_stdout(io.StringIO()):
        assert run("train", "answer", *words, *TINY, "--out", folder) == 0
    return folder


# ------------------------------------------------------------------------------------------------ the model


def test_a_short_training_finds_the_answers_and_what_has_none(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["exact_match"] > 0.7
    assert result["no_answer_recall"] > 0.7
    assert {"exact_match_by_words", "exact_match_first_sentence", "exact_match_never"} <= result.keys()
    assert check_golden(trained) < 1e-5


@pytest.mark.parametrize("architecture", ["rotary", pytest.param("bert", marks=pytest.mark.slow)])
def test_the_predictor_exports_whole_for_texts_and_questions_of_any_length(architecture):
    files = {"tokenizer.json": train_tokenizer([Row("a text", "a question")], 262).to_json()}
    config = {"most": {"T": 12, "Q": 6, "A": 3}, "net": {**NET, "architecture": architecture, "matching": True}}
    torch.manual_seed(0)
    check_predictor(
        build_span_predictor({**config, "threshold": -0.1}, files),
        lambda sizes: tuple(torch.randint(4, 260, (sizes["N"], sizes[each])) for each in ("T", "Q")),
        lengths={"T": (1, 8, 12), "Q": (1, 6)},
    )


@pytest.mark.parametrize("architecture", ["rotary", "bert"])
def test_a_row_answers_the_same_alone_as_padded_in_a_batch(architecture):
    """In float64."""
    torch.manual_seed(0)
    net = SpanNet(50, begin=2, separator=3, longest=40, matching=True, **{**NET, "architecture": architecture})
    net = net.double().eval()
    texts, questions = ([torch.randint(4, 50, (n,)) for n in sizes] for sizes in ((1, 5, 9), (4, 2, 3)))
    padded = [torch.nn.utils.rnn.pad_sequence(each, batch_first=True) for each in (texts, questions)]
    together = net(*padded)
    for i, (text, question) in enumerate(zip(texts, questions, strict=True)):
        alone = net(text[None], question[None])
        torch.testing.assert_close(together[i, : 1 + len(text)], alone[0], rtol=1e-6, atol=1e-6)  # logits are float32
        assert (together[i, 1 + len(text) :] <= -1e4).all()


def test_tokens_of_the_question_have_a_segment_of_their_own():
    net = SpanNet(50, begin=2, separator=3, longest=20, matching=True, **NET)
    found = net._segments(torch.tensor([[7, 8, 9, 0]]), torch.tensor([[9, 0, 7]]))
    assert found.tolist() == [[MATCHED, 1, MATCHED, 1]]


def test_the_score_of_a_span_is_the_sum_of_its_ends():
    logits = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0))
    scores = span_scores(logits, 3)
    assert scores.shape == (2, 1 + 5 * 3)
    assert scores[0, 0] == logits[0, 0].sum()
    for i, a in ((0, 0), (0, 2), (2, 2), (4, 0)):
        assert scores[1, 1 + i * 3 + a] == logits[1, 1 + i, 0] + logits[1, 1 + i + a, 1]
    assert scores[0, 1 + 4 * 3 + 1] < -9000  # beyond the text


def test_the_probability_is_a_share_of_all_spans_and_the_answer_their_tokens():
    files = {"tokenizer.json": train_tokenizer([Row("a text", "a question")], 262).to_json()}
    config = {"most": {"T": 12, "Q": 6, "A": 3}, "net": {**NET, "matching": False}, "threshold": 1e6}
    predictor = build_span_predictor(config, files)
    inputs = {"text": torch.randint(4, 260, (5, 9)), "question": torch.randint(4, 260, (5, 4))}
    found = predictor.predict(inputs)  # with such a threshold there is always an answer
    scores = span_scores(predictor.net(*inputs.values()), 3).softmax(1)
    torch.testing.assert_close(found["probability"], scores[:, 1:].max(1).values)
    for row in range(5):
        first, last = int(found["first"][row]), int(found["last"][row])
        assert 1 <= first <= last <= first + 2
        answer = inputs["text"][row, first - 1 : last].tolist()
        assert found["answer"][row].tolist() == answer + [0] * (3 - len(answer))
    predictor.threshold = -1e6
    assert not any(found.any() for name, found in predictor.predict(inputs).items() if name != "probability")


def test_the_threshold_is_where_most_rows_are_right():
    gap = torch.tensor([-3.0, -1.0, 2.0, 4.0])
    right, none = torch.tensor([True, True, True, False]), torch.tensor([False, False, False, True])
    assert 2 < threshold_of(gap, right, none) < 4
    assert threshold_of(gap, right, torch.zeros(4, dtype=torch.bool)) > 4  # no row without an answer: always answer
    assert -1 < threshold_of(torch.tensor([-1.0, 1.0]), torch.tensor([True, False]), torch.tensor([False, True])) < 1


def test_tokens_of_an_answer_are_those_that_have_its_bytes():
    some = rows(60, 0, 0, test=True)
    tokenizer = train_tokenizer(some, 600)
    for row in [*some, Row("Çelik paid €52 in Köln.", "?", "52", 12), Row("Zoë", "?", "Zoë", 0)]:
        ids = tokenizer.encode(row.text)
        first, last = answer_tokens(tokenizer, ids, row)
        assert row.answer in tokenizer.decode(ids[first : last + 1])
        assert row.answer not in tokenizer.decode(ids[first + 1 : last + 1])
        assert row.answer not in tokenizer.decode(ids[first:last])


def test_texts_that_are_too_long_are_left_out_and_all_too_long_is_explained():
    some = [Row("a " * 30, "?", "a", 0), Row("a b", "?", "b", 2)]
    tokenizer = train_tokenizer(some, 262)
    assert span_dataset(some, tokenizer, {"T": 10, "Q": 5, "A": 3})[1] == some[1:]
    with pytest.raises(UserError, match="No text is short enough: the model reads texts of 1 tokens"):
        span_dataset(some, tokenizer, {"T": 1, "Q": 5, "A": 3})


# ------------------------------------------------------------------------------------------------ commands


def test_questions_are_answered_about_the_text_of_a_file(trained, tmp_path, capsys):
    (tmp_path / "text.txt").write_text("she paid 47 euros .\n")
    assert run("answer", trained, "--text", tmp_path / "text.txt", "how much ?") == 0
    answer, share = capsys.readouterr().out.split()
    assert answer == "47"
    assert 0 < float(share.rstrip("%")) <= 100
    (tmp_path / "text.txt").write_text("she came home .")
    assert run("answer", trained, "--text", tmp_path / "text.txt", "how much 3 ?", "how much 4 ?") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith("not in the text") for line in lines] == [True, True]
    assert lines[0].endswith("(how much 3 ?)")


def test_an_evaluation_repeats_the_runs_own_scores(trained, questions, capsys, tmp_path):
    assert run("evaluate", trained) == 0
    found = json.loads((trained / "evaluation" / "evaluation.json").read_text())
    result = json.loads((trained / "result.json").read_text())
    for name in ("exact_match", "f1", "no_answer_recall", "exact_match_by_words"):
        assert found[name] == pytest.approx(result[name], abs=1e-6)
    assert (trained / "evaluation" / "errors.csv").read_text().startswith("question,given,right,text")
    assert run("evaluate", trained, "--data", f"jsonl:{questions}", "--out", tmp_path) == 0
    assert json.loads((tmp_path / "evaluation.json").read_text())["n"] == 80


@pytest.mark.parametrize(
    ("text", "question", "sentence"),
    [
        (b"", "how much ?", "is empty: there is no text in it"),
        (b"caf\xe9", "how much ?", "line 1 is not UTF-8: it has the byte 0xe9"),
        (b"PK\x00\x00", "how much ?", "is a binary file"),
        (b"word " * 5000, "how much ?", "but the model reads 256 at most"),
        (b"she paid", "how " * 200, "but the model reads 64 at most"),
        (b"she paid", " ", "is empty"),
        (b"she paid", "caf\udce9", "is not UTF-8"),
        (None, "how much ?", "There is no file"),
    ],
)
def test_what_cannot_be_answered_is_explained(trained, tmp_path, capsys, text, question, sentence):
    file = tmp_path / "text.txt"
    if text is not None:
        file.write_bytes(text)
    assert run("answer", trained, "--text", file, question) == 2
    assert sentence in said(capsys)


def test_answers_that_are_not_in_their_texts_are_refused_or_left_out(tmp_path, capsys):
    lines = [{"text": f"she paid {i} euros", "question": "how much ?", "answer": str(i + (i == 3))} for i in range(40)]
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["train", "answer", "--data", f"jsonl:{file}", "--dry-run", *TINY]
    assert run(*words) == 2
    assert "word for word: 1, such as '4'" in said(capsys)
    assert run(*words, "--skip-bad") == 0


def test_a_service_gets_the_answer_as_tokens_and_its_probability(trained):
    predictor = load_predictor(trained)
    signature = predictor.signature
    assert [(spec.name, spec.kind) for spec in signature.inputs] == [("text", "text"), ("question", "text")]
    assert [spec.name for spec in signature.outputs] == ["answer", "probability", "first", "last"]
    manifest = json.loads((trained / "model.json").read_text())
    assert manifest["preprocessing"]["answer"] == {"tokenizer": "tokenizer.json"}
