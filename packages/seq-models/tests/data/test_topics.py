"""Topics of conversations: no copies, groups on one side, small topics left out."""

import pytest

from torchworks.seq_models.data.conversations import LEFT_OUT, key_of, read_topics
from torchworks.seq_models.data.topics import NO_TOPIC, connected, open_topics, topic_groups
from torchworks.shared.config import TextConfig, UserError
from torchworks.shared.data import labels_of, open_source
from torchworks.shared.data.texts import texts_in


@pytest.fixture(scope="module")
def source():
    return open_source("topics", TextConfig())


def test_texts_are_connected_by_conversations_that_share_one():
    found = connected([["A?", "b"], ["c", "d"], ["a", "e"], ["D", "f"], []])
    assert [sorted(group) for group in found] == [["A?", "b", "e"], ["c", "d", "f"]]


def test_no_text_is_there_twice_and_no_conversation_is_in_both_parts(source):
    train, test = ({key_of(text) for text in texts_in(part)} for part in (source.train, source.test))
    assert len(train | test) == len(source.train) + len(source.test) > 1000
    for conversations in read_topics("topics").values():
        for conversation in conversations:
            keys = {key_of(str(turn)) for turn in conversation}
            assert not (keys & train and keys & test)


def test_every_topic_is_trained_and_tested_and_those_left_out_are_named(source):
    classes = source.schema["label"].classes
    assert len(classes) == 12
    assert labels_of(source.train).bincount(minlength=12).min() >= 20
    assert labels_of(source.test).bincount(minlength=12).min() >= 5
    for topic in (*NO_TOPIC, *LEFT_OUT, "tech_support"):
        assert topic not in classes
        assert topic in source.notes[0]


def test_a_text_of_two_topics_is_in_neither_and_small_topics_are_named():
    topics = {"a": [[f"question {i}", f"answer {i}", "yes"] for i in range(20)], "b": [["yes", "no"]], "greetings": []}
    groups, small = topic_groups(topics)
    assert small == ["b"]
    assert len(groups) == 20
    assert ("yes", "a") not in [row for group in groups for row in group]


def test_nothing_may_follow_its_name():
    with pytest.raises(UserError, match="takes nothing after a colon"):
        open_topics("ai", TextConfig(), 0)
