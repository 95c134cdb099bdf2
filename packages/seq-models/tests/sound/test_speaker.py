"""The speaker: what it says is the same each time, has phoneme times and pitch that are true, and is understood."""

from pathlib import Path

import numpy as np
import pytest

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.sound.commands import Say
from torchworks.seq_models.sound.lexicon import DIGITS, dictionary, lexicon, pronunciations
from torchworks.seq_models.sound.phonemes import DURATIONS, without_stress
from torchworks.seq_models.sound.speaker import say
from torchworks.seq_models.sound.use import say_text
from torchworks.seq_models.sound.voice import Channel, Voice, random_channel, random_voice, through
from torchworks.shared.config import UserError
from torchworks.shared.data.sounds import read_sound


def test_equal_arguments_give_equal_samples_and_another_seed_gives_others():
    voice = random_voice(np.random.default_rng(3))
    channel = random_channel(np.random.default_rng(4))
    one, two, three = (say("seven", voice, seed, channel) for seed in (1, 1, 2))
    assert np.array_equal(one.samples, two.samples)
    assert one.samples.shape != three.samples.shape or not np.array_equal(one.samples, three.samples)


def test_phonemes_and_words_cover_the_sound_in_order():
    spoken = say("six two", Voice(), 0, pauses=0.3)
    assert [segment.name for segment in spoken.phonemes if segment.name != "SIL"] == ["S", "IH", "K", "S", "T", "UW"]
    starts, ends = zip(*((segment.start, segment.end) for segment in spoken.phonemes), strict=True)
    assert starts[0] == 0
    assert starts[1:] == ends[:-1]
    assert ends[-1] == pytest.approx(len(spoken.samples) / spoken.rate)
    assert [word.name for word in spoken.words] == ["six", "two"]
    assert spoken.words[0].start == pytest.approx(0.1, abs=0.006)


def test_vowels_are_loud_and_silence_is_silent():
    spoken = say("[SIL AA SIL]", Voice(breath=0), 0)
    level = {
        segment.name: np.abs(
            spoken.samples[int((segment.start + 0.02) * 16_000) : int((segment.end - 0.02) * 16_000)]
        ).max()
        for segment in spoken.phonemes[1:]
    }
    assert level["AA"] > 0.1
    assert level["SIL"] < 0.02 * level["AA"]


@pytest.mark.parametrize("pitch", [90.0, 220.0])
def test_the_pitch_is_that_of_the_sound(pitch):
    spoken = say("[AA AA AA]", Voice(pitch=pitch, melody=0, breath=0, roughness=0), 0)
    middle = spoken.samples[4_000:8_000].astype(float)
    echo = np.correlate(middle, middle, "full")[len(middle) - 1 :]
    lags = np.arange(16_000 // 350, 16_000 // 60)
    assert 16_000 / lags[echo[lags].argmax()] == pytest.approx(pitch, rel=0.03)
    assert np.median(spoken.pitch[spoken.pitch > 0]) == pytest.approx(pitch, rel=0.03)


def test_every_phoneme_can_be_said_at_every_rate():
    everything = [phoneme for name in DURATIONS for phoneme in (name, "AH0")]
    for rate in (8_000, 16_000, 22_050):
        samples = say(everything, Voice(), 0, rate=rate).samples
        assert np.isfinite(samples).all()
        assert 0.1 < np.abs(samples).max() <= 1


def test_a_channel_changes_no_length_and_brings_the_noise_it_is_told():
    quiet = say("one", Voice(), 0).samples
    noisy = through(quiet, 16_000, Channel(noise=10.0), np.random.default_rng(0))
    assert noisy.shape == quiet.shape
    scale = np.dot(noisy, quiet) / np.dot(quiet, quiet)
    rest = np.square(noisy - scale * quiet).mean()
    assert 10 * np.log10(np.square(scale * quiet).mean() / rest) == pytest.approx(10, abs=1)


def test_unknown_phonemes_and_empty_texts_are_refused():
    with pytest.raises(UserError, match="no phoneme of ARPAbet"):
        say("[QX AA]")
    with pytest.raises(UserError, match="no other one"):
        say("[W ER")
    with pytest.raises(UserError, match="nothing to say"):
        say("...")
    with pytest.raises(UserError, match="pitch"):
        say_text(Say("one", out=Path("a.wav"), pitch=5000.0))


def test_the_lexicon_is_that_of_pocketsphinx():
    try:
        told = dictionary()
    except UserError:
        pytest.skip("pocketsphinx is not installed")
    for word, variants in lexicon().items():
        for variant in variants:
            assert tuple(map(without_stress, variant)) in told[word], word
    assert pronunciations("philosophy")[0][0] == "F"


def test_the_command_writes_a_sound_and_a_picture(tmp_path, capsys):
    assert "say" in COMMANDS
    arguments = Say("one two", out=tmp_path / "a.wav", picture=tmp_path / "a.png", voice=1, rate=8_000)
    assert say_text(arguments) == 0
    sound = read_sound(tmp_path / "a.wav")
    assert sound.rate == 8_000
    assert 0.5 < sound.seconds < 3
    assert (tmp_path / "a.png").stat().st_size > 5_000
    assert "W AH N T UW" in capsys.readouterr().out
    with pytest.raises(UserError, match="--overwrite"):
        say_text(arguments)


@pytest.mark.slow
def test_pocketsphinx_understands_digits_of_three_voices():
    pocketsphinx = pytest.importorskip("pocketsphinx")
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL", samprate=16_000)
    decoder.add_jsgf_string("digits", f"#JSGF V1.0; grammar digits; public <digit> = {' | '.join(DIGITS)};")
    decoder.activate_search("digits")
    for voice in (Voice(), Voice(pitch=200, size=1.16, tilt=1600), Voice(pitch=150, size=1.08, tilt=3000)):
        right = 0
        for index, word in enumerate(DIGITS * 2):
            spoken = say(word, voice, index, Channel(noise=30), around=(0.2, 0.2))
            decoder.start_utt()
            decoder.process_raw((spoken.samples * 32767).astype(np.int16).tobytes(), full_utt=True)
            decoder.end_utt()
            right += decoder.hyp() is not None and decoder.hyp().hypstr == word
        assert right / 20 >= 0.8
