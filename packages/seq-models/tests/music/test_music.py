"""Music without a net: frames, rules, counterpoint, MIDI files, sound, pictures."""

import numpy as np
import pytest

from torchworks.seq_models.music.counterpoint import Options, pieces
from torchworks.seq_models.music.frames import as_frames, as_voices, fingerprint_of, transposed
from torchworks.seq_models.music.midi import TICKS, Note, midi_bytes, read_midi
from torchworks.seq_models.music.performing import notes_of
from torchworks.seq_models.music.piano_roll import draw_roll
from torchworks.seq_models.music.rules import RULES, broken, broken_per_100
from torchworks.seq_models.music.synthesiser import LOUDEST, RATE, rendered
from torchworks.shared.config import UserError


@pytest.fixture(scope="module")
def made():
    return pieces(12, (0, 0), set())


def test_generated_counterpoint_breaks_no_rule_but_passing_notes(made):
    rates = broken_per_100(made)
    assert {name: rates[name] for name in RULES if rates[name]}.keys() <= {"strange_chord"}
    assert rates["strange_chord"] < 6
    assert all(len(piece) >= 24 and (piece > 0).all() for piece in made)
    assert len({fingerprint_of(piece) for piece in made}) == len(made)


def test_counterpoint_follows_from_its_seed_alone(made):
    again = pieces(2, (0, 0), set())
    assert all(np.array_equal(a, b) for a, b in zip(again, made[:2], strict=True))
    assert not np.array_equal(pieces(1, (1, 0), set())[0][:10], made[0][:10])
    with pytest.raises(UserError, match="train must be from 1"):
        Options(train=0)


@pytest.mark.parametrize(
    ("rule", "voices"),
    [
        ("parallel_fifths", [[72, 67, 55, 48], [74, 69, 57, 50]]),
        ("parallel_octaves", [[72, 67, 64, 48], [74, 67, 65, 50]]),
        ("overlap", [[72, 67, 64, 48], [66, 62, 59, 55]]),
        ("spacing", [[79, 64, 60, 48], [79, 64, 60, 48]]),
        ("range", [[84, 72, 60, 48], [84, 72, 60, 48]]),
        ("leap", [[76, 67, 60, 48], [62, 59, 55, 43]]),
        ("strange_chord", [[72, 71, 70, 48], [72, 67, 64, 48]]),
    ],
)
def test_each_broken_rule_is_counted(rule, voices):
    assert broken(np.array(voices))[rule] > 0


def test_a_plain_cadence_breaks_no_rule():
    assert not any(broken(np.array([[72, 67, 64, 48], [71, 67, 62, 55], [72, 67, 64, 60]])).values())


def test_frames_with_fewer_notes_are_shared_by_voices_that_move_little():
    frames = as_frames([{72, 67, 64, 48}, {72, 64, 48}, set(), {60}], 4)
    assert as_voices(frames).tolist() == [[72, 67, 64, 48], [72, 64, 64, 48], [0, 0, 0, 0], [60, 60, 60, 60]]
    assert as_frames([{72, 70, 67, 64, 48}], 4).tolist() == [[72, 70, 67, 48]]
    assert transposed(frames, 2)[1].tolist() == [74, 66, 50, 0]


def test_what_is_written_as_midi_is_read_again(made):
    for piece in made[:3]:
        notes = notes_of(piece)
        score = read_midi(midi_bytes(notes, tempo=90))
        assert [(note.start, note.end, note.pitch) for note in score.notes] == sorted(
            (note.start, note.end, note.pitch) for note in notes
        )
        assert score.tempo == pytest.approx(90, abs=0.01)
        chords = score.chords()
        assert [set(row[row > 0].tolist()) for row in piece] == chords[: len(piece)]
        assert chords[len(piece) :] == chords[len(piece) - 1 : len(piece)]  # the last one is held


def test_running_status_drums_and_open_notes_are_read():
    track = bytes([0, 0x90, 60, 80, 0, 64, 80, 0, 0x99, 36, 80]) + bytes([0x60, 0x80, 60, 0, 0x60, 0xFF, 0x2F, 0])
    head = b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 0, 0x60])
    score = read_midi(head + b"MTrk" + len(track).to_bytes(4, "big") + track)
    assert [(note.start, note.end, note.pitch) for note in score.notes] == [(0, 96, 60), (0, 192, 64)]
    assert score.chords(2) == [{60, 64}, {60, 64}, {64}, {64}]


def test_running_status_goes_on_after_the_words_of_a_song():
    track = bytes([0, 0x90, 60, 80, 0, 0xFF, 0x05, 2, 65, 98, 0, 64, 80, 0x60, 60, 0, 0, 64, 0])
    head = b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 0, 0x60])
    score = read_midi(head + b"MTrk" + len(track).to_bytes(4, "big") + track)
    assert [(note.start, note.end, note.pitch) for note in score.notes] == [(0, 96, 60), (0, 96, 64)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"MThd" + bytes([0, 0, 0, 6, 0, 1, 0, 2, 0, 96]) + b"MTrk\0\0\0\x04" + bytes([0, 0xFF, 0x2F, 0]), "1 of 2"),
        (b"RIFF", "is no MIDI file"),
        (b"MThd" + bytes([0, 0, 0, 6, 0, 2, 0, 1, 0, 96]), "format 2"),
        (b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 0xE7, 40]), "frames of a film"),
        (b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 0, 96]) + b"MTrk\0\0\0\x09", "cut off"),
        (b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 0, 96]) + b"MTrk\0\0\0\x03" + bytes([0, 0x90, 60]), "damaged"),
    ],
)
def test_damaged_midi_files_are_refused(data, said):
    with pytest.raises(ValueError, match=said):
        read_midi(data)


def test_a_note_sounds_at_its_pitch_and_nothing_is_clipped():
    sound = rendered([Note(0, 2 * TICKS, 69)], tempo=120)
    assert sound.dtype == np.float32
    assert sound.shape == (2 * RATE, 2)
    assert np.abs(sound).max() == pytest.approx(LOUDEST, abs=1e-3)
    spectrum = np.abs(np.fft.rfft(sound[: RATE // 2, 0]))
    assert np.fft.rfftfreq(RATE // 2, 1 / RATE)[spectrum.argmax()] == pytest.approx(440, abs=3)


def test_a_picture_has_room_for_all_notes(made):
    image = draw_roll(made[0])
    assert image.width > 18 * len(made[0])
    assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 8
