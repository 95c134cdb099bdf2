"""Grad-CAM shows where the class is, follows its equations, and says where it cannot."""

import pytest
import torch
from torch import nn

from torchworks.cnn_vision import create_model
from torchworks.cnn_vision.inference.gradcam import grad_cam
from torchworks.cnn_vision.models.backbone import Backbone, Level
from torchworks.shared.config import UserError
from torchworks.shared.testing import randomize


class Brightness(Backbone):
    """Two channels, bright and dark places; class 0 likes bright ones, class 1 dark ones."""

    pyramid = (Level(2, 1),)

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward_pyramid(self, x):
        return [torch.cat([x.relu(), (-x).relu()], dim=1) * self.scale]

    def forward_features(self, x):
        return self.forward_pyramid(x)[-1]

    def forward_head(self, features):
        return features.mean((2, 3))


def spots():
    images = torch.zeros(2, 1, 8, 8)
    images[:, :, 1, 6], images[:, :, 6, 1] = 1, -1  # bright above, dark below
    return images


def test_heat_lies_where_the_class_is():
    bright, dark = grad_cam(Brightness(), spots(), torch.tensor([0, 1]))
    assert divmod(int(bright.argmax()), 8) == (1, 6)
    assert divmod(int(dark.argmax()), 8) == (6, 1)
    assert (bright.max(), dark.max()) == (1, 1)
    assert bright[6, 1] == dark[1, 6] == 0


def test_heat_follows_the_equations():
    torch.manual_seed(0)
    net, images = create_model("resnet18", num_classes=5, small_images=True).eval(), torch.randn(2, 3, 32, 32)
    classes = torch.tensor([3, 1])
    found = grad_cam(net, images, classes)
    maps = net.forward_features(images)  # 4 × 4, still large enough
    score = net.forward_head(maps)[torch.arange(2), classes].sum()
    (slope,) = torch.autograd.grad(score, maps)
    heat = torch.einsum("nc,nchw->nhw", slope.mean((2, 3)), maps).relu()
    heat = nn.functional.interpolate(heat[:, None], (32, 32), mode="bilinear")[:, 0]
    torch.testing.assert_close(found, heat / heat.amax((1, 2), keepdim=True))


def test_an_image_so_small_that_its_last_map_is_one_place_is_explained_by_a_larger_map():
    net = create_model("resnet18", num_classes=5, in_channels=1, small_images=True).eval()
    heat = grad_cam(net, torch.randn(1, 1, 8, 8), torch.tensor([2]))
    assert heat.shape == (1, 8, 8)
    assert len(heat.unique()) > 4


def test_it_leaves_the_net_without_gradients():
    net = create_model("resnet18", num_classes=5, small_images=True).eval()
    grad_cam(net, torch.randn(1, 3, 32, 32), torch.tensor([0]))
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_vit_is_explained_by_the_patches_that_its_class_token_reads_last():
    torch.manual_seed(0)
    net = randomize(create_model("vit_b_16", num_classes=5, small_images=True).eval())
    images, classes = torch.randn(2, 3, 32, 32), torch.tensor([3, 1])
    (patches,), logits = net.forward_traceable(images)
    torch.testing.assert_close(logits, net(images))
    (slope,) = torch.autograd.grad(logits[torch.arange(2), classes].sum(), patches)
    heat = torch.einsum("nc,nchw->nhw", slope.mean((2, 3)), patches).relu()
    heat = nn.functional.interpolate(heat[:, None], (32, 32), mode="bilinear")[:, 0]
    found = grad_cam(net, images, classes)
    torch.testing.assert_close(found, heat / heat.amax((1, 2), keepdim=True))
    assert found.amax() == 1


def test_a_net_whose_classifier_does_not_read_its_map_is_refused():
    class Headless(Brightness):
        def forward_head(self, features):
            raise ValueError("the head reads other tokens")

    with pytest.raises(UserError, match="does not allow: the head reads other tokens"):
        grad_cam(Headless(), spots(), torch.tensor([0, 1]))
