"""What speaks: drawing sounds as torchaudio does, the length regulator, Griffin-Lim. `test_parity.py` has the nets."""

from typing import Any, cast

import pytest
import torch

from torchworks.seq_models.models.fastspeech import FastSpeech2, regulate
from torchworks.seq_models.models.griffin_lim import GriffinLim, magnitudes_of
from torchworks.seq_models.models.harmonic_source import HarmonicSource, dirichlet
from torchworks.seq_models.models.parity import Comparison, comparison
from torchworks.seq_models.models.tacotron2 import Tacotron2, guided_attention
from torchworks.seq_models.models.vocos import Vocos
from torchworks.shared.testing import check_gradients, check_state


def test_each_phoneme_is_repeated_as_often_as_it_lasts():
    hidden, durations = torch.randn(2, 4, 3), torch.tensor([[2, 0, 3, 1], [1, 1, 0, 0]])
    found, real = regulate(hidden, durations, 8)
    for row in range(2):
        expected = hidden[row].repeat_interleave(durations[row], 0)
        assert torch.equal(found[row, : len(expected)], expected)
        assert not found[row, len(expected) :].any()
        assert real[row].sum() == len(expected)


def new_fastspeech() -> FastSpeech2:
    sizes = {"embed_dim": 8, "encoder_depth": 1, "decoder_depth": 1, "filter_dim": 8, "kernel_size": 3}
    return FastSpeech2(9, num_mels=5, predictor_dim=8, drop_rate=0.0, predictor_drop_rate=0.0, **sizes)


def test_a_padded_sentence_is_spoken_as_if_alone_and_speed_shortens_it():
    torch.manual_seed(0)
    net = new_fastspeech().eval()
    alone = torch.tensor([[3, 4, 5]])
    mel, lengths = net.generate(alone, 40)
    beside, same = net.generate(torch.tensor([[3, 4, 5, 0, 0], [1, 2, 3, 4, 5]]), 40)
    torch.testing.assert_close(beside[0], mel[0])
    assert same[0] == lengths[0]
    with torch.no_grad():
        net.get_parameter("predictors.duration.linear.bias").fill_(2.5)
    slow, fast = (int(net.generate(alone, 400, speed=speed)[1]) for speed in (0.5, 2.0))
    assert slow > 2 * fast


def test_every_weight_of_fastspeech_is_trained_and_kept():
    phonemes, durations = torch.tensor([[3, 4, 5], [1, 2, 0]]), torch.tensor([[2, 1, 3], [4, 1, 0]])

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = new_fastspeech()

        def forward(self, phonemes, durations):
            mel, found = self.net(phonemes, durations, durations * 0.1, durations * -0.2, 6)
            return mel, *found

    check_gradients(Whole(), (phonemes, durations))
    check_state(Whole, (phonemes, durations))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_griffin_lim_keeps_silence_silent_when_it_is_exported(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    net = GriffinLim(64, hop=16, window=48, steps=2, by_conv=True).eval()
    magnitudes = torch.rand(2, 33, 40, generator=torch.Generator().manual_seed(0))
    magnitudes[0, :, 10:] = magnitudes[1] = 0
    sizes = {0: torch.export.Dim("N", min=1), 2: torch.export.Dim("T", min=8)}
    torch.onnx.export(net, (magnitudes,), dynamo=True, dynamic_shapes=(sizes,), verbose=False).save(
        tmp_path / "net.onnx"
    )
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: magnitudes.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), net(magnitudes), atol=1e-4, rtol=1e-3)
    assert not found[1].any()


def test_griffin_lim_is_torchaudios_and_the_same_by_convolutions():
    functional = pytest.importorskip("torchaudio").functional
    ours = GriffinLim(64, hop=16, window=48, steps=8).double()
    sound = torch.randn(2, 1600, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    magnitudes = torch.stft(sound, 64, 16, 64, ours.window, return_complex=True).abs()
    theirs = functional.griffinlim(magnitudes, ours.window, 64, 16, 64, 1.0, 8, 0.99, None, False)
    start = magnitudes, torch.zeros_like(magnitudes)  # phases of 0, as theirs
    torch.testing.assert_close(ours(magnitudes, start), theirs, rtol=0, atol=1e-9)
    one = GriffinLim(64, hop=16, window=48, steps=8, by_conv=True).double()
    one.load_state_dict(ours.state_dict())
    one.window = ours.window
    torch.testing.assert_close(one(magnitudes, start), theirs, rtol=0, atol=1e-9)


def test_a_millionth_of_the_magnitudes_changes_little_of_griffin_lims_sound():
    net = GriffinLim(64, hop=16, window=48, steps=32)
    sound = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0)).cumsum(1).sin()
    magnitudes = torch.stft(sound, 64, 16, 64, net.window, return_complex=True).abs()
    made, other = net(magnitudes), net(magnitudes * (1 + 1e-6 * torch.randn_like(magnitudes)))
    assert (made - other).abs().max() < 0.01 * made.abs().max()


