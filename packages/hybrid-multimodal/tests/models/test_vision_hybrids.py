"""SE, CBAM, attention pooling, CoAtNet and the hybrid ViT are those of timm and torchvision."""

from functools import partial

import pytest
import timm
import torch
from timm.layers import AttentionPoolLatent, SEModule
from timm.layers.cbam import CbamModule
from timm.models.maxxvit import MaxxVit, MaxxVitCfg
from timm.models.resnetv2 import ResNetV2
from timm.models.vision_transformer import VisionTransformer
from timm.models.vision_transformer_hybrid import HybridEmbed, StdConv2dSame
from torch import nn
from torchvision.ops import SqueezeExcitation as TorchvisionSE

from torchworks.hybrid_multimodal.models.attention_pooling import AttentionPool
from torchworks.hybrid_multimodal.models.cbam import CBAM
from torchworks.hybrid_multimodal.models.coatnet import CoAtNet
from torchworks.hybrid_multimodal.models.hybrid_vit import HybridViT
from torchworks.hybrid_multimodal.models.se import SqueezeExcitation
from torchworks.shared.testing import check_model, check_parity, randomize

MAP = torch.randn(3, 32, 6, 5, generator=torch.Generator().manual_seed(0))
SMALL_COATNET = {"widths": (32, 64), "depths": (2, 2), "kinds": "CT", "stem_width": 16, "head_hidden": 24}
SMALL_VIT = {"stem_width": 32, "widths": (128, 256), "depths": (2, 1), "width": 32, "depth": 2, "num_heads": 2}


@pytest.mark.parametrize("reference", [SEModule(32, rd_channels=8), TorchvisionSE(32, 8)], ids=["timm", "torchvision"])
def test_se_is_theirs(reference):
    check_parity(SqueezeExcitation(32, 8), randomize(reference), MAP)


def test_cbam_is_timms():
    check_parity(CBAM(32, 4), randomize(CbamModule(32, rd_channels=4)), MAP)


@pytest.mark.parametrize("mlp_ratio", [0, 2])
def test_attention_pooling_is_timms(mlp_ratio):
    options = {"norm_layer": nn.LayerNorm, "mlp_ratio": mlp_ratio} if mlp_ratio else {"out_features": 0}
    reference = AttentionPoolLatent(32, num_heads=4, **options)
    check_parity(AttentionPool(32, 4, mlp_ratio), randomize(reference), MAP.flatten(2).mT.contiguous())


def test_where_attention_pooling_looks_sums_to_one_in_each_head():
    where, _ = AttentionPool(32, 4).attend(MAP.flatten(2).mT)
    assert where.shape == (3, 4, 30)
    torch.testing.assert_close(where.sum(2), torch.ones(3, 4))


def test_coatnet_is_timms():
    reference = MaxxVit(MaxxVitCfg((32, 64), (2, 2), ("C", "T"), 16, head_hidden_size=24), img_size=32, num_classes=5)
    ours = CoAtNet(num_classes=5, image_size=32, **SMALL_COATNET)
    check_parity(ours, randomize(reference), torch.randn(2, 3, 32, 32), quick=True)


def test_the_hybrid_vit_is_timms():
    conv = partial(StdConv2dSame, eps=1e-8)
    backbone = ResNetV2(
        (2, 1), (128, 256), num_classes=0, global_pool="", stem_chs=32, preact=False, stem_type="same", conv_layer=conv
    )
    reference = VisionTransformer(
        64, 1, num_classes=5, embed_dim=32, depth=2, num_heads=2, embed_layer=partial(HybridEmbed, backbone=backbone)
    )
    ours = HybridViT(num_classes=5, image_size=64, **SMALL_VIT)
    check_parity(ours, randomize(reference), torch.randn(2, 3, 64, 64), quick=True)


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
