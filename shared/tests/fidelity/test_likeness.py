"""PSNR and SSIM against scikit-image."""

import pytest
import torch

from torchworks.shared.fidelity.likeness import peak_ratio, structural_similarity

metrics = pytest.importorskip("skimage.metrics")


@pytest.fixture
def pairs():
    torch.manual_seed(0)
    truth = torch.rand(3, 2, 24, 31, dtype=torch.float64)
    return truth, (truth + 0.1 * torch.randn_like(truth)).clamp(0, 1)


def test_the_peak_ratio_is_scikit_images(pairs):
    truth, images = pairs
    wanted = [
        metrics.peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=1.0) for a, b in zip(*pairs, strict=True)
    ]
    assert peak_ratio(images, truth, 1.0).tolist() == pytest.approx(wanted)
    assert peak_ratio(2 * images - 1, 2 * truth - 1, 2.0).tolist() == pytest.approx(wanted)
    assert peak_ratio(truth, truth, 1.0).tolist() == pytest.approx([100.0] * 3)


def test_structural_similarity_is_scikit_images(pairs):
    truth, images = pairs
    wanted = [
        metrics.structural_similarity(
            a.numpy(), b.numpy(), data_range=1.0, channel_axis=0,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )
        for a, b in zip(images, truth, strict=True)
    ]  # fmt: skip
    assert structural_similarity(images, truth, 1.0).tolist() == pytest.approx(wanted, abs=1e-6)
    assert structural_similarity(truth, truth, 1.0).tolist() == pytest.approx([1.0] * 3)