def test_a_tacotron_that_is_given_its_own_alignment_says_the_same():
    torch.manual_seed(0)
    net = Tacotron2(
        9, num_mels=5, embed_dim=8, attention_rnn_dim=6, decoder_dim=7, attention_dim=4, location_filters=3,
        location_kernel=5, prenet_dim=6, postnet_depth=2, postnet_dim=6, frames_per_step=2, prenet_dropout="training",
    ).double().eval()  # fmt: skip
    tokens, lengths = torch.randint(1, 9, (3, 6)), torch.tensor([6, 4, 5])
    frames = torch.randn(3, 10, 5, dtype=torch.float64)
    alone = net(tokens, lengths, frames)
    for a, b in zip(alone, net(tokens, lengths, frames, alone.attention), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_a_source_has_all_harmonics_of_its_pitch_and_no_other_frequency():
    phase = torch.linspace(-0.5, 0.5, 101, dtype=torch.float64)
    expected = torch.stack([(2 * torch.pi * h * phase).cos() for h in range(1, 8)]).sum(0)
    torch.testing.assert_close(dirichlet(phase, torch.tensor(7.0, dtype=torch.float64)), expected, rtol=0, atol=1e-5)
    sound = HarmonicSource(rate=16_000, hop=200, breath=0.0)(torch.full((1, 80), 125.0), torch.ones(1, 80) > 0)[0]
    spectrum = torch.fft.rfft(sound[:12_800]).abs()  # 1.25 Hz a bin
    harmonic = torch.arange(len(spectrum)) % 100 == 0
    harmonic[0] = False
    assert spectrum[harmonic].min() > 20 * spectrum[~harmonic].max()


def test_a_vocos_trains_every_weight_and_makes_as_many_samples_as_the_frames_stand_for():
    def new() -> Vocos:
        return Vocos(6, embed_dim=8, hidden_dim=12, depth=2, n_fft=32, hop=8)

    mel = torch.randn(2, 10, 6, generator=torch.Generator().manual_seed(0))
    assert new()(mel).shape == (2, 80)
    check_gradients(new(), (mel,))
    check_state(new, (mel,))


def test_magnitudes_of_mels_have_these_mels_and_are_not_negative():
    filters = torch.rand(30, 8, generator=torch.Generator().manual_seed(0))
    mel = filters.T @ torch.rand(1, 30, 6, generator=torch.Generator().manual_seed(1))
    found = magnitudes_of(mel, filters, 200)
    assert (found >= 0).all()
    torch.testing.assert_close(filters.T @ found, mel, rtol=0.02, atol=0.02)


def nets_of(pair: Comparison) -> tuple[Any, Any]:
    """Ours and torchaudio's, without what makes them comparable."""
    ours, theirs = (cast(Any, net).net.eval() for net in (pair.ours, pair.reference))
    return ours, theirs


@torch.no_grad()
def test_tacotron_and_wavernn_draw_what_torchaudio_draws():
    pytest.importorskip("torchaudio")
    pair = comparison("Tacotron 2")
    tokens, lengths, _ = pair.make({"N": 1, "R": 5, "T": 2})
    ours, theirs = nets_of(pair)
    assert pair.key_map is not None
    ours.load_state_dict({pair.key_map(f"net.{k}")[4:]: v for k, v in theirs.state_dict().items()})
    found = ours.generate(tokens, lengths, most=6, threshold=2.0)
    theirs.decoder.decoder_max_step, theirs.decoder.gate_threshold = 6, 2.0
    with pytest.warns(UserWarning, match="max decoder steps"):
        expected, _, weights = theirs.infer(tokens, lengths)
    torch.testing.assert_close(found.mel, expected.transpose(1, 2))
    torch.testing.assert_close(found.attention[0], weights[0])
    fixed, _, attention = ours.generate_steps(tokens, lengths, 6)
    torch.testing.assert_close(fixed, found.mel)
    torch.testing.assert_close(attention, found.attention)
    pair = comparison("WaveRNN")
    ours, theirs = nets_of(pair)
    ours.load_state_dict(theirs.state_dict())
    mel = torch.randn(1, 3, 6)
    torch.manual_seed(1)
    expected = theirs.infer(mel.transpose(1, 2))[0][:, 0]
    torch.manual_seed(1)
    torch.testing.assert_close(ours.generate(mel), expected)


def test_attention_on_the_diagonal_costs_little():
    lengths = torch.tensor([6])
    diagonal, wrong = torch.eye(6)[None], torch.eye(6).flip(0)[None]
    assert guided_attention(diagonal, lengths, lengths) == 0
    assert guided_attention(wrong, lengths, lengths) > 0.5
