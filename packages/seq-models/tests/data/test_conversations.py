"""Conversations: read as plain data, without copies, split by their texts."""

from torchworks.seq_models.data.conversations import key_of, open_conversations, read_corpus, turns_of
from torchworks.seq_models.data.questions import rows_of
from torchworks.shared.config import TextConfig


def test_turns_are_texts_with_the_reply_that_follows():
    assert [(row.text, row.reply) for row in turns_of(["Hello", "Hi", " ", "How  are you?"])] == [("Hello", "Hi")]
    assert all(len(conversation) > 1 for conversation in read_corpus())


def test_no_turn_is_there_twice_and_no_text_is_in_both_parts():
    source = open_conversations("", TextConfig(), 0)
    parts = [rows_of(part) for part in (source.train, source.test)]
    rows = [row for part in parts for row in part]
    assert len(rows) == len(set(rows)) > 800
    keys = [{key_of(row.text) for row in part} for part in parts]
    assert not keys[0] & keys[1]
    assert 0.15 < len(parts[1]) / len(rows) < 0.25
