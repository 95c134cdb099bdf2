"""Languages to be told apart."""

import pytest

from torchworks.seq_models.data.languages import LANGUAGES, ceiling, emoji_names
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import labels_of, open_source
from torchworks.shared.data.texts import texts_in


@pytest.fixture(scope="module")
def source():
    return open_source("languages", LoaderConfig())


def test_there_are_fourteen_languages_with_over_a_thousand_phrases_each(source):
    assert source.schema["label"].classes == tuple(sorted(LANGUAGES.values()))
    assert len(LANGUAGES) == 14
    assert labels_of(source.train).bincount().min() > 1000


def test_no_emoji_of_the_test_part_is_named_in_training(source):
    train, test = ({*texts_in(part)} for part in (source.train, source.test))
    assert not train & test
    tested = [names for names in emoji_names().values() if names["en"] in test]
    assert len(tested) > 300
    assert not {names["de"] for names in tested} & train


def test_the_ceiling_counts_phrases_of_several_languages():
    assert ceiling([("robot", "English"), ("robot", "Turkish"), ("chat", "French"), ("cat", "English")]) == 0.75


def test_the_source_states_its_ceiling_and_license(source):
    assert "a ceiling of 9" in source.notes[0]
    assert "CLDR" in source.licence


def test_nothing_may_follow_its_name():
    with pytest.raises(UserError, match="takes nothing after a colon"):
        open_source("languages:de", LoaderConfig())
