"""The value of each action in what is observed, by dense layers, of grids after convolutions.

Mnih et al. 2015 give one output an action. Wang et al. 2016, "Dueling Network Architectures for Deep Reinforcement
Learning" (ICML, arXiv:1511.06581), eq. 9, split it into what the state is worth and what the action adds:

    Q(s, a) = V(s) + A(s, a) − mean_a' A(s, a')

With `atoms` above 1, each action has the logits of as many values that its return may take (c51.py).

Shapes: N observations, D numbers or a grid (C, H, W) each, A actions, K atoms.
"""

from itertools import pairwise

from torch import Tensor, nn

from torchworks.rl.models.bodies import make_body


class QNet(nn.Module):
    """Observations (N, D) or (N, C, H, W) to values (N, A), or to logits (N, A, K) if there are atoms. `observations`
    is D or (C, H, W); `channels`, `stride`, `middle`, `most` and `body` are a grid's."""

    def __init__(
        self,
        observations: int | tuple[int, ...],
        actions: int,
        *,
        width: int = 128,
        layers: int = 2,
        dueling: bool = False,
        atoms: int = 1,
        channels: tuple[int, ...] = (16, 32),
        stride: int = 1,
        middle: int = 0,
        most: int = 0,
        body: str = "auto",
    ):
        super().__init__()
        if isinstance(observations, tuple):
            self.trunk = make_body(
                body,
                observations,
                channels=channels,
                stride=stride,
                middle=middle,
                width=width,
                layers=layers,
                most=most,
            )
        else:
            sizes = [observations, *[width] * layers]
            self.trunk = nn.Sequential(
                *(layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU(inplace=True)))
            )
        self.advantage = nn.Linear(width, actions * atoms)
        self.value = nn.Linear(width, atoms) if dueling else None
        self.actions, self.atoms = actions, atoms

    def forward(self, observation: Tensor) -> Tensor:
        features = self.trunk(observation)
        made = self.advantage(features).unflatten(1, (self.actions, self.atoms))
        if self.value is not None:
            made = self.value(features)[:, None] + made - made.mean(1, keepdim=True)
        return made if self.atoms > 1 else made.squeeze(2)


def values_of(made: Tensor, support: Tensor) -> Tensor:
    """Q (N, A) of a net's output: itself, or the mean of `support` (K,) under its logits (N, A, K)."""
    return made if made.ndim == 2 else (made.softmax(2) * support).sum(2)
