"""Steps that are kept and drawn again.

Mnih et al. 2015 draw all steps alike. Schaul, Quan, Antonoglou & Silver 2016, "Prioritized Experience Replay" (ICLR,
arXiv:1511.05952), draw those more often that surprised more, and count them less in turn:

    P(i) = p_i^α / Σ_k p_k^α,  p_i = |δ_i| + ε          w_i = (N P(i))^−β / max_k w_k        eq. 1, section 3.4

The largest weight is that of the batch.

The memory is a net without parameters, so that a checkpoint keeps it as tensors beside the others.

Grids of whole numbers from 0 to 255 are kept as bytes.

Shapes: M places of the memory, B rows of a batch, D numbers of an observation.
"""

import torch
from torch import Tensor, nn

_LEAST = 1e-3


class Replay(nn.Module):
    """Room for `capacity` steps, the oldest of which make way: observation (D,) or (C, H, W), action, reward R,
    discount (γⁿ, or 0 where the episode was terminated) and following observation. `observations` is D or (C, H, W);
    with `whole`, observations have whole numbers from 0 to 255 and take a byte a number. An action is a number or, with
    `actions`, a vector of as many numbers."""

    observation: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    following: Tensor
    priority: Tensor
    count: Tensor

    def __init__(self, capacity: int, observations: int | tuple[int, ...], actions: int = 0, *, whole: bool = False):
        super().__init__()
        shape = observations if isinstance(observations, tuple) else (observations,)
        for name in ("observation", "following"):
            self.register_buffer(name, torch.zeros(capacity, *shape, dtype=torch.uint8 if whole else torch.float32))
        kept = torch.zeros(capacity, actions) if actions else torch.zeros(capacity, dtype=torch.int64)
        self.register_buffer("action", kept)
        for name in ("reward", "discount", "priority"):
            self.register_buffer(name, torch.zeros(capacity))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def __len__(self) -> int:
        return min(int(self.count), len(self.action))

    def add(self, observation: Tensor, action: Tensor, reward: Tensor, discount: Tensor, following: Tensor) -> None:
        """Keep N steps, with the largest priority of all so far, so that each is drawn soon."""
        index = (torch.arange(len(action), device=self.action.device) + self.count) % len(self.action)
        priority = self.priority.max().clamp(min=1.0)
        for name, value in {
            "observation": observation,
            "action": action,
            "reward": reward,
            "discount": discount,
            "following": following,
        }.items():
            getattr(self, name)[index] = value.to(getattr(self, name))
        self.priority[index] = priority
        self.count += len(action)

    def draw(self, uniform: Tensor, *, alpha: float, beta: float) -> dict[str, Tensor]:
        """A batch by `uniform` numbers (B,) in [0, 1), with `index` (B,) and `weight` w (B,); observations are float32.
        α = 0 draws all alike."""
        return self._batch(*drawn(uniform, self.priority[: len(self)], alpha=alpha, beta=beta))

    def _batch(self, index: Tensor, weight: Tensor) -> dict[str, Tensor]:
        names = ("observation", "action", "reward", "discount", "following")
        found = {name: getattr(self, name)[index] for name in names}
        for name in ("observation", "following"):
            found[name] = found[name].float()
        return found | {"index": index, "weight": weight}

    def surprise(self, index: Tensor, errors: Tensor) -> None:
        """Take in how far off the values of steps `index` (B,) were: |δ| (B,)."""
        self.priority[index] = errors.abs().to(self.priority) + _LEAST


def drawn(uniform: Tensor, priority: Tensor, *, alpha: float, beta: float) -> tuple[Tensor, Tensor]:
    """Which of `priority` (M,) are drawn by `uniform` (B,), int64 (B,), and their weights w (B,)."""
    held = len(priority)
    if not alpha:
        return (uniform * held).long().clamp(max=held - 1), torch.ones_like(uniform)
    power = priority**alpha
    ends = power.cumsum(0)
    index = torch.searchsorted(ends, uniform * ends[-1], right=True).clamp(max=held - 1)
    weight = (held * power[index] / ends[-1]) ** -beta
    return index, weight / weight.max()
