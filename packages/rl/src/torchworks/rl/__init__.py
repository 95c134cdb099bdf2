"""Agents that learn by playing.

from torchworks.rl import ActorCritic

logits, value = ActorCritic(4, 2)(torch.randn(8, 4))  # (8, 2), (8,)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
