"""The networks of a configuration."""

from dataclasses import asdict, replace
from typing import Any

from torch import nn

from torchworks.gans.models.biggan import BigGANDiscriminator, BigGANGenerator
from torchworks.gans.models.cgan import CGANDiscriminator, CGANGenerator, Condition
from torchworks.gans.models.clustered import ClusteredDiscriminator, ClusteredGenerator
from torchworks.gans.models.config import (
    BigGANNet,
    CGANNet,
    ClusteredNet,
    DCGANNet,
    InfoGANNet,
    R3GANNet,
    StyleGAN2Net,
    TranslatorNet,
    WGANNet,
)
from torchworks.gans.models.dcgan import DCGANDiscriminator, DCGANGenerator
from torchworks.gans.models.infogan import InfoGANDiscriminator, InfoGANGenerator
from torchworks.gans.models.r3gan import R3GANDiscriminator, R3GANGenerator
from torchworks.gans.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from torchworks.gans.models.translators import PatchDiscriminator, ResnetGenerator, patch_layers
from torchworks.gans.models.wgan_gp import WGANCritic

GanNet = BigGANNet | DCGANNet | CGANNet | ClusteredNet | InfoGANNet | R3GANNet | StyleGAN2Net | WGANNet
ARCHITECTURES: dict[str, type[GanNet]] = {
    "dcgan": DCGANNet,
    "biggan": BigGANNet,
    "cgan": CGANNet,
    "clustered": ClusteredNet,
    "infogan": InfoGANNet,
    "r3gan": R3GANNet,
    "stylegan2": StyleGAN2Net,
    "wgan-gp": WGANNet,
}


def architecture_of(net: GanNet) -> str:
    """The key of `net`'s type in `ARCHITECTURES`."""
    return next(name for name, kind in ARCHITECTURES.items() if type(net) is kind)


def latent_of(net: GanNet) -> str:
    """How `net`'s latent numbers are distributed."""
    return net.latent if isinstance(net, DCGANNet) else "normal"


def clusters_of(net: GanNet) -> int:
    """How many clusters stand for classes; 0: none."""
    return net.clusters if isinstance(net, ClusteredNet | R3GANNet) else 0


def generator(net: GanNet, image_size: int, channels: int, num_classes: int = 0) -> nn.Module:
    """The generator of images (N, channels, image_size, image_size); `num_classes` is for `CGANNet` and `BigGANNet`."""
    if clusters := clusters_of(net):
        inner = _generator(replace(net, latent_dim=net.latent_dim - 1), image_size, channels, clusters)
        return ClusteredGenerator(inner, clusters, latent=latent_of(net))
    return _generator(net, image_size, channels, num_classes)


def discriminator(net: GanNet, image_size: int, channels: int, num_classes: int = 0) -> nn.Module:
    """The discriminator that goes with `generator`."""
    if clusters := clusters_of(net):
        return ClusteredDiscriminator(_discriminator(net, image_size, channels, clusters), clusters)
    return _discriminator(net, image_size, channels, num_classes)


def _generator(net: GanNet, image_size: int, channels: int, num_classes: int) -> nn.Module:
    if isinstance(net, BigGANNet):
        return BigGANGenerator(num_classes, image_size, channels, **_sizes(net, "discriminator_width"))
    if isinstance(net, R3GANNet):
        return R3GANGenerator(image_size, channels, num_classes=num_classes, **_sizes(net, "clusters"))
    if isinstance(net, StyleGAN2Net):
        return StyleGAN2Generator(image_size, channels, **_sizes(net, "discriminator_width"))
    sizes = {
        "latent_dim": net.latent_dim,
        "width": net.width,
        "max_channels": net.max_channels,
        "kernel_size": net.kernel_size,
    }
    if isinstance(net, CGANNet | ClusteredNet):
        return CGANGenerator(num_classes, image_size, channels, condition=_condition(net), **sizes)
    if isinstance(net, InfoGANNet):
        return InfoGANGenerator(image_size, channels, categories=net.categories, numbers=net.numbers, **sizes)
    return DCGANGenerator(image_size, channels, **sizes)


def _discriminator(net: GanNet, image_size: int, channels: int, num_classes: int) -> nn.Module:
    if isinstance(net, BigGANNet):
        limits = {"width": net.discriminator_width, "max_channels": net.max_channels, "attention": net.attention}
        return BigGANDiscriminator(num_classes, image_size, channels, **limits)
    if isinstance(net, R3GANNet):
        return R3GANDiscriminator(
            image_size, channels, num_classes=num_classes, **_sizes(net, "clusters", "latent_dim", "output")
        )
    if isinstance(net, StyleGAN2Net):
        limits = {"width": net.discriminator_width, "max_channels": net.max_channels}
        return StyleGAN2Discriminator(image_size, channels, **limits)
    if isinstance(net, WGANNet):
        limits = {"width": net.discriminator_width, "max_channels": net.max_channels, "kernel_size": net.kernel_size}
        return WGANCritic(image_size, channels, norm=net.critic_norm, **limits)
    sizes = {
        "width": net.discriminator_width,
        "max_channels": net.max_channels,
        "kernel_size": net.kernel_size,
        "norm": net.norm,
    }
    if isinstance(net, CGANNet | ClusteredNet):
        return CGANDiscriminator(num_classes, image_size, channels, condition=_condition(net), **sizes)
    if isinstance(net, InfoGANNet):
        return InfoGANDiscriminator(image_size, channels, categories=net.categories, numbers=net.numbers, **sizes)
    return DCGANDiscriminator(image_size, channels, **sizes)


def _sizes(net: GanNet, *left_out: str) -> dict[str, Any]:
    return {key: value for key, value in asdict(net).items() if key not in left_out}


def _condition(net: CGANNet | ClusteredNet) -> Condition:
    return net.condition if isinstance(net, CGANNet) else "projection"


def translator(net: TranslatorNet, in_channels: int, out_channels: int) -> ResnetGenerator:
    """A generator of images from images."""
    return ResnetGenerator(
        in_channels,
        out_channels,
        width=net.width,
        blocks=net.blocks,
        downsamplings=net.downsamplings,
        outer_kernel=net.outer_kernel,
    )


def patch_discriminator(net: TranslatorNet, in_channels: int, image_size: int) -> PatchDiscriminator:
    """A discriminator of patches that suit `image_size`."""
    layers = net.patch_layers or patch_layers(image_size)
    return PatchDiscriminator(in_channels, width=net.discriminator_width, layers=layers, norm=net.discriminator_norm)
