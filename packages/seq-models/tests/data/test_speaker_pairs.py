"""Recordings of many voices: generated, and the user's own."""

from pathlib import Path

import numpy as np
import pytest

from torchworks.seq_models.data.speaker_pairs import (
    LENGTH,
    RATE,
    in_length,
    is_tested,
    new_voice,
    open_speaker_pairs,
    speakers_in,
)
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data.sounds import wav_bytes


def test_tested_voices_have_combinations_of_size_and_pitch_that_training_voices_have_not():
    random = np.random.default_rng(0)
    for tested in (False, True):
        assert all(is_tested(new_voice(random, tested=tested)) == tested for _ in range(20))


def test_each_voice_has_its_recordings_on_one_side():
    source = open_speaker_pairs("train=2,test=2,each=2", LoaderConfig(), 0)
    sides = [[int(part[i]["label"]) for i in range(len(part))] for part in (source.train, source.test)]
    assert sides == [[0, 0, 1, 1], [2, 2, 3, 3]]
    assert source.train[0]["audio"].shape == (LENGTH,)
    assert not source.train[0]["audio"].equal(source.train[1]["audio"])


def test_own_recordings_lie_in_a_folder_for_each_speaker(tmp_path: Path):
    for name in ("ann", "bob"):
        (tmp_path / name).mkdir()
        for i in range(2):
            samples = np.full(RATE // 2 * (i + 1) ** 3, 0.1, np.float32)
            (tmp_path / name / f"{i}.wav").write_bytes(wav_bytes(samples, RATE))
    assert {name: [len(sound) for sound in sounds] for name, sounds in speakers_in(tmp_path).items()} == {
        "ann": [LENGTH] * 2, "bob": [LENGTH] * 2,
    }  # fmt: skip
    source = open_speaker_pairs(str(tmp_path), LoaderConfig(test_fraction=0.5), 0)
    assert len(source.train) == len(source.test) == 2
    with pytest.raises(UserError, match="one folder for each speaker"):
        speakers_in(tmp_path / "ann")


def test_short_sounds_are_repeated_and_of_long_ones_the_middle_is_taken():
    assert in_length(np.array([1.0, 2.0]))[:5].tolist() == [1, 2, 1, 2, 1]
    assert in_length(np.arange(LENGTH + 10.0))[0] == 5
