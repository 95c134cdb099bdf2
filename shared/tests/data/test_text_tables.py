"""Tables of texts: what is read, how it is split, and what `check` says of each line that is wrong."""

import pytest

from torchworks.shared.config import TextConfig, UserError
from torchworks.shared.data import check, labels_of, open_source
from torchworks.shared.data.texts import texts_in

PLAIN = "text,label\n" + "".join(f"good number {i},yes\nbad number {i},no\n" for i in range(20))


@pytest.fixture
def table(tmp_path):
    """Writes a file and gives the name of the data."""

    def write(content: str | bytes, name: str = "table.csv") -> str:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return f"csv:{tmp_path / name}"

    return write


def rows(source) -> list[tuple[str, str]]:
    names = source.schema["label"].classes
    return [
        (text, names[label])
        for part in (source.train, source.test)
        for text, label in zip(texts_in(part), labels_of(part).tolist(), strict=True)
    ]


def findings(spec: str) -> str:
    return str(check(spec, TextConfig()))


def test_csv_tsv_and_jsonl_hold_the_same(table):
    content = 'text,label\n"one, and ""two"" é",a\n three ,b\n"four\nfive",a\nsix,b\n'
    tabs = 'text\tlabel\n"one, and ""two"" é"\ta\nthree\tb\n"four\nfive"\ta\nsix\tb\n'
    lines = '{"text": "one, and \\"two\\" é", "label": "a"}\n\n{"text": "three", "label": "b"}\n'
    lines += '{"text": "four\\nfive", "label": "a"}\n{"text": "six", "label": "b", "more": 1}'
    files = [
        table(content),
        table(tabs, "table.tsv"),
        table(lines, "table.jsonl"),
        table(content.encode("utf-16"), "b.csv"),
    ]
    sources = [open_source(spec, TextConfig()) for spec in files]
    expected = [("four\nfive", "a"), ('one, and "two" é', "a"), ("six", "b"), ("three", "b")]
    assert [sorted(rows(source)) for source in sources] == [expected] * 4


def test_without_a_column_split_both_classes_are_tested_and_equal_texts_stay_together(table):
    source = open_source(table(PLAIN + "Good  Number 3,yes\n"), TextConfig())
    parts = [{" ".join(text.lower().split()) for text in texts_in(part)} for part in (source.train, source.test)]
    assert not parts[0] & parts[1]
    assert len(source.test) == pytest.approx(8, abs=1)
    assert set(labels_of(source.test).tolist()) == {0, 1}


def test_rows_for_validation_are_left_out_and_that_is_said(table):
    source = open_source(table("text,label,split\na,x,train\nb,y,val\nc,y,test\n"), TextConfig())
    assert rows(source) == [("a", "x"), ("c", "y")]
    assert source.notes == ("Rows of a further part of the split, left out: 1.",)


def test_a_column_split_is_kept_and_test_texts_are_not_trained_on(table):
    content = "text,label,split\na a,x,train\nb b,y,train\nc c,x,test\nA  a,x,test\n"
    source = open_source(table(content), TextConfig())
    assert [*texts_in(source.train)] == ["b b"]
    assert [*texts_in(source.test)] == ["c c", "A  a"]
    assert source.notes == ("Training rows left out because testing has the same text: 1.",)


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ("text,lable\na,b\n", "t.csv", "lacks the column label. Did you mean 'lable'?"),
        ("", "t.csv", "lacks the column text and the column label"),
        ("text,label\n", "t.csv", "has no row"),
        ("text,label\na,x\n,x\nb,\n", "t.csv", "no text in line 3 and no label in line 4"),
        ("text,label,split\na,x,train\nb,x,perhaps\n", "t.csv", "it says 'perhaps' in line 3"),
        ("text,label,split\na,x,train\nb,x,train\n", "t.csv", "gives no row for testing"),
        (b"text,label\na,x\nb\0c,x\n", "t.csv", "line 3 has a byte of 0"),
        (b"text,label\na,x\ncaf\xe9,x\n", "t.csv", "line 3 has the byte 0xe9"),
        ('text,label\n"a,x\n' + "b,y\n" * 40_000, "t.csv", "opens a cell in line 2 and is not closed"),
        ('text,label\na,x\n"b,y\n"c",z\n', "t.csv", "opens a cell in line 3 and is not closed"),
        ('{"text": "a", "label": "x"}\n{"text": "a"}\n', "t.jsonl", "line 2 must be an object with 'text' and 'label'"),
        ('{"text": "a", "label": "x"}\n{"text": \n', "t.jsonl", "line 2 is no JSON"),
        ("text,label\na red, big ball,good\n", "t.csv", r"line 2 has 3 cells, but the first line names 2 columns"),
    ],
)
def test_a_mistake_is_named_with_its_line(table, content, name, said):
    with pytest.raises(UserError) as raised:
        open_source(table(content, name), TextConfig())
    assert said in str(raised.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path, said in ((tmp_path / "none.csv", "There is no file"), (tmp_path, "is a folder")):
        with pytest.raises(UserError, match=said):
            open_source(f"csv:{path}", TextConfig())


def test_rows_without_text_or_label_are_left_out_if_that_is_allowed(table):
    source = open_source(table(PLAIN + ",yes\nlone,\n"), TextConfig(skip_bad=True))
    assert len(source.train) + len(source.test) == 40
    assert "no text in line 42" in source.notes[0]


def test_check_names_every_kind_of_flaw_with_its_lines(table):
    content = (
        "text,label,split\n"
        "good but dear,positive,train\n"  # 2
        '"never\nagain",Positive,train\n'  # 3
        ",positive,test\n"  # 5
        "Good  but DEAR,negative,test\n"  # 6
        "so so,,train\n"  # 7
        "cafÃ© was nice,positive,test\n"  # 8
        "?!,positive,train\n"  # 9
        f"{'word ' * 300},positive,train\n"  # 10
        "fine,odd,test\n"  # 11
    )
    said = findings(table(content))
    for text in (
        "needs repair",
        "problem: Rows without a text: 1 (line 5)",
        "problem: Rows without a label: 1 (line 7)",
        "problem: Labels that differ in case or spaces alone are different classes: 'positive' first in line 2, "
        "'Positive' first in line 3",
        "problem: Classes that are never trained: 2 (negative, odd)",
        "warning: The same text under different labels: 1 (lines 2 = 6)",
        "warning: The same text for training and for testing (testing keeps it): 1 (lines 2 = 6)",
        "lost characters: 1 (line 8)",
        "without any letter or digit: 1 (line 9)",
        "more than 256 words, whose rest a model is not shown unless --longest says more: 1 (line 10)",
        "Words in a text: 3 in the middle, at most 300 (line 10)",
    ):
        assert text in said, f"{text}\n\n{said}"


def test_check_names_all_lines_in_another_encoding(table):
    assert "Lines that are not UTF-8: 2 (lines 2, 4)" in findings(
        table("text,label\né,a\nb,b\nü,a\n".encode("latin-1"))
    )


def test_good_data_can_be_trained_on(table):
    said = findings(table(PLAIN))
    assert "can be trained on" in said
    assert "Rows: 40. Classes: 2 (no 20, yes 20)" in said
    assert "one class" in findings(table("text,label\na,x\nb,x\nc,x\n"))
