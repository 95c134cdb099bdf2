"""Models of music from the command line: trained, scored, and used to compose and to harmonise."""

import gzip
import json

import numpy as np
import pytest
import torch

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.composing.baselines import baselines
from torchworks.seq_models.composing.predictor import build_harmony, build_roll
from torchworks.seq_models.composing.sampling import compose, harmonise, resampled
from torchworks.seq_models.models.music_tcn import MusicTCN
from torchworks.seq_models.models.rnn_nade import NoteByNote
from torchworks.seq_models.models.roll_rnn import RollRNN
from torchworks.seq_models.music.counterpoint import pieces
from torchworks.seq_models.music.midi import Note, midi_bytes, read_midi
from torchworks.shared.cli import main
from torchworks.shared.data.sounds import read_sound
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.testing import check_predictor
from torchworks.shared.testing_runs import killed_and_resumed

NET = {"kind": "notes", "layers": "gru", "depth": 1, "kernel": 3, "embed_dim": 8, "hidden_dim": 12, "frame_dim": 10,
       "drop_rate": 0.0}  # fmt: skip
SIZES = ("--net.embed-dim", 12, "--net.hidden-dim", 16, "--net.frame-dim", 16, "--composed", 2)
SMALL = (*SIZES, "--data", "counterpoint:train=12,test=4", "--trainer.batch-size", 4, "--precision", "fp32")


def run(*words: object) -> int:
    return main("seq-models", "compose", COMMANDS, [str(word) for word in words])


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "compose"
    assert run("train", "compose", *SMALL, "--trainer.steps", 6, "--trainer.eval-every", 3, "--out", folder) == 0
    return folder


def test_a_run_has_scores_baselines_broken_rules_and_previews(trained):
    result = json.loads((trained / "result.json").read_text())
    for name in ("nll", "nll_independent", "nll_repeat", "nll_ngram", "broken_rules_composed", "broken_rules_test"):
        assert 0 < result[name] < 2000
    assert result["broken_parallel_fifths_test"] == 0
    assert read_sound(trained / "samples" / "piece-00000006.wav").seconds > 5
    assert (trained / "samples" / "roll-00000006.png").exists()
    assert check_golden(trained) < 1e-4


def test_evaluation_gives_the_same_score(trained, tmp_path, capsys):
    assert run("evaluate", trained, "--out", tmp_path) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert found["nll"] == pytest.approx(json.loads((trained / "result.json").read_text())["nll"], rel=1e-4)
    assert "rules broken in 100 frames" in capsys.readouterr().out


def test_pieces_are_written_as_notes_sound_and_picture(trained, tmp_path):
    assert run("compose", trained, "--n", 2, "--length", 9, "--out", tmp_path / "a") == 0
    assert run("compose", trained, "--n", 1, "--length", 9, "--out", tmp_path / "b") == 0
    assert {file.name for file in (tmp_path / "a").iterdir()} == {f"{i}.{end}" for i in (1, 2) for end in
                                                                  ("mid", "wav", "png")}  # fmt: skip
    assert (tmp_path / "a" / "1.mid").read_bytes() == (tmp_path / "b" / "1.mid").read_bytes()
    assert len(read_midi((tmp_path / "a" / "2.mid").read_bytes()).chords()) <= 10
    assert run("compose", trained, "--out", tmp_path / "a") == 2


def test_a_melody_stays_exactly_as_it_is(trained, tmp_path, capsys):
    """With its eighth notes, its rest and its own division of time."""
    melody = [Note(0, 96, 72), Note(96, 144, 74), Note(144, 192, 76), Note(288, 480, 79)]
    file = tmp_path / "melody.mid"
    file.write_bytes(midi_bytes(melody, 96, 100))
    assert run("harmonise", trained, file, "--particles", 8) == 0
    score = read_midi((tmp_path / "melody-harmonised.mid").read_bytes())
    top = [(note.start, note.end, note.pitch) for note in score.notes if note.track == 1]
    assert top == [(note.start, note.end, note.pitch) for note in melody]
    assert score.division == 96
    assert any(note.track > 1 for note in score.notes)
    assert all(note.pitch < 79 for note in score.notes if note.track > 1)
    assert "rules broken" in capsys.readouterr().out
    for words, sentence in (
        (["harmonise", trained, file], "exists already"),
        (["harmonise", trained, tmp_path / "none.mid"], "cannot be read"),
        (["harmonise", trained, file, "--out", file, "--overwrite"], "is a file that is read"),
        (["harmonise", trained, file, "--out", tmp_path / "a.wav"], "must end in .mid"),
        (["harmonise", trained, file, "--particles", 0], "--particles is 0"),
        (["compose", trained, "--length", 0], "--length is 0"),
        (["evaluate", trained, "--data", f"midi:{tmp_path / 'no'}"], "should name a folder"),
    ):
        assert run(*words) == 2, words
        assert sentence in said(capsys)


def test_a_melody_that_would_sound_for_hours_is_refused(trained, tmp_path, capsys):
    late, slow = tmp_path / "late.mid", tmp_path / "slow.mid"
    late.write_bytes(midi_bytes([Note(10_000_000, 10_000_480, 72)]))
    slow.write_bytes(midi_bytes([Note(480 * i, 480 * i + 480, 72 + i % 3) for i in range(300)], tempo=4))
    for file, sentence in ((late, "with the rest before it is 20835"), (slow, "lasts 75 minutes")):
        assert run("harmonise", trained, file) == 2
        assert sentence in said(capsys)


