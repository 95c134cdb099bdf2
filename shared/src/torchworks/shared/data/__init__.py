"""Data: sources opened by name, splits that never leak, loaders whose order and pixels follow from the seed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
