"""Text to speech from the command line: trained, saved, used, understood."""

import json
import wave

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from torchworks.seq_models.commands import COMMANDS
from torchworks.seq_models.data.spoken_text import (
    SYMBOLS,
    Options,
    numbers_of,
    open_sentences,
    sentences,
    spoken,
    symbols_of,
)
from torchworks.seq_models.synthesis.judge import error_rate, is_digits
from torchworks.seq_models.synthesis.pitch import pitch_of
from torchworks.seq_models.synthesis.predictor import TOKENIZER
from torchworks.seq_models.synthesis.prepare import spoken_frames
from torchworks.seq_models.synthesis.spectrogram import HOP, MelToSound, log_mels, mel_distance, sounds_of
from torchworks.seq_models.synthesis.tacotron_task import shares_of_steps
from torchworks.seq_models.synthesis.use import new_digits
from torchworks.shared.cli import main
from torchworks.shared.config import TextConfig, UserError
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.testing import check_predictor
from torchworks.shared.text import from_json

DATA = ["--data", "sentences:train=12,test=3", "--precision", "fp32", "--trainer.batch-size", 4, "--heard", 0]
TINY = [
    *DATA, "--net.embed-dim", 16, "--net.filter-dim", 16, "--net.hidden-dim", 16, "--net.depth", 1,
    "--iterations", 2, "--pictured", 1, "--valid-fraction", 0.2,
]  # fmt: skip


def run(*words: object) -> int:
    return main("seq-models", "lm", COMMANDS, [str(word) for word in words])


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module", params=["speak", "speak-tacotron"])
def trained(request, tmp_path_factory):
    """A run of two steps."""
    folder = tmp_path_factory.mktemp("runs") / request.param
    assert run("train", request.param, "--out", folder, "--steps", 2, *TINY) == 0
    return folder


@pytest.fixture(scope="module")
def source():
    return open_sentences("train=6,test=3,voices=2", TextConfig(), 0)


# ------------------------------------------------------------------------------------------------ data


def test_sentences_differ_and_follow_from_the_seed():
    texts = sentences(300, 1)
    assert len(set(texts)) == 300
    assert texts == sentences(300, 1)
    assert texts != sentences(300, 2)
    assert 0.2 < sum(map(is_digits, texts)) / 300 < 0.6
    assert not set(new_digits(1, 20)) & set(texts)


def test_frames_of_phonemes_are_those_of_the_spectrogram(source):
    data = spoken_frames(source.train)
    for i in range(len(data)):
        row = data[i]
        assert int(row["frames"].sum()) == len(row["mel"])
        assert len(row["frames"]) == len(row["phonemes"]) == len(row["pitch"])
        vowels = torch.tensor([SYMBOLS[int(each) - 1].endswith("1") for each in row["phonemes"]])
        assert (row["pitch"][vowels] > 5.5).all()  # log2 of 45 Hz
        quiet = row["mel"][: int(row["frames"][0]) - 4].mean()
        assert quiet < row["mel"].mean() - 2  # silence comes first
    assert data.tensors["speaker"].unique().tolist() == [0, 1]


def test_stress_and_silence_are_symbols():
    assert symbols_of("seven, two") == ["SIL", "S", "EH1", "V", "AH", "N", "SIL", "T", "UW1", "SIL"]
    assert min(numbers_of(SYMBOLS)) == 1
    with pytest.raises(UserError, match="voices"):
        Options(voices=9)


# --------------------------------------------------------------------------------------------- spectrograms


def test_griffin_lim_gives_sound_with_the_given_spectrogram_whatever_padding_follows(source):
    sounds = [source.test[i]["audio"] for i in range(2)]
    mels = log_mels(sounds)
    said = sounds_of(mels, MelToSound(8))
    for mel, sound in zip(mels, said, strict=True):
        assert len(sound) == len(mel) * HOP
        assert mel_distance(mel[:-2], log_mels([sound])[0][:-2]) < 4
        assert mel_distance(mel, mel.mean(0).expand_as(mel)) > 8
    (alone,) = sounds_of(mels[:1], MelToSound(1))
    beside = sounds_of([mels[0], torch.cat([mels[1], mels[1]])], MelToSound(1))[0]
    torch.testing.assert_close(alone, beside, rtol=0, atol=1e-4)


def test_words_are_counted_as_wrong_once():
    assert error_rate([["one", "two", "three"]], [["one", "three", "three"]]) == pytest.approx(1 / 3)
    assert error_rate([["one"], ["two"]], [[], ["two", "two"]]) == 1


