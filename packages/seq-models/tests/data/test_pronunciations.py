"""The dictionary of pronunciations: read, split, checked."""

from pathlib import Path

import pytest

from torchworks.seq_models.data.pairs import pairs_in
from torchworks.seq_models.data.pronunciations import by_word, divided, open_pronunciations, read_dictionary, stems
from torchworks.shared.config import LoaderConfig, UserError

OWN = ";;; mine\nbox  B AA K S\nboxes\tB AA K S IH Z\nBox(2) B AO K S\nbox's B AA K S IH Z\ncat K AE T\ncats K AE T S\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "own.dict"
    file.write_text(OWN)
    return file


def test_variants_belong_to_their_word_and_comments_to_none(own: Path):
    words, wrong = read_dictionary(own)
    assert words["box"] == ["B AA K S", "B AO K S"]
    assert [*words] == ["box", "boxes", "box's", "cat", "cats"]
    assert not wrong


def test_plurals_and_possessives_have_the_stem_of_their_word():
    words = ["box", "boxes", "boxes'", "box's", "city", "cities", "as", "bus", "gas", "glass", "'s"]
    assert stems(words) == ["box", "box", "box", "box", "city", "city", "as", "bus", "gas", "glass", "'s"]


def test_no_word_of_the_test_part_has_its_plural_in_training(own: Path):
    source = open_pronunciations(str(own), LoaderConfig(test_fraction=0.5), 0)
    train, test = (by_word(list(pairs_in(part))) for part in (source.train, source.test))
    assert {*train, *test} == {"box", "boxes", "box's", "cat", "cats"}
    assert not {*stems([*train, *test])[: len(train)]} & {*stems([*train, *test])[len(train) :]}


def test_the_bundled_words_are_split_the_same_way_for_the_same_seed():
    pytest.importorskip("pocketsphinx", reason="needs the extra speech")
    first, again, other = (open_pronunciations("words=300", LoaderConfig(), seed) for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    words = by_word([*pairs_in(first.train), *pairs_in(first.test)])
    assert len(words) == 300


def test_lines_without_sounds_are_named_and_may_be_left_out(own: Path):
    own.write_text(OWN + "dog\n")
    with pytest.raises(UserError, match="word alone: 1 \\(line 8\\)"):
        open_pronunciations(str(own), LoaderConfig(), 0)
    assert "Left out" in open_pronunciations(str(own), LoaderConfig(skip_bad=True), 0).notes[0]
    report = open_pronunciations.check(f"pronunciations:{own}", LoaderConfig(), 0)
    assert [finding.level for finding in report.findings][:2] == ["problem", "warning"]


def test_words_alone_are_no_dictionary(tmp_path: Path):
    file = tmp_path / "one.dict"
    file.write_text("box B AA K S\n")
    with pytest.raises(UserError, match="too few words"):
        open_pronunciations(str(file), LoaderConfig(), 0)


def test_whole_stems_are_held_out():
    words = {f"{word}{ending}": ["A"] for word in ("dog", "cat", "cow", "hen") for ending in ("", "s", "'s")}
    rest, held = divided(words, 0.25, 0)
    assert len(held) == 3
    assert len({*stems([word for word, _ in rest])}) == 3
