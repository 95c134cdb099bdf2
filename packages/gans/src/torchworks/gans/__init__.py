"""Generative adversarial networks: DCGAN, conditional GAN, R3GAN, StyleGAN2, CycleGAN, pix2pix.

from torchworks.gans import DCGANGenerator

images = DCGANGenerator(image_size=32, out_channels=1)(torch.randn(8, 100))  # (8, 1, 32, 32) in [-1, 1]
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