def test_the_pitch_that_is_found_is_the_speakers_and_noise_has_none():
    said = spoken("one nine, four two", 0, 0)
    found = pitch_of(torch.from_numpy(said.samples))
    true = torch.from_numpy(np.asarray(said.pitch, np.float32))
    true = true[(torch.arange(len(found)) * HOP // said.hop).clamp_max(len(true) - 1)]
    both = (found > 0) & (true > 0)
    assert both.sum() > 0.8 * (true > 0).sum()
    assert (found[both] / true[both]).log2().abs().quantile(0.95) < 1 / 12
    assert not pitch_of(torch.randn(16_000, generator=torch.Generator().manual_seed(0))).any()


def test_the_shares_of_a_step_are_those_of_the_phonemes_in_it():
    shares = shares_of_steps(torch.tensor([[3, 0, 4, 1], [2, 0, 0, 0]]), 2, 4)
    assert shares[0].tolist() == [[0.75, 0, 0.25, 0], [0, 0, 0.75, 0.25]]
    assert shares[1].tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]


# --------------------------------------------------------------------------------------------------- runs


def test_a_run_has_sound_and_pictures_and_answers_as_it_did_when_saved(trained):
    assert check_golden(trained) < 1e-2
    with wave.open(str(trained / "samples" / "sentence-1-00000002.wav")) as file:
        assert file.getframerate() == 16_000
        assert file.getnframes() > 1000
    assert imread(trained / "samples" / "spectrograms-00000002.png")[..., :3].std() > 0.05
    result = json.loads((trained / "result.json").read_text())
    assert result["mel_distance"] > 0
    assert ("diagonality" in result) == ("tacotron" in trained.name)


def test_a_text_becomes_a_wav_file_with_a_picture(trained, tmp_path, capsys):
    file, picture = tmp_path / "said.wav", tmp_path / "said.png"
    assert run("speak", trained, "one [HH AH L OW1], two", "--out", file, "--picture", picture) == 0
    assert "SIL W AH1 N HH AH L OW1 SIL T UW1 SIL" in capsys.readouterr().out
    with wave.open(str(file)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    assert len(samples) >= HOP
    assert picture.is_file()
    assert run("speak", trained, "one", "--out", file) == 2
    assert "exists already" in said(capsys)


def test_what_cannot_be_said_is_refused_before_anything_is_written(trained, tmp_path, capsys):
    for text, told in (("[QQ]", "no phoneme of ARPAbet"), (" , ", "no words"), ("qzxv", "No pronunciation of 'qzxv'")):
        assert run("speak", trained, text, "--out", tmp_path / "a.wav") == 2
        assert told in said(capsys)
    assert run("speak", trained, "one", "--out", tmp_path / "a.mp3") == 2
    assert "must end in .wav" in said(capsys)
    assert run("speak", trained, "one", "--out", tmp_path / "a.wav", "--vocoder", trained) == 2
    assert "makes no sound of spectrograms" in said(capsys)
    if "tacotron" in trained.name:
        assert run("speak", trained, "one", "--out", tmp_path / "a.wav", "--speed", 2) == 2
        assert "leave them out" in said(capsys).lower()
    assert not (tmp_path / "a.wav").exists()


def test_what_a_served_model_cannot_say_is_named_and_marks_are_not(trained):
    """A service warns of what the tokenizer calls unknown."""
    tokenizer = from_json((trained / TOKENIZER).read_bytes())
    assert tokenizer.unknown_in('Three, (one) - "two": four! Five? Six; 7.') == []
    assert tokenizer.unknown_in("one harmonica two qzxv") == ["harmonica", "qzxv"]
    predictor = load_predictor(trained)
    phonemes = [predictor.phonemes(torch.tensor([tokenizer.encode(text)]))[0] for text in ("one qzxv two", "one two")]
    count = int((phonemes[1] != 0).sum())
    assert torch.equal(phonemes[0][:, :count], phonemes[1][:, :count])


def test_speed_shortens_what_a_fastspeech_says(trained, tmp_path):
    if "tacotron" in trained.name:
        pytest.skip("a Tacotron predicts no durations")
    predictor = load_predictor(trained)
    text = torch.tensor([[5, 7, 9]])
    lengths = [
        int(predictor.predict({"text": text, "speed": torch.tensor([[x]]), "pitch": torch.zeros(1, 1)})["length"])
        for x in (0.5, 2.0)
    ]
    assert lengths[0] > lengths[1]


def test_a_text_says_the_same_whatever_padding_follows(trained):
    predictor = load_predictor(trained)
    more = {spec.name: torch.full((1, 1), float(spec.default or 0)) for spec in predictor.signature.inputs[1:]}
    short, long = (
        predictor.predict({"text": torch.tensor([[5, 7, *[0] * extra]]), **more}) for extra in (0, 2)
    )  # fmt: skip
    assert torch.equal(short["length"], long["length"])
    end = int(short["length"])
    assert not long["audio"][0, end:].any()


@pytest.mark.slow
def test_the_whole_model_exports_for_any_number_of_words(trained):
    predictor = load_predictor(trained)

    def make(sizes: dict[str, int]) -> tuple[torch.Tensor, ...]:
        text = torch.randint(2, 90, (sizes["N"], sizes["W"]), generator=torch.Generator().manual_seed(0))
        more = [torch.full((sizes["N"], 1), float(spec.default or 0)) for spec in predictor.signature.inputs[1:]]
        return text, *more

    check_predictor(predictor, make, lengths={"W": (1, 2, 5)}, tol=0.01)


@pytest.mark.parametrize("model", ["vocos", pytest.param("hifigan", marks=pytest.mark.slow)])
def test_a_vocoder_makes_sound_and_exports(tmp_path, model):
    words = ["--segment", 8, "--iterations", 2, "--pictured", 1, "--model", model]
    words += ["--net.embed-dim", 16, "--net.depth", 1, "--net.refinements", 1]
    words += ["--net.channels", 16, "--net.stacks", 3]
    assert run("train", "vocode", "--out", tmp_path / "run", "--steps", 2, *DATA, *words) == 0
    assert check_golden(tmp_path / "run") < 1e-4
    predictor = load_predictor(tmp_path / "run")

    def make(sizes: dict[str, int]) -> tuple[torch.Tensor, ...]:
        mel = torch.randn(sizes["N"], sizes["T"], 80, generator=torch.Generator().manual_seed(0))
        return mel, torch.arange(sizes["N"]) % sizes["T"] + 1

    check_predictor(predictor, make, lengths={"T": (1, 3, 20)})
    mel = torch.randn(1, 9, 80)
    alone = predictor(mel[:, :6], torch.tensor([6]))[0]
    padded = predictor(mel, torch.tensor([6]))[0][:, : 6 * HOP]
    torch.testing.assert_close(padded, alone, rtol=0, atol=1e-5)
