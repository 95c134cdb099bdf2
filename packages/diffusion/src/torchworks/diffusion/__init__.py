"""A small classifier of images.

from torchworks.diffusion import AllCNN

logits = AllCNN(num_classes=10)(torch.randn(8, 1, 16, 16))  # (8, 10)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
