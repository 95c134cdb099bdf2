"""Diffusion models: DDPM, flow matching, EDM, from noise to images, and what can be done with them.

from torchworks.diffusion import UNet

net = UNet(1, num_classes=10, fold=2)
predicted = net(torch.randn(8, 1, 16, 16), torch.full((8,), 500.0), torch.arange(8))  # (8, 1, 16, 16)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
