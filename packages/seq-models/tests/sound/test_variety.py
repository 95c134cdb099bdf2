"""Voices, pronunciations and cuts that recognition is trained on."""

import numpy as np

from torchworks.seq_models.sound.lexicon import DIGITS
from torchworks.seq_models.sound.phonemes import DURATIONS, without_stress
from torchworks.seq_models.sound.variety import LEAST, LOST, VARIANTS, cut, varied_pronunciations, varied_voice


def test_each_digit_has_pronunciations_that_the_speaker_can_say():
    assert set(VARIANTS) == set(DIGITS)
    sounds = {without_stress(sound) for each in VARIANTS.values() for said in each for sound in said}
    assert sounds <= set(DURATIONS)


def test_voices_follow_from_their_numbers_and_differ():
    one, two, other = (varied_voice(np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one == two != other


def test_a_digit_is_said_in_several_ways_and_other_words_as_the_lexicon_has_them():
    random = np.random.default_rng(0)
    found = {varied_pronunciations(("three", "and"), random)["three"] for _ in range(40)}
    assert 3 < len(found) <= len(VARIANTS["three"])
    assert "and" not in varied_pronunciations(("and",), random)


def test_a_cut_takes_little_from_the_ends_and_leaves_short_sounds_alone():
    random = np.random.default_rng(0)
    sound = np.arange(8_000, dtype=np.float32)
    parts = [cut(sound, 8_000, random) for _ in range(30)]
    assert all(len(part) >= 8_000 * (1 - 2 * LOST) and np.all(np.diff(part) == 1) for part in parts)
    assert any(part[0] > 0 for part in parts)
    assert any(part[-1] < 7_999 for part in parts)
    assert len(cut(sound[: int(LEAST * 8_000)], 8_000, random)) == LEAST * 8_000
