"""A3C: workers that each play and learn by themselves, from weights that all of them share.

Mnih et al. 2016, "Asynchronous Methods for Deep Reinforcement Learning" (ICML, arXiv:1602.01783), section 4 and
algorithm S3. Each worker repeats, without waiting for the others:

    θ' ← θ                                         read the shared weights
    play T steps by π(· | s; θ')
    dθ = ∇_{θ'} L(θ')                              L is A2C's (a2c.py)
    θ ← θ − step(dθ)                               by an optimizer with shared statistics (section 4, "Optimization")

While a worker plays, others have changed θ, so that dθ is the gradient at weights that are a few steps old. Nobody
locks anything: a worker may read weights that are half old and half new (Recht et al. 2011, "Hogwild!").

What it was for: on CPUs that had nothing else to do, sixteen workers replaced a GPU, and their different episodes
replaced a replay buffer. A2C came from asking whether the asynchrony itself helps (it does not), and is what one would
use today: its environments give the same variety, and its trainings can be repeated.

What differs here: one process takes the steps of the optimizer, each as a worker's gradient arrives, and gives that
worker the new weights. So a worker's own last step is always in what it reads, as in the paper, while those of others
come when they come. One worker alone is A2C, number for number.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector


def flat_gradient(parameters: Iterable[Tensor]) -> Tensor:
    """dθ as one vector (P,); zeros for parameters without a gradient."""
    return torch.cat([(p.new_zeros(p.shape) if p.grad is None else p.grad).flatten() for p in parameters])


def loss_of_gradient(parameters: Iterable[Tensor], gradient: Tensor, value: Tensor) -> Tensor:
    """A loss whose gradient is `gradient` (P,) and that is `value` now: ⟨θ, dθ⟩ + constant."""
    product = (parameters_to_vector(parameters) * gradient).sum()
    return product - product.detach() + value