def test_own_midi_files_are_trained_on_and_bad_ones_are_named(tmp_path, capsys):
    for i in range(8):
        notes = [Note(120 * t, 120 * t + 120, 60 + (i + t * (i + 1)) % 12) for t in range(16)]
        (tmp_path / f"{i}.mid").write_bytes(midi_bytes(notes, 120))
    (tmp_path / "bad.mid").write_bytes(b"nothing")
    words = ["train", "compose", "--data", f"midi:{tmp_path}", "--dry-run", *SIZES]
    assert run(*words) == 2
    assert "bad.mid is no MIDI file" in said(capsys)
    assert run(*words, "--skip-bad") == 0
    assert run("train", "compose", "--data", "reviews:pairs=10", "--dry-run") == 2
    (tmp_path / "a.json").write_text(json.dumps({"train": [[[60, 64]] * 9] * 4, "test": [[[60, 200]] * 9]}))
    assert run("train", "compose", "--data", f"jsb:{tmp_path / 'a.json'}", "--dry-run") == 2
    assert "200 is no such number" in said(capsys)
    packed = gzip.compress((tmp_path / "a.json").read_bytes())
    for name, content in (("b.json.gz", packed[:12] + b"?" + packed[13:]), ("c.json", b"[" * 99_999)):
        (tmp_path / name).write_bytes(content)
        assert run("train", "compose", "--data", f"jsb:{tmp_path / name}", "--dry-run") == 2
        assert name in said(capsys)


# ---- the nets ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def piece():
    return torch.from_numpy(pieces(1, (3, 0), set())[0])[None]


@pytest.mark.parametrize("make", [NoteByNote, RollRNN, MusicTCN])
def test_no_net_sees_the_future(make, piece):
    torch.manual_seed(0)
    net = make(embed_dim=8, hidden_dim=8).eval()
    changed = piece.clone()
    changed[:, 10:] += 1
    same = net.loss(piece)[:, :10], net.loss(changed)[:, :10]
    torch.testing.assert_close(*same)


def test_the_probabilities_of_all_frames_of_two_notes_sum_to_one():
    """Of a net for frames of at most two notes: each set of notes counts once."""
    torch.manual_seed(0)
    net = NoteByNote(2, embed_dim=4, hidden_dim=4, frame_dim=4, drop_rate=0.0).eval().double()
    notes = range(21, 109)
    frames = [(0, 0), *((a, 0) for a in notes), *((a, b) for a in notes for b in notes if b < a)]
    nll = torch.cat([net.loss(torch.tensor(part)[:, None]).detach() for part in np.array_split(np.array(frames), 8)])
    assert float(torch.exp(-nll.double()).sum()) == pytest.approx(1, abs=1e-5)


def test_drawn_frames_are_those_of_the_net_and_a_melody_is_kept():
    torch.manual_seed(0)
    net = NoteByNote(4, embed_dim=8, hidden_dim=8, frame_dim=8, drop_rate=0.0)
    greedy = torch.from_numpy(compose(net, 1, 6, seed=0, temperature=0)[0])[None]
    choices = (greedy - 20).clamp(min=0)
    best = net(greedy).argmax(-1)[..., :4]
    assert torch.equal(best[choices > 0], choices[choices > 0])
    melody = torch.tensor([72, 74, 0, 76])
    assert harmonise(net, melody, seed=0, particles=4)[:, 0].tolist() == melody.tolist()
    assert resampled(torch.tensor([0.0, 0.5, 0.5, 0.0]), 0.3).tolist() == [1, 1, 2, 2]


def test_a_frame_ngram_beats_notes_by_themselves():
    known, test = pieces(20, (0, 0), set()), pieces(3, (0, 1), set())
    found = baselines(known, test, 2)
    assert found["nll_ngram"] < found["nll_repeat"] < found["nll_independent"]


@pytest.mark.slow
def test_the_harmony_of_a_melody_is_exported_for_any_length():
    torch.manual_seed(0)
    predictor = build_harmony({"net": NET, "voices": 2})
    check_predictor(predictor, lengths={"T": (1, 2, 5)})
    melody = torch.tensor([[72, 74, 76, 0, 0]])
    notes = predictor.predict({"melody": melody})["notes"]
    assert torch.equal(notes[..., 0], melody)
    assert torch.equal(predictor.predict({"melody": melody[:, :3]})["notes"], notes[:, :3])
    assert (notes[0, 3:] == 0).all()


@pytest.mark.parametrize("kind", ["roll", "tcn"])
def test_the_probabilities_of_notes_are_exported_for_any_length(kind):
    torch.manual_seed(0)
    predictor = build_roll({"net": {**NET, "kind": kind}, "voices": 4})
    check_predictor(predictor, lengths={"T": (1, 2, 9)})
    frames = torch.randint(40, 80, (1, 6, 4)).float()
    whole, part = (predictor.predict({"frames": each})["probability"] for each in (frames, frames[:, :2]))
    torch.testing.assert_close(whole[:, :2], part)


@pytest.mark.long
def test_a_composer_killed_and_resumed_ends_with_the_very_same_weights(tmp_path):
    words = ["-m", "torchworks.seq_models", "train", "compose", *map(str, SMALL), "--device", "cpu", "--net.drop-rate",
             "0.2", "--trainer.log-every", "1", "--trainer.steps", "40", "--trainer.eval-every", "15",
             "--trainer.checkpoint-every", "4"]  # fmt: skip
    killed, whole = killed_and_resumed(words, tmp_path)
    sounds = [(run / "samples" / "piece-00000040.wav").read_bytes() for run in (killed, whole)]
    assert sounds[0] == sounds[1]
