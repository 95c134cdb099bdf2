"""How close generated images come to real ones: distances in a named feature space, with their floors.

judge = judge_for(source, image_size=32)                       # a classifier of these data, trained once
fidelity = Fidelity(judge, reference=features_of(judge, source.train))
fidelity.update(fake=images)
fidelity.compute()                                             # {"fd_digits64": …, "precision": …, …}
floor(judge, source.train, source.test)                        # the same for real images
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
