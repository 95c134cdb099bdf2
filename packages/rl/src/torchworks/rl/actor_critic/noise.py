"""Chance in play that keeps its direction for a while, and so explores farther than chance that is new in each step.

Eberhard, Hollenstein, Pinneri & Martius 2023, "Pink Noise Is All You Need: Colored Noise Exploration in Deep
Reinforcement Learning" (ICLR): normal numbers ε_t whose power falls with the frequency,

    E[|ε̂(f)|²] ∝ 1 / f^β                                                                       section 3

β = 0 is white noise, each step by itself, β = 1 pink noise, β = 2 red noise, nearly the Ornstein-Uhlenbeck process of
DDPG (Lillicrap et al. 2016, section 3). They are made for a whole episode at once: a random spectrum with amplitudes
f^(−β/2), transformed back (Timmer & König 1995, "On Generating Power Law Noise", Astronomy and Astrophysics 300).

Each is standard normal, whatever β, and a function of the seed and its place alone, so that a resumed training needs
nothing else to go on exactly.

Shapes: N environments, A numbers of an action, T steps.
"""

import torch
from torch import Tensor

from torchworks.shared.numbers.seeds import mix


class ColoredNoise:
    """Standard normal numbers (N, A) for each step of play; after `length` steps they begin anew."""

    def __init__(self, environments: int, actions: int, *, beta: float, length: int, seed: int):
        self.shape, self.beta, self.length, self.seed = (environments, actions), beta, length, seed
        self._place: tuple[str, int] | None = None
        self._made = torch.empty(0)

    def at(self, step: int, part: str = "play") -> Tensor:
        """Those of step 0, 1, …; parts of a training have others."""
        block, within = divmod(step, self.length)
        if self._place != (part, block):
            random = torch.Generator().manual_seed(mix(self.seed, "noise", part, block))
            self._place, self._made = (part, block), colored(*self.shape, self.length, beta=self.beta, random=random)
        return self._made[..., within]


def colored(*shape: int, beta: float, random: torch.Generator) -> Tensor:
    """Series (…, T) of the `shape` whose numbers are standard normal, one by one, and have power ∝ 1 / f^β."""
    length = shape[-1]
    frequency = torch.fft.rfftfreq(length)
    frequency[0] = frequency[1] if length > 1 else 1.0  # the mean has the power of the lowest frequency
    amplitude = frequency ** (-beta / 2)
    once = torch.zeros(len(amplitude), dtype=torch.bool)  # frequencies without a phase: 0 and half the number of steps
    once[0], once[-1] = True, length % 2 == 0 or length == 1
    real, imaginary = (torch.randn(*shape[:-1], len(amplitude), generator=random) for _ in range(2))
    spectrum = torch.complex(torch.where(once, real * 2**0.5, real), torch.where(once, 0.0, imaginary)) * amplitude
    weight = torch.where(once, 2.0, 4.0) * amplitude.square()
    return torch.fft.irfft(spectrum, n=length) * (length / weight.sum().sqrt())
