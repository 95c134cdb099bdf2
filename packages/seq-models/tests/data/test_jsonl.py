"""One's own questions, summaries and replies: read, split, and what is wrong with them."""

import json

import pytest

from torchworks.seq_models.data.jsonl_files import open_jsonl
from torchworks.seq_models.data.questions import find_answer, rows_of
from torchworks.shared.config import TextConfig, UserError
from torchworks.shared.data.report import check


def written(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def asked(text, answer="52", **more):
    return {"text": text, "question": "How much?", "answer": answer, **more}


def said(path, **options):
    return str(check(f"jsonl:{path}", TextConfig(**options)))


def test_questions_are_read_with_the_place_of_their_answers(tmp_path):
    file = written(
        tmp_path / "a.jsonl",
        asked("Row 1520: Ann paid 52 euros."),
        asked("Bob paid 52, then 52 again.", answer_start=18),
        asked("Nobody paid.", answer=None),
        asked("Çelik paid €52"),
    )
    source = open_jsonl(str(file), TextConfig(test_fraction=0.3), 0)
    rows = {row.text: row for part in (source.train, source.test) for row in rows_of(part)}
    assert len(rows) == 4
    assert rows["Row 1520: Ann paid 52 euros."].start == 19
    assert rows["Bob paid 52, then 52 again."].start == 18
    assert rows["Nobody paid."].answer == ""
    assert rows["Çelik paid €52"].text[rows["Çelik paid €52"].start :] == "52"
    assert find_answer("nothing", "52") == -1


@pytest.mark.parametrize("kind", ["summary", "reply"])
def test_summaries_and_replies_are_read_too(kind, tmp_path):
    file = written(tmp_path / "a.jsonl", *({"text": f"text {i}", kind: f"short {i}"} for i in range(6)))
    source = open_jsonl(str(file), TextConfig(), 0)
    assert kind in source.schema
    assert "question" not in source.schema
    assert {getattr(row, kind) for row in rows_of(source.train)} <= {f"short {i}" for i in range(6)}


def test_lines_with_one_text_stay_together_and_a_text_for_testing_is_not_trained_on(tmp_path):
    rows = [asked(f"{name} paid 52 euros.", question=f"How much {i}?") for name in "ABCDE" for i in range(3)]
    source = open_jsonl(str(written(tmp_path / "a.jsonl", *rows)), TextConfig(), 0)
    parts = [{row.text for row in rows_of(part)} for part in (source.train, source.test)]
    assert not parts[0] & parts[1]
    split = [{**row, "split": "test" if i == 0 else "train"} for i, row in enumerate(rows)]
    source = open_jsonl(str(written(tmp_path / "b.jsonl", *split)), TextConfig(), 0)
    assert (len(source.train), len(source.test)) == (12, 1)
    assert "lines 2, 3" in " ".join(source.notes)


def test_a_check_names_the_lines_of_everything_that_is_wrong(tmp_path):
    file = written(
        tmp_path / "a.jsonl",
        asked("Ann paid 52 euros.", split="train"),
        asked("", split="train"),
        asked("Ann paid 51 euros.", split="train"),
        asked("Ann paid 52 euros.", split="test"),
        asked("word " * 200 + "52", split="train"),
        asked("CafÃ© 52", split="train"),
        {"text": "Bob paid 52.", "question": "", "answer": "52", "split": "train"},
        asked("Eve paid 52.", split="test"),
        asked("Eve paid 52.", answer="Eve", split="test"),
        asked("Max paid 52.", split="test"),
        asked("Max paid 52.", split="test"),
    )
    report = said(file)
    for sentence in (
        "needs repair",
        "Lines without text: 1 (line 2)",
        "Lines without question: 1 (line 7)",
        "cannot learn them: 1 (line 3)",
        "for training and for testing (testing keeps it): 1 (lines 1 = 4)",
        "with different answers: 1 (lines 8 = 9)",
        "The same line more than once (copies stay on one side): 2 (lines 1 = 4, lines 10 = 11)",
        "wrong encoding (such as Ã© for é) or lost characters: 1 (line 6)",
        "more than 150 words",
        "1 (line 5)",
    ):
        assert sentence in report
    assert "can be trained on" in said(file, skip_bad=True)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"text": "a", "summary": "b"}\nnonsense\n', "line 2 is no JSON"),
        (b'{"text": "a"}\n', 'line 1 has "text", but no'),
        (b'{"summary": "a"}\n', "line 1 must be an object with 'text'"),
        (b'{"text": "\xe9", "summary": "b"}\n', "not UTF-8 in line 1"),
        (b'{"text": "a", "summary": ""}\n{"text": "b", "summary": "b"}\n', "has no summary in line 1"),
        (b'{"text": "a", "summary": "b"}\n', "no line for testing"),
        (b'{"text": "a", "summary": "b", "split": "other"}\n', "in line 1 it says 'other'"),
        (b'{"text": "a", "summary": "b", "split": "test"}\n{"text": "b", "summary": "b"}\n', "but not in line 2"),
    ],
)
def test_files_that_cannot_be_used_are_explained(content, sentence, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        open_jsonl(str(tmp_path / "a.jsonl"), TextConfig(), 0)


def test_lines_that_are_not_utf8_are_counted_by_a_check(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a", "summary": "b"}\n{"text": "\xe9", "summary": "b"}\n')
    assert "Lines that are not UTF-8: 1 (line 2)" in said(tmp_path / "a.jsonl")
