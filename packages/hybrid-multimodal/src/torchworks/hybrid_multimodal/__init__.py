"""Models of several kinds of data at once: words and images, films, sensors, users and items, molecules."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
