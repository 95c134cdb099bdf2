"""Long texts as data: Python's own, and one's own files."""

import codecs

import numpy as np
import pytest

from torchworks.seq_models.data import text_files, token_stream
from torchworks.seq_models.data.bundled_text import without_repetitions
from torchworks.seq_models.data.documents import Document, LongTextConfig, cut, documents_of
from torchworks.seq_models.data.token_stream import SlidingWindows, characters_of, train_tokenizer
from torchworks.seq_models.language.functions import parsed
from torchworks.shared.config import UserError
from torchworks.shared.data import check, open_source
from torchworks.shared.text import Characters

LINES = "".join(f"This is line number {i}, and it is not like any other line.\n" for i in range(2000))


def opened(path, **options):
    return open_source(f"text:{path}", LongTextConfig(**options))


def text_of(documents):
    return "".join(piece for document in documents for piece in document.pieces())


# ------------------------------------------------------------------------------------------------ bundled


def test_documentation_is_whole_topics_and_no_long_paragraph_is_in_two():
    source = open_source("documentation", LongTextConfig())
    train, test = documents_of(source.train), documents_of(source.test)
    names = [document.name for document in (*train, *test)]
    assert names == sorted(set(names))
    assert 0.025 < sum(map(len, test)) / sum(map(len, (*train, *test))) < 0.1
    paragraphs = [" ".join(text.split()) for text in text_of([*train, *test]).split("\n\n")]
    long = [text for text in paragraphs if len(text) > 40]
    assert len(long) == len(set(long)) > 1000


def test_the_notes_say_which_text_it_is():
    (note,) = open_source("documentation", LongTextConfig()).notes
    assert "SHA-256" in note
    assert "characters in" in note


def test_code_is_files_that_parse():
    source = open_source("code", LongTextConfig())
    documents = [*documents_of(source.train), *documents_of(source.test)]
    assert {"abc.py", "json/decoder.py"} <= {document.name for document in documents}
    assert not any(document.name.startswith(("test/", "site-packages/")) for document in documents)
    assert all(parsed(text_of([document])) for document in documents[::40])


def test_paragraphs_are_kept_where_they_come_first():
    long, short = "a paragraph that is long enough to be told from others", "short"
    kept = without_repetitions({"a": f"{long}\n\n{short}", "b": f"{short}\n\n{long}", "c": long})
    assert kept == {"a": f"{long}\n\n{short}\n", "b": f"{short}\n"}


@pytest.mark.parametrize("name", ["documentation", "code"])
def test_a_mistaken_name_is_explained(name):
    with pytest.raises(UserError, match="takes nothing after a colon"):
        open_source(f"{name}:3", LongTextConfig())


# ------------------------------------------------------------------------------------------------ cutting


def test_a_long_text_is_cut_between_lines_and_nothing_is_lost(tmp_path):
    (tmp_path / "book.txt").write_text(LINES)
    source = opened(tmp_path / "book.txt")
    (before,), (after,) = documents_of(source.train), documents_of(source.test)
    assert text_of([before]) + text_of([after]) == LINES
    assert text_of([before]).endswith("\n")
    assert 0.045 < len(after) / len(LINES) < 0.055
    assert next(after.lines()) == (after.line, LINES.splitlines()[after.line - 1])


def test_documents_of_a_folder_stay_whole_where_they_are_small_enough(tmp_path):
    for i in range(40):
        (tmp_path / f"{i:02}.txt").write_text(LINES[i * 500 : (i + 1) * 500])
    source = opened(tmp_path)
    assert [document.name for document in documents_of(source.test)] == ["38.txt", "39.txt"]
    assert len(source.train) == 38


def test_a_text_without_line_ends_is_cut_between_characters():
    before, after = cut([Document.of("a", "äöü" * 100)], 0.1)
    assert text_of(before) + text_of(after) == "äöü" * 100


def test_a_text_too_short_to_be_divided_is_refused(tmp_path):
    (tmp_path / "one.txt").write_text("a")
    with pytest.raises(UserError, match="too little to divide"):
        opened(tmp_path / "one.txt")


# ------------------------------------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"abc\ndef\x00ghi", r"zero byte at offset 7 \(line 2\)"),
        ("one\ntwo\ncafé".encode("latin-1"), r"byte 0xe9 at offset 11 \(line 3\)"),
        (b"a" * ((1 << 20) - 1) + "é".encode() + b"\n\xff", r"byte 0xff at offset 1,048,578 \(line 2\)"),
        (b"\xff\xfet", "nor in UTF-16, as which it begins"),
        ("cut short: é".encode()[:-1], "byte 0xc3 at offset 11"),
    ],
)
def test_a_file_that_is_no_text_is_named_with_the_place(tmp_path, content, sentence):
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(UserError, match=rf"^bad\.txt .*{sentence}"):
        opened(tmp_path / "bad.txt")
    report = check(f"text:{tmp_path / 'bad.txt'}", LongTextConfig())
    assert not report.ok


def test_one_bad_file_of_a_folder_can_be_left_out(tmp_path):
    (tmp_path / "good.txt").write_text(LINES)
    (tmp_path / "bad.txt").write_bytes(b"caf\xe9")
    with pytest.raises(UserError, match=r"bad\.txt .*--loader\.skip-bad"):
        opened(tmp_path)
    source = opened(tmp_path, skip_bad=True)
    (note,) = source.notes
    assert note.startswith("left out: bad.txt is not in UTF-8: byte 0xe9 at offset 3 (line 1).")


