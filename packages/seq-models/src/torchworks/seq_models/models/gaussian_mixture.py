"""The density of a number as a mixture of normal distributions, whose parameters a net answers.

Bishop 1994, "Mixture Density Networks" (NCRG/94/004), equations 22 and 23:

    p(x) = Σ_k π_k N(x; μ_k, σ_k²),        π = softmax(a),        σ_k = exp(s_k)

The logarithms s are kept within [−3, 3]: below, a value that is always the same would give a density without bound.
"""

import math

from torch import Tensor

NARROWEST, WIDEST = -3.0, 3.0
"""Limits of log σ, for values in standard deviations."""


def log_density(answers: Tensor, x: Tensor) -> Tensor:
    """log p(x) for x (…) and a net's `answers` (…, 3·K): a, μ and s of each component."""
    a, mean, log_std = answers.chunk(3, -1)
    log_std = log_std.clamp(NARROWEST, WIDEST)
    distance = (x[..., None] - mean) * (-log_std).exp()
    each = a.log_softmax(-1) - log_std - 0.5 * distance.square() - 0.5 * math.log(2 * math.pi)
    return each.logsumexp(-1)
