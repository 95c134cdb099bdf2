"""Visual question answering by attention: the question looks at the picture, finds something, and looks again.

Yang et al. 2016, "Stacked Attention Networks for Image Question Answering" (arXiv:1511.02274).

The idea: a picture is a map of cells, and a question such as "which digit is left of the red seven?" needs two looks:
one finds the seven, the next what lies left of it. Each look adds what it found to the question:

    h = tanh(W_v v + W_u u)          of each cell v                       (15)
    p = softmax(w h)                 over the cells                       (16)
    u ← Σ p v + u                                                         (17, 18)
    answer = softmax(MLP([u, max v])),     u = GRU(question) at first

The last p is where the net looked, one map for each question.

What differs: cells come from a small net of our own with learned positions, and the answer has a hidden layer, which
also sees the maximum of each channel over all cells. Without that the net hardly begins to learn from scratch: a look
is of no use before cells say what they show, and cells learn to say it only if a look finds them.

A picture is read once however many questions there are about it.

Shapes: P pictures, C channels, S pixels along a side, Q questions, T words of a question, L = h × w cells, W width, A
answers.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.scene_encoder import SceneMap
from torchworks.hybrid_multimodal.models.vqa import QuestionEncoder


class Look(nn.Module):
    """One look of questions (Q, W) at cells (Q, L, W): what was found (Q, W), and where, (Q, L), which sums to 1."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.cell, self.question = nn.Linear(width, hidden), nn.Linear(width, hidden, bias=False)
        self.score = nn.Linear(hidden, 1)

    def forward(self, cells: Tensor, keys: Tensor, question: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.score(torch.tanh(keys + self.question(question)[:, None]))[..., 0]
        where = scores.float().softmax(1)
        return (where.to(cells.dtype)[:, None] @ cells)[:, 0], where


class StackedAttentionVQA(nn.Module):
    """Pictures (P, C, S, S) and questions (Q, T), question i about picture `of[i]` (None: about picture i) → logits of
    the answers (Q, A). `image_size` is the only size that it takes, since positions are learned."""

    def __init__(
        self,
        *,
        vocabulary: int,
        answers: int,
        image_size: int = 64,
        widths: Sequence[int] = (32, 64, 96),
        blocks: int = 2,
        width: int = 128,
        looks: int = 2,
        in_channels: int = 3,
    ):
        super().__init__()
        self.side = image_size // 2 ** len(widths)
        self.map = SceneMap(widths, blocks=blocks, in_channels=in_channels, norm="batch")
        self.cell, self.norm = nn.Linear(self.map.width, width), nn.LayerNorm(width)
        self.positions = nn.Parameter(torch.randn(self.side**2, width) * 0.1)
        self.question = QuestionEncoder(vocabulary, width)
        self.looks = nn.ModuleList(Look(width, width) for _ in range(looks))
        self.answer = nn.Sequential(
            nn.LayerNorm(2 * width), nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, answers)
        )

    def forward(self, images: Tensor, questions: Tensor, of: Tensor | None = None) -> Tensor:
        return self._attended(images, questions, of)[0]

    def _attended(self, images: Tensor, questions: Tensor, of: Tensor | None) -> tuple[Tensor, Tensor]:
        cells = self.norm(self.cell(self.map(images).flatten(2).transpose(1, 2))) + self.positions  # (P, L, W)
        known = cells if of is None else cells[of]
        u = self.question(questions)
        where = u
        for look in self.looks:
            look = cast(Look, look)
            keys = look.cell(cells)
            found, where = look(known, keys if of is None else keys[of], u)
            u = u + found
        most = cells.amax(1)
        return self.answer(torch.cat([u, most if of is None else most[of]], 1)), where

    @torch.no_grad()
    def look(self, images: Tensor, questions: Tensor) -> Tensor:
        """Where the last look of each question went, (Q, h, w), at most 1."""
        _, where = self._attended(images, questions, None)
        heat = where.unflatten(1, (self.side, self.side))
        return heat / heat.amax((1, 2), keepdim=True)
