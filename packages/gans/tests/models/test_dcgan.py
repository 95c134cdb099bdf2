"""DCGAN's nets against the paper's architecture in plain layers; spectral normalization against svdvals."""

from collections import OrderedDict
from itertools import pairwise

import pytest
import torch
from torch import nn

from torchworks.gans import (
    DCGANDiscriminator,
    DCGANGenerator,
    SpectralConv2d,
    SpectralEmbedding,
    SpectralLinear,
    spectral_norm,
)
from torchworks.gans.models.config import SIZES
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_model, check_parity

PAPER = (100, 1024, 512, 256, 128)  # latent vector, then channels at 4, 8, 16 and 32 pixels


def paper_generator(latent: int, *channels: int) -> nn.Sequential:
    """Figure 1 of the paper: dense, then 5 × 5 fractionally strided convolutions."""
    layers = OrderedDict(
        dense=nn.Linear(latent, channels[0] * 16, bias=False),
        fold=nn.Unflatten(1, (channels[0], 4, 4)),
        bn0=nn.BatchNorm2d(channels[0]),
        relu0=nn.ReLU(),
    )
    for i, (a, b) in enumerate(pairwise(channels), start=1):
        layers[f"conv{i}"] = nn.ConvTranspose2d(a, b, 5, 2, 2, output_padding=1, bias=False)
        layers[f"bn{i}"] = nn.BatchNorm2d(b)
        layers[f"relu{i}"] = nn.ReLU()
    layers["image"] = nn.ConvTranspose2d(channels[-1], 3, 5, 2, 2, output_padding=1)
    layers["tanh"] = nn.Tanh()
    return nn.Sequential(layers)


def paper_discriminator(*channels: int) -> nn.Sequential:
    layers = OrderedDict(conv0=nn.Conv2d(3, channels[0], 5, 2, 2), relu0=nn.LeakyReLU(0.2))
    for i, (a, b) in enumerate(pairwise(channels), start=1):
        layers[f"conv{i}"] = nn.Conv2d(a, b, 5, 2, 2, bias=False)
        layers[f"bn{i}"] = nn.BatchNorm2d(b)
        layers[f"relu{i}"] = nn.LeakyReLU(0.2)
    layers["flat"] = nn.Flatten()
    layers["head"] = nn.Linear(channels[-1] * 16, 1)
    layers["squeeze"] = nn.Flatten(0)
    return nn.Sequential(layers)


def generator_key(key: str) -> str:
    name, rest = key.split(".", 1)
    if name in ("dense", "bn0", "image"):
        return {"dense": "project.", "bn0": "norm.", "image": "to_image."}[name] + rest
    kind, stage = name[:-1], int(name[-1]) - 1
    return f"stages.{stage}.{ {'conv': 0, 'bn': 1}[kind] }.{rest}"


def discriminator_key(key: str) -> str:
    name, rest = key.split(".", 1)
    if name == "head":
        return key
    return f"trunk.{name[-1]}.{ {'conv': 0, 'bn': 1}[name[:-1]] }.{rest}"


def test_the_generator_is_the_papers():
    ours = DCGANGenerator(latent_dim=10, width=4)
    check_parity(ours, paper_generator(10, 32, 16, 8, 4), torch.randn(4, 10), key_map=generator_key)


def test_the_discriminator_is_the_papers():
    ours = DCGANDiscriminator(width=4)
    check_parity(ours, paper_discriminator(4, 8, 16, 32), torch.randn(4, 3, 64, 64), key_map=discriminator_key)


def test_default_sizes_have_the_papers_parameter_counts():
    assert count(DCGANGenerator()) == count(paper_generator(*PAPER))
    assert count(DCGANDiscriminator()) == count(paper_discriminator(*PAPER[:0:-1]))


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize(("size", "channels", "kernel"), [(16, 1, 4), (32, 3, 5), (28, 1, 4)])
def test_the_generator_keeps_the_models_contract(size, channels, kernel):
    check_model(
        lambda: DCGANGenerator(size, channels, latent_dim=8, width=4, kernel_size=kernel),
        torch.randn(4, 8),
        shapes=(4, channels, size, size),
    )


@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
def test_the_discriminator_keeps_the_models_contract(norm):
    check_model(
        lambda: DCGANDiscriminator(16, 1, width=8, kernel_size=4, norm=norm), torch.randn(4, 1, 16, 16), shapes=(4,)
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [4, 5])
def test_every_promised_size_is_made_and_read(size, kernel):
    options = {"width": 2, "max_channels": 4, "kernel_size": kernel}
    images = DCGANGenerator(size, 1, latent_dim=3, **options)(torch.randn(2, 3))
    assert images.shape == (2, 1, size, size)
    assert images.abs().max() <= 1
    assert DCGANDiscriminator(size, 1, **options)(images).shape == (2,)


@pytest.mark.parametrize(("size", "named"), [(8, "16"), (30, "28 or 32"), (100, "64 or 128"), (512, "256")])
def test_other_sizes_are_refused_with_the_nearest_ones(size, named):
    with pytest.raises(UserError, match=f"--loader.image-size {named};"):
        DCGANGenerator(size)


