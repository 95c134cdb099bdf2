"""A small classifier of texts.

from torchworks.seq_models import TextCNN

logits = TextCNN(vocabulary=100, num_classes=2)(torch.randint(1, 100, (8, 12)))  # (8, 2)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