@pytest.mark.parametrize(
    ("name", "sentence"), [("", "needs a file"), ("missing", "no file or folder"), (".", r"without \.txt files")]
)
def test_a_path_without_texts_is_explained(tmp_path, monkeypatch, name, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=sentence):
        open_source(f"text:{name}", LongTextConfig())


def test_too_large_a_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(text_files.MOST + 1)  # takes no room on the disk
    with pytest.raises(UserError, match=r"4\.0 GiB, but at most 4 GiB"):
        opened(tmp_path / "huge.txt")


def test_a_byte_order_mark_and_line_ends_of_windows_are_no_part_of_the_text(tmp_path):
    (tmp_path / "book.txt").write_bytes(codecs.BOM_UTF8 + LINES.replace("\n", "\r\n").encode())
    source = opened(tmp_path / "book.txt")
    assert text_of([*documents_of(source.train), *documents_of(source.test)]) == LINES


def test_a_text_in_utf16_is_read_by_its_mark(tmp_path):
    (tmp_path / "plain.txt").write_text(LINES, encoding="utf-8")
    (tmp_path / "wide.txt").write_text(LINES, encoding="utf-16")
    found = [
        next(iter(documents_of(opened(tmp_path / f"{name}.txt").train))).content.tobytes() for name in ("plain", "wide")
    ]
    assert found[0] == found[1]


def test_check_says_what_looks_wrong_with_line_numbers(tmp_path):
    lines = LINES.splitlines()
    lines[4] = "a lost sign: \ufffd"
    lines[6] = "a bell: \a"
    lines[8] = "x" * 20_000
    lines[-1] = lines[10]
    (tmp_path / "book.txt").write_text("\n".join(lines) + "\n")
    report = str(check(f"text:{tmp_path / 'book.txt'}", LongTextConfig()))
    for sentence in ("(U+FFFD): 1 (book.txt:5)", "control characters: 1 (book.txt:7)", "(book.txt:9)"):
        assert sentence in report
    assert "are for training too: 1 (book.txt:2000) of" in report


def test_check_names_documents_that_are_in_both_parts(tmp_path):
    for i in range(40):
        (tmp_path / f"{i:02}.txt").write_text(LINES[i * 500 : (i + 1) * 500])
    (tmp_path / "39.txt").write_text((tmp_path / "03.txt").read_text())
    report = check(f"text:{tmp_path}", LongTextConfig())
    assert "39.txt = 03.txt" in str(report)
    assert report.ok


# ------------------------------------------------------------------------------------------------ tokens


@pytest.mark.parametrize(("kind", "size"), [("characters", 0), ("bpe", 300)])
def test_tokens_are_the_whole_text_and_count_its_characters(kind, size):
    documents = [Document.of("a", LINES + "naïve “ΑΒΓ”\n" * 2), Document.of("b", LINES[:1000])]
    tokenizer = train_tokenizer(documents, kind, size)
    tokens = token_stream.token_stream(documents, tokenizer)
    end = tokenizer.special("<end>")
    assert tokens[0] == tokens[-1] == end
    assert (tokens == end).sum() == 3
    assert tokenizer.decode(tokens) == text_of(documents)
    assert characters_of(tokenizer)[tokens.astype(np.int64)].sum() == len(text_of(documents))


def test_a_text_too_large_to_hold_is_mapped_and_the_same(monkeypatch):
    documents = [Document.of("a", LINES), Document.of("b", LINES)]
    tokenizer = train_tokenizer(documents, "characters", 0)
    held = token_stream.token_stream(documents, tokenizer)
    monkeypatch.setattr(token_stream, "HELD", 1000)
    mapped = token_stream.token_stream(documents, tokenizer)
    assert isinstance(mapped, np.memmap)
    assert np.array_equal(held, mapped)


def test_a_file_mapped_from_the_disk_gives_the_same_text(tmp_path, monkeypatch):
    (tmp_path / "book.txt").write_text(LINES)
    held = opened(tmp_path / "book.txt")
    monkeypatch.setattr(text_files, "MAPPED", 1000)
    mapped = opened(tmp_path / "book.txt")
    assert mapped.fingerprint == held.fingerprint
    assert isinstance(documents_of(mapped.train)[0].content, np.memmap)


def test_a_character_seen_once_is_unknown():
    tokenizer = train_tokenizer([Document.of("a", "aabbc")], "characters", 0)
    assert isinstance(tokenizer, Characters)
    assert tokenizer.tokens == ("a", "b")


@pytest.mark.parametrize("size", [2, 3, 9, 16, 17, 40, 41])
def test_each_token_but_the_first_is_scored_once(size):
    tokens = np.arange(size, dtype=np.uint8)
    windows = SlidingWindows(tokens, 16, 2)
    scored, contexts = [], []
    batches = list(windows)
    assert len(batches) == len(windows)
    for batch in batches:
        assert (batch["target"] == batch["tokens"] + 1).all()
        scored += batch["target"][batch["scored"]].tolist()
        contexts += (batch["scored"].nonzero()[:, 1] + 1).tolist()
    assert scored == list(range(1, size))
    assert all(context >= min(place, 8) for place, context in zip(scored, contexts, strict=True))
