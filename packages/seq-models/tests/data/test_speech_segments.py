"""Sounds and when somebody speaks in them: generated, and the user's own."""

from pathlib import Path

import numpy as np
import pytest

from torchworks.seq_models.data.speech_segments import (
    BACKGROUNDS,
    FRAMES,
    LENGTH,
    RATE,
    background,
    frames_of,
    joined,
    open_speech_segments,
    read_segments,
    scene,
)
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data.sounds import wav_bytes


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_each_background_is_sound_of_the_right_length(kind: str):
    sound = background(kind, np.random.default_rng(0))
    assert sound.shape == (LENGTH,)
    assert np.isfinite(sound).all()
    assert sound.std() > 0


def test_speech_is_louder_within_its_segments_than_between_them():
    sound, segments, kind = scene(np.random.default_rng(1), 0)
    assert BACKGROUNDS[kind] == "silence"
    assert segments
    speech = np.repeat(frames_of(segments, LENGTH)[:-1], 160) > 0.5
    assert np.square(sound[speech]).mean() > 30 * np.square(sound[~speech]).mean()


def test_the_same_seed_gives_the_same_sounds_and_the_parts_share_none():
    first, again = (open_speech_segments("train=2,test=2", LoaderConfig(), 0) for _ in range(2))
    assert first.train[0]["audio"].equal(again.train[0]["audio"])
    assert not first.train[0]["audio"].equal(first.test[0]["audio"])


def test_frames_are_marked_by_their_centres_and_unknown_behind_the_end():
    speech = frames_of([(0.02, 0.05)], 1600)
    assert len(speech) == FRAMES
    assert speech[:11].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert (speech[11:] == -1).all()
    assert joined([(1, 2), (0, 0.5), (2.01, 3)]) == [(0, 0.5), (1, 3)]


def test_own_files_are_cut_into_pieces_with_their_segments(tmp_path: Path):
    for name, seconds, text in (("a", 5.0, "0.5\t1.5\thello\n4.1 4.6\n"), ("b", 1.0, "")):
        samples = np.random.default_rng(0).normal(0, 0.1, int(seconds * RATE))
        (tmp_path / f"{name}.wav").write_bytes(wav_bytes(samples, RATE))
        (tmp_path / f"{name}.txt").write_text(text)
    source = open_speech_segments(str(tmp_path), LoaderConfig(test_fraction=0.5), 0)
    parts = {len(part): part for part in (source.train, source.test)}
    assert {*parts} == {1, 2}
    second = parts[2][1]["speech"]
    assert (second[10:60] == 1).all()
    assert second[61:101].tolist() == [0.0] * 40
    assert (second[101:] == -1).all()


def test_lines_that_are_no_segments_are_named(tmp_path: Path):
    file = tmp_path / "a.txt"
    file.write_text("0 1\n2 1\nhello\n")
    with pytest.raises(UserError, match="no start and end in seconds: 2, 3"):
        read_segments(file)
    with pytest.raises(UserError, match="no folder"):
        open_speech_segments(str(tmp_path / "none"), LoaderConfig(), 0)
