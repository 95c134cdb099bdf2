"""The networks of a configuration."""

from dataclasses import asdict

from torch import nn

from torchworks.gans.models.biggan import BigGANDiscriminator, BigGANGenerator
from torchworks.gans.models.cgan import CGANDiscriminator, CGANGenerator
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


def generator(net: GanNet, image_size: int, channels: int, num_classes: int = 0) -> nn.Module:
    """The generator of images (N, channels, image_size, image_size); `num_classes` is for `CGANNet` and `BigGANNet`."""
    if isinstance(net, BigGANNet):
        options = {key: value for key, value in asdict(net).items() if key != "discriminator_width"}
        return BigGANGenerator(num_classes, image_size, channels, **options)
    if isinstance(net, R3GANNet):
        return R3GANGenerator(image_size, channels, **asdict(net))
    if isinstance(net, StyleGAN2Net):
        options = {key: value for key, value in asdict(net).items() if key != "discriminator_width"}
        return StyleGAN2Generator(image_size, channels, **options)
    sizes = {
        "latent_dim": net.latent_dim,
        "width": net.width,
        "max_channels": net.max_channels,
        "kernel_size": net.kernel_size,
    }
    if isinstance(net, CGANNet):
        return CGANGenerator(num_classes, image_size, channels, condition=net.condition, **sizes)
    if isinstance(net, ClusteredNet):
        return ClusteredGenerator(net.clusters, image_size, channels, latent=net.latent, **sizes)
    if isinstance(net, InfoGANNet):
        return InfoGANGenerator(image_size, channels, categories=net.categories, numbers=net.numbers, **sizes)
    return DCGANGenerator(image_size, channels, **sizes)


def discriminator(net: GanNet, image_size: int, channels: int, num_classes: int = 0) -> nn.Module:
    """The discriminator that goes with `generator`."""
    if isinstance(net, BigGANNet):
        limits = {"width": net.discriminator_width, "max_channels": net.max_channels, "attention": net.attention}
        return BigGANDiscriminator(num_classes, image_size, channels, **limits)
    if isinstance(net, R3GANNet):
        return R3GANDiscriminator(
            image_size, channels, **{key: value for key, value in asdict(net).items() if key != "latent_dim"}
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
    if isinstance(net, CGANNet):
        return CGANDiscriminator(num_classes, image_size, channels, condition=net.condition, **sizes)
    if isinstance(net, ClusteredNet):
        return ClusteredDiscriminator(net.clusters, image_size, channels, **sizes)
    if isinstance(net, InfoGANNet):
        return InfoGANDiscriminator(image_size, channels, categories=net.categories, numbers=net.numbers, **sizes)
    return DCGANDiscriminator(image_size, channels, **sizes)


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
