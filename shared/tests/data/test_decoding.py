"""A user's text is read the same whatever way it comes in, and what is no text is named."""

import io
import sys
from pathlib import Path

import pytest

from torchworks.shared.config import UserError
from torchworks.shared.data.decoding import as_utf8, decoded, text_bytes

TEXT = "größer\nals 猫\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_text_is_the_same_in_each_encoding_with_its_mark(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes(TEXT.encode(encoding))
    assert decoded(text_bytes(tmp_path / "a.txt"), "a.txt") == TEXT


def test_a_dash_is_the_standard_input_however_often_it_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode("utf-16"))))
    assert [text_bytes(Path("-")).decode() for _ in range(2)] == [TEXT] * 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe\x00\x01" * 9, "a.txt is not a text file in UTF-8, nor in UTF-16"),
        (b"one\ntwo\0", "a.txt is a binary file, not a text: line 2 has a byte of 0"),
        (b"%PDF-1.7", "it is a PDF"),
    ],
)
def test_what_is_no_text_is_refused_by_what_it_is(content, sentence):
    with pytest.raises(UserError, match=sentence):
        as_utf8(content, "a.txt")


def test_the_line_of_the_first_wrong_byte_is_named():
    with pytest.raises(UserError, match="line 2 has the byte 0xe9"):
        decoded(b"one\ncaf\xe9", "a.txt")


@pytest.mark.parametrize(("name", "sentence"), [("none", "There is no file"), (".", "is a folder")])
def test_what_cannot_be_read_is_explained(tmp_path, name, sentence):
    with pytest.raises(UserError, match=f"{sentence}.*Name another"):
        text_bytes(tmp_path / name, "Name another.")
