"""Sounds with transcripts: generated ones, and a user's own folder with what is wrong in it."""

import csv
from pathlib import Path

import numpy as np
import pytest

from torchworks.seq_models.data.sound_folders import open_sound_folder, open_sounds, whole_sounds
from torchworks.seq_models.data.spoken import open_spoken
from torchworks.seq_models.data.utterances import utterances_in
from torchworks.seq_models.sound.config import SoundConfig
from torchworks.shared.config import UserError
from torchworks.shared.data.sounds import wav_bytes

CONFIG = SoundConfig(rate=8_000, longest=2.0)


def tone(seconds: float, rate: int = 8_000, level: float = 0.3, pitch: float = 200.0) -> bytes:
    return wav_bytes(level * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate), rate)


def folder_of(folder: Path, sounds: dict[str, bytes], rows: list[tuple[str, ...]]) -> Path:
    for name, content in sounds.items():
        (folder / name).write_bytes(content)
    with (folder / "transcripts.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("path", "text", "speaker"), *rows])
    return folder


def test_spoken_sounds_follow_from_the_seed_and_parts_differ():
    one, two, other = (open_spoken("train=3,test=2,longest=2", CONFIG, seed) for seed in (0, 0, 1))
    assert one.fingerprint == two.fingerprint != other.fingerprint
    assert not np.array_equal(utterances_in(one.train)[0].samples, utterances_in(one.test)[0].samples)
    words = {word for item in utterances_in(one.train) for word in item.text.split()}
    assert words <= {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
    assert one.schema["audio"].rate == 8_000


def test_some_training_sounds_can_be_more_various_and_those_of_the_test_part_stay():
    usual, varied = (open_spoken(f"train=2,test=2,longest=1{more}", CONFIG, 0) for more in ("", ",varied=100"))
    for one, other, equal in ((usual.train, varied.train, False), (usual.test, varied.test, True)):
        pairs = zip(utterances_in(one), utterances_in(other), strict=True)
        assert all(np.array_equal(a.samples, b.samples) == equal for a, b in pairs)
    with pytest.raises(UserError, match="varied"):
        open_spoken("varied=101", CONFIG, 0)


def test_an_unknown_vocabulary_is_refused():
    with pytest.raises(UserError, match="Known: digits, words"):
        open_spoken("numbers", CONFIG, 0)


def test_a_folder_is_read_with_its_transcripts_and_brought_to_one_rate(tmp_path):
    rows = [(f"{i}.wav", f"Word  {'abcdefgh'[i]}", "pqrs"[i // 2]) for i in range(8)]
    folder = folder_of(tmp_path, {f"{i}.wav": tone(0.5, 16_000, pitch=200 + i) for i in range(8)}, rows)
    source = open_sounds(str(folder), CONFIG, 0)
    train, test = utterances_in(source.train), utterances_in(source.test)
    assert len(train) + len(test) == 8
    assert len(train[0].samples) == 4_000
    assert train[0].text.startswith("word ")
    speakers = [{"pqrs"[int(Path(item.name).stem) // 2] for item in part} for part in (train, test)]
    assert not speakers[0] & speakers[1]
    assert len(whole_sounds(str(folder), CONFIG).test) == 8


def test_transcripts_may_lie_beside_their_sounds(tmp_path):
    for i in range(5):
        (tmp_path / f"{i}.wav").write_bytes(tone(0.5, pitch=200 + i))
        (tmp_path / f"{i}.txt").write_text("yes\n")
    (tmp_path / "alone.wav").write_bytes(tone(0.5))
    source = open_sounds(str(tmp_path), CONFIG, 0)
    assert len(source.train) + len(source.test) == 5
    assert "alone.wav" in source.notes[0]


def test_check_names_what_is_wrong(tmp_path):
    sounds = {f"good{i}.wav": tone(0.5, pitch=200 + i) for i in range(6)}
    sounds |= {
        "loud.wav": tone(0.5, level=3.0), "quiet.wav": tone(0.5, level=0.0001), "endless.wav": tone(3.0),
        "broken.wav": b"RIFF", "quick.wav": tone(0.1),
    }  # fmt: skip
    rows = [(name, "a very long sentence" if name == "quick.wav" else "yes", "") for name in sounds]
    rows += [("gone.wav", "no", ""), ("good0.wav", "50 %", "")]
    said = str(open_sound_folder.check(f"sounds:{folder_of(tmp_path, sounds, rows)}", CONFIG, 0))
    for kind, name in {
        "Clipped": "loud.wav", "silent": "quiet.wav", "longer than 2 s": "endless.wav", "cannot be read": "broken.wav",
        "characters a second": "quick.wav", "not there": "gone.wav", "with '%'": "good0.wav",
    }.items():  # fmt: skip
        assert any(kind in line and name in line for line in said.splitlines()), (kind, said)
    with pytest.raises(UserError, match="--skip-bad"):
        open_sounds(str(tmp_path), CONFIG, 0)


def test_a_folder_without_transcripts_is_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(tone(0.5))
    with pytest.raises(UserError, match=r"transcripts\.csv"):
        open_sounds(str(tmp_path), CONFIG, 0)
    with pytest.raises(UserError, match="no folder"):
        open_sounds(str(tmp_path / "none"), CONFIG, 0)
