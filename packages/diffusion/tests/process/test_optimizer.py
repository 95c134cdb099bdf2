"""What optimizes diffusion models: which parameters Muon trains, and with what it does not go."""

from dataclasses import replace

import pytest
import torch

from torchworks.diffusion.images.recipes import flow
from torchworks.diffusion.models.config import ConditionalUNetConfig, TextEncoderConfig
from torchworks.diffusion.models.dit import DiT
from torchworks.diffusion.models.unet import UNet
from torchworks.diffusion.process.optimizer import inner, optimizer_of
from torchworks.diffusion.text2image.net import CaptionedUNet
from torchworks.diffusion.text2image.recipes import text2image
from torchworks.shared.config import TrainerConfig, UserError


def captioned() -> CaptionedUNet:
    sizes = ConditionalUNetConfig(widths=(8, 16), head_dim=8), TextEncoderConfig(embed_dim=16, depth=1, num_heads=2)
    return CaptionedUNet(sizes[1], sizes[0], vocabulary=20, length=8, channels=3, image_size=16)


NETS = {
    "U-Net": lambda: UNet(1, widths=(8, 16), num_classes=3),
    "DiT": lambda: DiT(1, embed_dim=16, depth=2, num_heads=2, num_classes=3),
    "captions": captioned,
}


@pytest.mark.parametrize("name", NETS)
def test_muon_trains_matrices_between_the_ends_and_adamw_all_else(name):
    net = NETS[name]()
    optimizer = optimizer_of(net, replace(flow(), muon_lr=0.02))
    groups = [{*group["params"]} for group in optimizer.param_groups]
    assert sum(map(len, groups)) == len({*net.parameters()}) == len(set.union(*groups))
    names = {parameter: name for name, parameter in net.named_parameters()}
    by_muon = {names[parameter] for parameter in groups[0]}
    assert by_muon == {names[parameter] for parameter in inner(net)}
    assert not [n for n in by_muon if "conv_in" in n or "conv_out" in n or "pos_embed" in n or "proj_out_2" in n]
    assert not [
        n for n in by_muon if "token_embedding" in n or "embedding_table" in n or "position" in n or "bias" in n
    ]
    assert sum(parameter.numel() for parameter in groups[0]) > 0.8 * sum(p.numel() for p in net.parameters())


def test_one_step_of_muon_moves_every_parameter_with_a_gradient():
    torch.manual_seed(0)
    net = UNet(1, widths=(8, 16), num_classes=3)
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    for parameter in net.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer_of(net, replace(flow(), muon_lr=0.02)).step()
    assert all(not torch.equal(before[name], parameter) for name, parameter in net.named_parameters())


@pytest.mark.parametrize("recipe", [flow, text2image])
def test_muon_refuses_sharded_matrices(recipe):
    with pytest.raises(UserError, match="Muon needs whole matrices"):
        replace(recipe(), muon_lr=0.02, trainer=TrainerConfig(strategy="fsdp"))
