"""The log-mel front end equals torch's and torchaudio's, and is the same whatever silence follows."""

import pytest
import torch

from torchworks.seq_models.sound.mel import LogMel, MelConfig, Spectrum, mel_filters

SETTINGS = (
    MelConfig(),
    MelConfig(rate=8_000, n_fft=256, window=200, hop=80, num_mels=40, low=50.0, high=3_800.0, scale="slaney"),
    MelConfig(rate=16_000, n_fft=1024, window=1024, hop=256, num_mels=80, power=1.0, scale="slaney"),
    MelConfig(n_fft=400, window=399, num_mels=40),
)


@pytest.fixture
def samples() -> torch.Tensor:
    return torch.rand(2, 5_001, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("config", SETTINGS)
def test_it_equals_the_fourier_transform_of_torch(config, samples):
    window = torch.hann_window(config.window)
    told = torch.stft(
        samples, config.n_fft, config.hop, config.window, window, center=True, pad_mode="constant", return_complex=True
    )
    torch.testing.assert_close(Spectrum(config, power=2)(samples), told.abs().square(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("config", SETTINGS)
def test_exports_have_the_same_spectrum_and_gradient(config, samples):
    """Of any number of sounds of any length, though they compute it by a convolution."""
    spectrum, sizes = Spectrum(config, config.power), {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}
    exported = torch.export.export(spectrum, (samples,), dynamic_shapes={"samples": sizes}).module()
    for sound in (samples, samples[:1, :900]):
        torch.testing.assert_close(exported(sound), spectrum(sound), rtol=1e-9, atol=1e-9)
    loud = samples[:, :900].requires_grad_()
    found = [torch.autograd.grad(run(loud).sum(), loud)[0] for run in (exported, spectrum)]
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("config", SETTINGS)
def test_it_equals_torchaudio(config, samples):
    transforms = pytest.importorskip("torchaudio.transforms")
    told = transforms.MelSpectrogram(
        config.rate, config.n_fft, config.window, config.hop, config.low, config.high, n_mels=config.num_mels,
        power=config.power, pad_mode="constant", mel_scale=config.scale,
        norm="slaney" if config.scale == "slaney" else None,
    )(samples)  # fmt: skip
    torch.testing.assert_close(LogMel(config).mel(samples), told, rtol=1e-5, atol=1e-6)


def test_silence_behind_a_sound_changes_none_of_its_frames(samples):
    mel = LogMel(MelConfig())
    frames = int(mel.frames(torch.tensor([5_001])))
    alone = mel(samples)
    followed = mel(torch.nn.functional.pad(samples, (0, 4_000)))
    assert alone.shape == (2, 80, frames)
    torch.testing.assert_close(followed[:, :, :frames], alone, rtol=0, atol=1e-12)


def test_filters_without_a_bin_are_refused():
    with pytest.raises(ValueError, match="Use fewer filters"):
        mel_filters(MelConfig(n_fft=400, num_mels=128))
