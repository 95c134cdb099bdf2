"""U-Net is the paper's: against its layers written out one by one, its parameters counted, images of any size."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.cnn_vision.models.unet import unet
from torchworks.shared.testing import check_model, check_parity, randomize


class Figure1(nn.Module):
    """The paper's figure 1, from left to right, with padded convolutions, for two levels of `c` channels and more."""

    def __init__(self, c: int):
        super().__init__()
        self.left_1a, self.left_1b = nn.Conv2d(1, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1)
        self.left_2a, self.left_2b = nn.Conv2d(c, 2 * c, 3, padding=1), nn.Conv2d(2 * c, 2 * c, 3, padding=1)
        self.bottom_a, self.bottom_b = nn.Conv2d(2 * c, 4 * c, 3, padding=1), nn.Conv2d(4 * c, 4 * c, 3, padding=1)
        self.up_2, self.up_1 = nn.ConvTranspose2d(4 * c, 2 * c, 2, 2), nn.ConvTranspose2d(2 * c, c, 2, 2)
        self.right_2a, self.right_2b = nn.Conv2d(4 * c, 2 * c, 3, padding=1), nn.Conv2d(2 * c, 2 * c, 3, padding=1)
        self.right_1a, self.right_1b = nn.Conv2d(2 * c, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1)
        self.last = nn.Conv2d(c, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.left_1b(F.relu(self.left_1a(x))))
        second = F.relu(self.left_2b(F.relu(self.left_2a(F.max_pool2d(first, 2)))))
        bottom = F.relu(self.bottom_b(F.relu(self.bottom_a(F.max_pool2d(second, 2)))))
        x = torch.cat((second, self.up_2(bottom)), 1)
        x = F.relu(self.right_2b(F.relu(self.right_2a(x))))
        x = torch.cat((first, self.up_1(x)), 1)
        return self.last(F.relu(self.right_1b(F.relu(self.right_1a(x)))))


NAMES = {
    "left_1a": "stem.0", "left_1b": "stem.2", "left_2a": "down.0.0", "left_2b": "down.0.2", "bottom_a": "down.1.0",
    "bottom_b": "down.1.2", "up_2": "up.0.up", "right_2a": "up.0.conv.0", "right_2b": "up.0.conv.2", "up_1": "up.1.up",
    "right_1a": "up.1.conv.0", "right_1b": "up.1.conv.2", "last": "classifier",
}  # fmt: skip


def test_outputs_and_gradients_are_those_of_the_papers_figure():
    ours = unet(num_classes=2, in_channels=1, width=4, depth=2, norm="none")

    def rename(key: str) -> str:
        layer, kind = key.split(".")
        return f"{NAMES[layer]}.{kind}"

    images = torch.randn(2, 1, 24, 32, generator=torch.Generator().manual_seed(0))
    check_parity(ours, randomize(Figure1(4)), images, key_map=rename)


def test_the_papers_net_has_31_million_parameters():
    with torch.device("meta"):
        net = unet(num_classes=2, in_channels=1, norm="none")
    assert sum(p.numel() for p in net.parameters()) == 31_030_658  # reported as 31.03 M
    assert sum(isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) for module in net.modules()) == 23  # section 2


@pytest.mark.parametrize("size", [(16, 16), (17, 30), (1, 5)], ids=str)
def test_logits_are_as_large_as_the_image_whatever_its_size(size: tuple[int, int]):
    net = unet(num_classes=3, width=2, depth=3).eval()
    assert net(torch.randn(1, 3, *size)).shape == (1, 3, *size)


def test_padding_does_not_change_what_an_image_would_have_given():
    net = unet(num_classes=3, width=2, depth=2).eval()
    image = torch.randn(1, 3, 16, 13)
    whole = torch.cat([image, image[..., -1:].expand(-1, -1, -1, 3)], 3)
    torch.testing.assert_close(net(image), net(whole)[..., :13])


def test_the_auxiliary_head_is_for_training_and_changes_nothing_else():
    net = unet(num_classes=3, width=2, depth=2, aux_loss=True)
    images = torch.randn(2, 3, 17, 30)
    outputs = net(images)
    assert {name: value.shape for name, value in outputs.items()} == {"out": (2, 3, 17, 30), "aux": (2, 3, 17, 30)}
    outputs["aux"].sum().backward()
    assert net.down[-1][0].weight.grad.norm() > 0  # the lowest level
    assert net.up[-1].conv[0].weight.grad is None  # the finest one
    plain = unet(num_classes=3, width=2, depth=2)
    rest = plain.load_state_dict(net.state_dict(), strict=False)
    assert not rest.missing_keys
    assert torch.equal(net.eval()(images), plain.eval()(images))


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_contract_of_models_is_kept(norm):
    images = torch.randn(2, 1, 20, 20)
    check_model(
        lambda: unet(num_classes=4, in_channels=1, width=4, depth=2, norm=norm),
        images,
        shapes=(2, 4, 20, 20),
        bf16_tol=0.2,
    )
