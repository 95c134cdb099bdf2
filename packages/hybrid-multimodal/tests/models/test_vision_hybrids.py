"""Nets of convolution and attention: torchvision's SE, the tensors of published nets (timm's: test_parity.py)."""

from functools import partial

import pytest
import timm
import torch
from torchvision.ops import SqueezeExcitation as TorchvisionSE

from torchworks.hybrid_multimodal.models.attention_pooling import AttentionPool
from torchworks.hybrid_multimodal.models.coatnet import CoAtNet
from torchworks.hybrid_multimodal.models.hybrid_vit import HybridViT
from torchworks.hybrid_multimodal.models.se import SqueezeExcitation
from torchworks.shared.testing import check_model, check_parity, randomize

MAP = torch.randn(3, 32, 6, 5, generator=torch.Generator().manual_seed(0))
SMALL_COATNET = {"widths": (32, 64), "depths": (2, 2), "kinds": "CT", "stem_width": 16, "head_hidden": 24}
SMALL_VIT = {"stem_width": 32, "widths": (128, 256), "depths": (2, 1), "width": 32, "depth": 2, "num_heads": 2}


def test_se_is_torchvisions():
    check_parity(SqueezeExcitation(32, 8), randomize(TorchvisionSE(32, 8)), MAP)


def test_where_attention_pooling_looks_sums_to_one_in_each_head():
    where, _ = AttentionPool(32, 4).attend(MAP.flatten(2).mT)
    assert where.shape == (3, 4, 30)
    torch.testing.assert_close(where.sum(2), torch.ones(3, 4))


@pytest.mark.parametrize(
    ("name", "ours"), [("coatnet_0_224", CoAtNet), ("vit_small_r26_s32_224", HybridViT)], ids=["coatnet", "vit"]
)
def test_the_defaults_have_the_tensors_of_the_published_net(name, ours):
    with torch.device("meta"):
        wanted = timm.create_model(name).state_dict()
        found = ours(num_classes=1000).state_dict()
    assert {key: value.shape for key, value in found.items()} == {key: value.shape for key, value in wanted.items()}


def test_every_promise_of_a_net_holds():
    images = torch.randn(2, 3, 32, 32)
    coatnet, vit = (partial(net, num_classes=5, image_size=32) for net in (CoAtNet, HybridViT))
    check_model(lambda: coatnet(**SMALL_COATNET), images, shapes=(2, 5), export=False)
    check_model(lambda: vit(**SMALL_VIT), images, shapes=(2, 5), export=False)


def test_sizes_that_make_no_net_are_refused():
    with pytest.raises(ValueError, match="halved 3 times"):
        CoAtNet(num_classes=5, image_size=36, **SMALL_COATNET)
    with pytest.raises(ValueError, match="multiple of 8"):
        HybridViT(num_classes=5, image_size=36, **SMALL_VIT)
    with pytest.raises(ValueError, match="3 heads"):
        AttentionPool(32, 3)
