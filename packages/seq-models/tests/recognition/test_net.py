"""The recogniser's net, its predictor and what is done to spectrograms in training."""

import pytest
import torch

from torchworks.seq_models.models.ctc_recognizer import CTCRecognizer
from torchworks.seq_models.recognition.augment import augmented, in_tempo, warped
from torchworks.seq_models.recognition.config import AugmentConfig
from torchworks.seq_models.recognition.predictor import RecognizerPredictor, build_recognizer
from torchworks.shared.numbers.stream import StepRandom

FRONT = {"num_mels": 12, "window": 25.0, "hop": 10.0, "low": 60.0, "loudness_range": 8.0, "silence": 2}
LENGTHS = (1, 900, 4_001)


def options(architecture: str) -> dict:
    return {
        "architecture": architecture, "channels": [8, 8], "strides": [2, 2], "hidden_dim": 8, "depth": 1,
        "num_heads": 2, "drop_rate": 0.0,
    }  # fmt: skip


@pytest.fixture(params=["gru", "conformer"])
def predictor(request) -> RecognizerPredictor:
    torch.manual_seed(0)
    return build_recognizer(
        {"alphabet": ["a", "b", " "], "rate": 8_000, "front": FRONT, "net": options(request.param)}
    ).eval()  # ty: ignore[invalid-return-type]


def noise(*shape: int) -> torch.Tensor:
    return 0.3 * torch.randn(*shape, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


def test_what_follows_a_sound_changes_nothing(predictor):
    audio = noise(1, 4_001)
    alone = predictor.predict({"audio": audio, "length": torch.tensor([4_001])})
    together = predictor.predict(
        {"audio": torch.cat((torch.nn.functional.pad(audio, (0, 2_000), value=0.5), noise(1, 6_001))),
         "length": torch.tensor([4_001, 6_001])}
    )  # fmt: skip
    frames, count = int(alone["log_probability_length"][0]), int(alone["letters_length"][0])
    assert together["log_probability_length"][0] == frames
    torch.testing.assert_close(
        together["log_probability"][:1, :frames], alone["log_probability"][:, :frames], rtol=0, atol=1e-5
    )
    assert together["letters"][0, :count].tolist() == alone["letters"][0, :count].tolist()
    assert not together["letters"][0, count:].any()


def test_letters_are_the_likeliest_ones_merged_and_begin_when_they_are_said(predictor):
    found = predictor.predict({"audio": noise(1, 4_001), "length": torch.tensor([4_001])})
    best = found["log_probability"][0].argmax(1).tolist()
    starts = [i for i, letter in enumerate(best) if letter and (i == 0 or best[i - 1] != letter)]
    count = int(found["letters_length"][0])
    assert found["letters"][0, :count].tolist() == [best[i] for i in starts]
    assert found["seconds"][0, :count].tolist() == pytest.approx([0.04 * max(0, i - 2) for i in starts])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
@torch.no_grad()
def test_an_export_hears_sounds_of_any_length_and_number(predictor):
    example = (noise(2, 2_000), torch.tensor([2_000, 1_200]))
    rows = samples = torch.export.Dim.AUTO
    exported = torch.export.export(
        predictor, example, dynamic_shapes=(({0: rows, 1: samples}, {0: rows}),), strict=False
    ).module()
    for count in (1, 3):
        for length in LENGTHS:
            given = noise(count, length), torch.full((count,), length)
            with torch.no_grad():
                expected = predictor(*given)
            for ours, theirs in zip(exported(*given), expected, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def test_augmentation_keeps_shapes_and_leaves_padding_out():
    random = StepRandom(0).at(1, "train", rows=3, start=0, total=3)
    mel, frames = noise(3, 50, 12), torch.tensor([50, 30, 7])
    changed, lengths = augmented(mel, frames, random, AugmentConfig())
    assert changed.shape == (3, int(lengths.max()), 12)
    assert torch.isfinite(changed).all()
    assert ((lengths / frames - 1).abs() < 0.3).all()


def test_a_faster_sound_is_shorter_and_a_warped_one_is_higher():
    ramp = torch.arange(20.0)[None, :, None].expand(1, 20, 3)
    twice, frames = in_tempo(ramp, torch.tensor([20]), torch.tensor([2.0]))
    assert frames.tolist() == [10]
    torch.testing.assert_close(twice[0, :, 0], torch.arange(0.0, 20, 2))
    peak = torch.nn.functional.one_hot(torch.tensor([[4]]), 12).float()
    assert int(warped(peak, torch.tensor([0.5])).argmax()) == 8


def test_what_is_far_below_the_loudest_place_is_not_heard():
    torch.manual_seed(0)
    net = CTCRecognizer(4, num_mels=12, channels=(8,), strides=(2,), hidden_dim=8, loudness_range=8.0).eval()
    mel, frames = noise(2, 40, 12), torch.tensor([40, 25])
    mel[:, ::4] = -9.0  # of 0.3 at most
    mel[1, 25:] = 50.0  # beyond the end, so that it is not the loudest
    quieter = torch.where(mel == -9.0, -20.0, mel)
    with torch.no_grad():
        torch.testing.assert_close(net(quieter, frames)[0][:, :12], net(mel, frames)[0][:, :12])
        assert not torch.allclose(net(quieter + (quieter == -20.0) * 15, frames)[0], net(mel, frames)[0])


def test_in_use_a_sound_is_heard_with_silence_around_it_and_in_training_it_is_not():
    torch.manual_seed(0)
    size = {"num_mels": 12, "channels": (8,), "strides": (2,), "hidden_dim": 8, "drop_rate": 0.0}
    net = CTCRecognizer(4, **size, silence=3)
    plain = CTCRecognizer(4, **size).eval()
    plain.load_state_dict(net.state_dict())
    mel, frames = noise(1, 41, 12), torch.tensor([41])
    with torch.no_grad():
        heard, count = net.train()(mel, frames)
        torch.testing.assert_close(heard, plain(mel, frames)[0])
        quiet = mel.min().expand(1, 6, 12)
        around, more = plain(torch.cat((quiet, mel, quiet), 1), frames + 12)
        torch.testing.assert_close(net.eval()(mel, frames)[0], around)
    assert int(more) == int(count) + 6


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="as many"):
        CTCRecognizer(4, channels=(8,), strides=(2, 2))
