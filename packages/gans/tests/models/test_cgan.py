"""The conditional nets: what the class changes, and where."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchworks.gans import CGANDiscriminator, CGANGenerator, ConditionalBatchNorm2d
from torchworks.gans.models.config import CGANNet
from torchworks.gans.noise.predictor import build_generator, generator_config
from torchworks.shared.testing import check_model, check_predictor

LABELS = torch.tensor([0, 2, 1, 2])
CONDITIONS = ["projection", "concatenation"]


@pytest.mark.parametrize(("size", "condition"), [(16, "projection"), (16, "concatenation"), (28, "projection")])
def test_the_generator_keeps_the_models_contract(size, condition):
    check_model(
        lambda: CGANGenerator(3, size, 1, latent_dim=8, width=4, condition=condition),
        (torch.randn(4, 8), LABELS),
        shapes=(4, 1, size, size),
    )


@pytest.mark.parametrize(("size", "condition"), [(16, "projection"), (16, "concatenation"), (28, "projection")])
def test_the_discriminator_keeps_the_models_contract(size, condition):
    check_model(
        lambda: CGANDiscriminator(3, size, 1, width=4, condition=condition),
        (torch.randn(4, 1, size, size), LABELS),
        shapes=(4,),
    )


@pytest.mark.parametrize("norm", ["spectral", "batch", "none"])
def test_the_first_logits_are_small_whatever_the_normalization(norm):
    torch.manual_seed(0)
    net = CGANDiscriminator(3, 28, 1, width=32, norm=norm)
    assert net(torch.rand(4, 1, 28, 28) * 2 - 1, LABELS).abs().max() < 10


def test_conditional_batch_norm_is_batch_norm_with_the_classs_gain_and_bias():
    torch.manual_seed(0)
    layer, plain = ConditionalBatchNorm2d(5, 3), nn.BatchNorm2d(5, affine=False)
    nn.init.normal_(layer.gain.weight)
    nn.init.normal_(layer.bias.weight)
    x = torch.randn(4, 5, 6, 6)
    normalized = plain(x)
    expected = torch.stack(
        [
            row * layer.gain.weight[label][:, None, None] + layer.bias.weight[label][:, None, None]
            for row, label in zip(normalized, LABELS, strict=True)
        ]
    )
    torch.testing.assert_close(layer(x, LABELS), expected)
    torch.testing.assert_close(layer.norm.running_var, plain.running_var)


def test_the_projection_discriminator_is_the_papers_formula():
    torch.manual_seed(0)
    net = CGANDiscriminator(3, 16, 1, width=4, norm="none")
    x = torch.randn(4, 1, 16, 16)
    phi = net.trunk(x).sum(dim=(2, 3))
    for row in range(4):
        v, b, e = net.head.weight[0], net.head.bias[0], net.embed.weight[LABELS[row]]
        torch.testing.assert_close(net(x, LABELS)[row], v @ phi[row] + b + e @ phi[row])


def test_concatenation_gives_the_nets_the_one_hot_class():
    torch.manual_seed(0)
    g, d = (make(3, 16, 1, width=4, condition="concatenation") for make in (CGANGenerator, CGANDiscriminator))
    z, x = torch.randn(4, 100), torch.randn(4, 1, 16, 16)
    seen = {}
    g.project.register_forward_pre_hook(lambda module, inputs: seen.update(z=inputs[0]))
    d.trunk.register_forward_pre_hook(lambda module, inputs: seen.update(x=inputs[0]))
    g(z, LABELS), d(x, LABELS)
    one_hot = F.one_hot(LABELS, 3).float()
    assert torch.equal(seen["z"], torch.cat([z, one_hot], dim=1))
    assert torch.equal(seen["x"], torch.cat([x, one_hot[:, :, None, None].expand(4, 3, 16, 16)], dim=1))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_another_class_gives_another_image_and_another_judgement(condition):
    torch.manual_seed(0)
    generator = CGANGenerator(3, 16, 1, latent_dim=8, width=4, condition=condition).eval()
    discriminator = CGANDiscriminator(3, 16, 1, width=4, condition=condition).eval()
    for module in generator.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)  # all classes start alike
    z, x = torch.randn(4, 8), torch.randn(4, 1, 16, 16)
    other = (LABELS + 1) % 3
    assert (generator(z, LABELS) != generator(z, other)).flatten(1).any(1).all()
    assert (discriminator(x, LABELS) != discriminator(x, other)).all()


@pytest.mark.parametrize("size", [16, 28, 64, 256])
def test_sizes_are_those_of_dcgan(size):
    images = CGANGenerator(3, size, 3, latent_dim=4, width=2, max_channels=4)(torch.randn(4, 4), LABELS)
    assert images.shape == (4, 3, size, size)
    assert CGANDiscriminator(3, size, 3, width=2, max_channels=4)(images, LABELS).shape == (4,)


def test_the_predictor_exports_whole_for_any_number_of_rows():
    check_predictor(build_generator(generator_config(CGANNet(latent_dim=6, width=4), 16, 1, ("a", "b", "c"))))
