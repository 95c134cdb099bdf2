"""The nets of a configuration that enlarges."""

from dataclasses import asdict

from torch import nn

from torchworks.gans.models.enlarger_config import EnlargerNet, EnlargingDiscriminatorNet, RRDBNetNet, SRResNetNet
from torchworks.gans.models.rrdbnet import RRDBNet
from torchworks.gans.models.srresnet import SRGANDiscriminator, SRResNet
from torchworks.gans.models.unet_discriminator import UNetDiscriminator

ENLARGERS: dict[str, type[EnlargerNet]] = {"srresnet": SRResNetNet, "rrdbnet": RRDBNetNet}


def enlarger_name(net: EnlargerNet) -> str:
    """The key of `net`'s type in `ENLARGERS`."""
    return next(name for name, kind in ENLARGERS.items() if type(net) is kind)


def enlarger(net: EnlargerNet, factor: int) -> SRResNet | RRDBNet:
    """A generator of images `factor` times as wide and high."""
    if isinstance(net, SRResNetNet):
        return SRResNet(factor=factor, **asdict(net))
    return RRDBNet(factor=factor, **asdict(net))


def enlarging_discriminator(net: EnlargingDiscriminatorNet) -> nn.Module:
    """The discriminator that goes with it."""
    if net.kind == "unet":
        return UNetDiscriminator(width=net.width)
    return SRGANDiscriminator(width=net.width, norm=net.norm)
