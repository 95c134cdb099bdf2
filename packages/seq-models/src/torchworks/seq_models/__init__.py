"""Language models, classifiers of texts, and models that translate.

from torchworks.seq_models import GPT

logits = GPT(vocabulary=100)(torch.randint(100, (8, 64)))  # (8, 64, 100): of the token after each
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