def test_at_28_pixels_the_odd_side_is_met_by_an_odd_kernel():
    """4 → 7 → 14 → 28 and back, against the same layers written out."""
    generator = nn.Sequential(
        OrderedDict(
            dense=nn.Linear(10, 256, bias=False),
            fold=nn.Unflatten(1, (16, 4, 4)),
            bn0=nn.BatchNorm2d(16),
            relu0=nn.ReLU(),
            conv1=nn.ConvTranspose2d(16, 8, 3, 2, 1, bias=False),
            bn1=nn.BatchNorm2d(8),
            relu1=nn.ReLU(),
            conv2=nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False),
            bn2=nn.BatchNorm2d(4),
            relu2=nn.ReLU(),
            image=nn.ConvTranspose2d(4, 1, 4, 2, 1),
            tanh=nn.Tanh(),
        )
    )
    ours = DCGANGenerator(28, 1, latent_dim=10, width=4, kernel_size=4)
    check_parity(ours, generator, torch.randn(4, 10), key_map=generator_key)

    discriminator = nn.Sequential(
        OrderedDict(
            conv0=nn.Conv2d(1, 4, 4, 2, 1),
            relu0=nn.LeakyReLU(0.2),
            conv1=nn.Conv2d(4, 8, 4, 2, 1),
            relu1=nn.LeakyReLU(0.2),
            conv2=nn.Conv2d(8, 16, 3, 2, 1),
            relu2=nn.LeakyReLU(0.2),
            flat=nn.Flatten(),
            head=nn.Linear(256, 1),
            squeeze=nn.Flatten(0),
        )
    )
    ours = DCGANDiscriminator(28, 1, width=4, kernel_size=4, norm="none")
    check_parity(ours, discriminator, torch.randn(4, 1, 28, 28), key_map=discriminator_key)


def test_weights_start_as_in_the_paper():
    torch.manual_seed(0)
    for net in DCGANGenerator(32, 3, width=64), DCGANDiscriminator(32, 3, width=64, norm="spectral"):
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.15)
                assert abs(module.weight.mean().item()) < 0.003
                assert module.bias is None or not module.bias.any()
            if isinstance(module, nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.02)
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.5)


# ---- spectral normalization ------------------------------------------------------------------------------


def spectral_layers() -> list[nn.Module]:
    torch.manual_seed(0)
    return [SpectralConv2d(6, 10, 4), SpectralLinear(12, 5), SpectralEmbedding(7, 9)]


@pytest.mark.parametrize("layer", spectral_layers(), ids=lambda layer: type(layer).__name__)
def test_the_normalized_weight_has_largest_singular_value_one(layer):
    layer.settle(200)
    largest = torch.linalg.svdvals(layer.eval().normalized().flatten(1))[0]
    assert largest.item() == pytest.approx(1, abs=1e-4)
    plain = {key for key in layer.state_dict() if key != "u"}
    assert plain <= {"weight", "bias"}


def test_training_passes_follow_a_weight_that_moves_and_evaluation_changes_nothing():
    torch.manual_seed(0)
    layer = SpectralLinear(20, 10)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(10, 20) * 3)
    for _ in range(100):
        layer(torch.randn(2, 20))
    before = layer.u.clone()
    layer.eval()(torch.randn(2, 20))
    assert torch.equal(before, layer.u)
    largest = torch.linalg.svdvals(layer.weight)[0]
    torch.testing.assert_close(spectral_norm(layer.weight, layer.u, update=False), largest, rtol=1e-4, atol=0)


def test_agrees_with_torchs_own_spectral_norm():
    torch.manual_seed(0)
    ours = SpectralConv2d(3, 8, 3)
    theirs = nn.Conv2d(3, 8, 3)
    theirs.load_state_dict({"weight": ours.weight, "bias": ours.bias})
    theirs = nn.utils.parametrizations.spectral_norm(theirs, n_power_iterations=200)
    ours.settle(200)
    x = torch.randn(2, 3, 6, 6)
    outputs = ours(x), theirs(x)
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)
    gradients = [torch.autograd.grad(y.square().sum(), w)[0] for y, w in zip(
        outputs, (ours.weight, theirs.parametrizations.weight.original), strict=True
    )]  # fmt: skip
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


def test_two_passes_before_one_backward_work():
    torch.manual_seed(0)
    layer = SpectralLinear(4, 4)
    (layer(torch.randn(2, 4)).sum() - layer(torch.randn(2, 4)).sum()).backward()
    assert torch.isfinite(layer.weight.grad).all()


def test_sigma_stays_fp32_under_autocast():
    layer = SpectralLinear(64, 64)
    exact = spectral_norm(layer.weight, layer.u, update=False)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(spectral_norm(layer.weight, layer.u, update=False), exact)


def test_averaged_singular_vectors_do_no_harm():
    layer = SpectralLinear(8, 8).eval()
    layer.settle(200)
    before = layer.normalized()
    layer.u.mul_(0.3)  # what an average of unit vectors looks like
    torch.testing.assert_close(layer.normalized(), before)
