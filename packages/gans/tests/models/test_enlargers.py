"""SRResNet, SRGAN's discriminator, RRDBNet, the U-Net discriminator and k-means features, against the papers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchworks.gans import KMeansFeatures, RRDBNet, SRGANDiscriminator, SRResNet, UNetDiscriminator
from torchworks.shared.testing import check_model, check_parity, randomize


class PaperBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv0, self.conv1 = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.bn0, self.bn1, self.act = nn.BatchNorm2d(width), nn.BatchNorm2d(width), nn.PReLU()

    def forward(self, x):
        return x + self.bn1(self.conv1(self.act(self.bn0(self.conv0(x)))))


class PaperSRResNet(nn.Module):
    """Figure 4 of the paper, k9n64s1 and so on, one layer after the other."""

    def __init__(self, width, blocks):
        super().__init__()
        self.first, self.first_act = nn.Conv2d(3, width, 9, padding=4), nn.PReLU()
        self.blocks = nn.ModuleList(PaperBlock(width) for _ in range(blocks))
        self.after, self.after_bn = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.up0, self.up1 = (nn.Conv2d(width, 4 * width, 3, padding=1) for _ in range(2))
        self.act0, self.act1 = nn.PReLU(), nn.PReLU()
        self.last = nn.Conv2d(width, 3, 9, padding=4)

    def forward(self, x):
        first = x = self.first_act(self.first(x))
        for block in self.blocks:
            x = block(x)
        x = first + self.after_bn(self.after(x))
        for up, act in ((self.up0, self.act0), (self.up1, self.act1)):
            x = act(F.pixel_shuffle(up(x), 2))
        return self.last(x)


def srresnet_key(key: str) -> str:
    name, rest = key.split(".", 1)
    if name == "blocks":
        number, layer, rest = rest.split(".")
        return f"blocks.{number}.layers.{ {'conv0': 0, 'bn0': 1, 'act': 2, 'conv1': 3, 'bn1': 4}[layer] }.{rest}"
    simple = {
        "first": "head.0", "first_act": "head.1", "after": "join.0", "after_bn": "join.1", "last": "tail",
        "up0": "doublings.0.conv", "act0": "doublings.0.act", "up1": "doublings.1.conv", "act1": "doublings.1.act",
    }  # fmt: skip
    return f"{simple[name]}.{rest}"


def test_srresnet_is_the_papers():
    ours, paper = SRResNet(width=4, blocks=2), randomize(PaperSRResNet(4, 2))
    check_parity(ours, paper, torch.rand(2, 3, 6, 5), key_map=srresnet_key, quick=True)
    assert sum(p.numel() for p in SRResNet().parameters()) == sum(p.numel() for p in PaperSRResNet(64, 16).parameters())


def public_keys(blocks: int) -> set[str]:
    """Of BasicSR's RRDBNet, in which ESRGAN's and Real-ESRGAN's weights are published."""
    convs = ["conv_first", "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
    convs += [f"body.{i}.rdb{j}.conv{k}" for i in range(blocks) for j in (1, 2, 3) for k in range(1, 6)]
    return {f"{conv}.{kind}" for conv in convs for kind in ("weight", "bias")}


def test_rrdbnet_has_the_keys_and_sizes_of_the_published_weights():
    net = RRDBNet()
    assert net.state_dict().keys() == public_keys(23)
    assert sum(p.numel() for p in net.parameters()) == 16_697_987
    assert net.conv_first.weight.shape == (64, 3, 3, 3)
    assert RRDBNet(factor=2, width=4, blocks=1, growth=2).conv_first.weight.shape == (4, 12, 3, 3)


@pytest.mark.parametrize("factor", [2, 4])
def test_rrdbnet_is_the_papers_by_hand(factor):
    torch.manual_seed(0)
    net = randomize(RRDBNet(factor=factor, width=4, blocks=2, growth=3))
    state, x = net.state_dict(), torch.rand(2, 3, 6, 4)

    def conv(name, value):
        return F.conv2d(value, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def dense(name, value):
        seen = value
        for number in range(1, 5):
            seen = torch.cat([seen, F.leaky_relu(conv(f"{name}.conv{number}", seen), 0.2)], 1)
        return value + 0.2 * conv(f"{name}.conv5", seen)

    maps = first = conv("conv_first", x if factor == 4 else F.pixel_unshuffle(x, 2))
    for block in range(2):
        inner = maps
        for number in (1, 2, 3):
            inner = dense(f"body.{block}.rdb{number}", inner)
        maps = maps + 0.2 * inner
    maps = first + conv("conv_body", maps)
    for name in ("conv_up1", "conv_up2"):
        maps = F.leaky_relu(conv(name, maps.repeat_interleave(2, 2).repeat_interleave(2, 3)), 0.2)
    wanted = conv("conv_last", F.leaky_relu(conv("conv_hr", maps), 0.2))
    torch.testing.assert_close(net(x), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "build",
    [
        lambda: SRResNet(factor=2, width=4, blocks=1, norm=False, skip=True),
        lambda: SRResNet(factor=4, width=4, blocks=1, outer_kernel=5),
        lambda: RRDBNet(factor=4, width=4, blocks=1, growth=2, skip=True),
        lambda: RRDBNet(factor=2, width=4, blocks=1, growth=2),
    ],
    ids=["srresnet-x2", "srresnet", "rrdbnet", "rrdbnet-x2"],
)
def test_enlargers_keep_the_models_contract(build):
    side = 8 * build().factor
    check_model(build, torch.rand(2, 3, 8, 8), shapes=(2, 3, side, side))


def test_with_the_skip_the_first_result_is_bicubic_interpolation():
    x = torch.rand(1, 3, 5, 7)
    wanted = F.interpolate(x, scale_factor=4.0, mode="bicubic")
    torch.testing.assert_close(SRResNet(width=4, blocks=1, skip=True)(x), wanted)
    torch.testing.assert_close(RRDBNet(width=4, blocks=1, growth=2, skip=True)(x), wanted)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 8), (4, 7)])
