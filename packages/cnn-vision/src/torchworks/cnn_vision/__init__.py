"""Deep CNNs, proven equal to torchvision's, and image classification with them.

from torchworks.cnn_vision import create_model

net = create_model("resnet18", num_classes=10, in_channels=1, small_images=True)
logits = net(torch.randn(8, 1, 8, 8))  # (8, 10)
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