def test_odd_sides_and_single_pixels_are_enlarged(height, width):
    x = torch.rand(1, 3, height, width)
    for factor in (2, 4):
        for net in (SRResNet(factor=factor, width=4, blocks=1), RRDBNet(factor=factor, width=4, blocks=1, growth=2)):
            assert net.eval()(x).shape == (1, 3, factor * height, factor * width)


@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_discriminators_keep_the_models_contract(norm):
    build = lambda: SRGANDiscriminator(width=4, norm=norm)  # noqa: E731
    check_model(build, torch.rand(2, 3, 32, 32), shapes=(2,), batch_independent=True)
    if norm == "spectral":
        check_model(lambda: UNetDiscriminator(width=4), torch.rand(2, 3, 16, 16), shapes=(2, 1, 16, 16))


def test_the_discriminator_of_srgan_has_the_papers_layers():
    net = SRGANDiscriminator()
    convs = [layer for layer in net.body if isinstance(layer, nn.Conv2d)]
    plan = [(64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)]
    assert [(conv.out_channels, conv.stride[0]) for conv in convs] == plan
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in net.body) == 7
    assert [layer.out_features for layer in net.head if isinstance(layer, nn.Linear)] == [1024, 1]


def test_learnt_features_are_scaled_on_their_images_and_follow_from_the_seed():
    torch.manual_seed(0)
    images = F.avg_pool2d(torch.rand(8, 3, 64, 64), 2)
    net, again, other = (KMeansFeatures((6, 8)).fit(images, seed) for seed in (0, 0, 1))
    first, second = net(images)
    assert second.shape == (8, 8, 16, 16)
    assert abs(first[..., 1:-1, 1:-1].mean()) < 0.1
    assert first[..., 1:-1, 1:-1].std((0, 2, 3)).tolist() == pytest.approx([1] * 6, abs=0.1)
    assert torch.equal(net.convs[1].weight, again.convs[1].weight)
    assert not torch.equal(net.convs[1].weight, other.convs[1].weight)
    assert not any(parameter.requires_grad for parameter in net.parameters())
