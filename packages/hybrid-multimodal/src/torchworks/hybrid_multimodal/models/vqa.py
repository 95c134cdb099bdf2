"""Visual question answering by a product: a picture and a question as one vector each, multiplied.

Antol et al. 2015, "VQA: Visual Question Answering" (arXiv:1505.00468).

The idea: answering is classification. A convolutional net reads the picture, a recurrent net the question; both become
vectors of one size, and their elementwise product says what in the picture the question asks for:

    v = W f(picture),         g = GRU(question),   answer = softmax(MLP([v ∘ g, v, g]))

What differs: the paper has an LSTM of two layers, whose product alone goes on; here it is a GRU, and v and g go on
beside their product. v is the maximum and the mean of the map, so that the net sees what is there, but not which
belongs to which: for scenes of several things `stacked_attention.py` is made.

A picture is read once however many questions there are about it.

Shapes: P pictures, C channels, S pixels along a side, Q questions, T words of a question, h × w cells, W width, A
answers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.scene_encoder import SceneMap


class QuestionEncoder(nn.Module):
    """Words (Q, T), padded behind with 0, to the state of a GRU (Cho et al. 2014, arXiv:1406.1078) after the last word
    of each, (Q, W). Questions are short, so the equations stand here as a loop, which exports as it is:

    r, z = σ(W x + U h),   n = tanh(W x + r ∘ U h),   h ← (1 - z) ∘ n + z ∘ h
    """

    def __init__(self, vocabulary: int, width: int, embed_dim: int = 64):
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(vocabulary, embed_dim)
        self.input, self.state = nn.Linear(embed_dim, 3 * width), nn.Linear(width, 3 * width)

    def forward(self, questions: Tensor) -> Tensor:
        inputs = self.input(self.embedding(questions))
        h = inputs.new_zeros(questions.shape[0], self.width)
        for t in range(questions.shape[1]):
            of_word, of_state = (part.unflatten(1, (3, self.width)).unbind(1) for part in (inputs[:, t], self.state(h)))
            r, z = ((word + state).sigmoid() for word, state in zip(of_word[:2], of_state[:2], strict=True))
            n = torch.tanh(of_word[2] + r * of_state[2])
            h = torch.where(questions[:, t, None] != 0, (1 - z) * n + z * h, h)
        return h


class ProductVQA(nn.Module):
    """Pictures (P, C, S, S) and questions (Q, T), question i about picture `of[i]` (None: about picture i) → logits of
    the answers (Q, A)."""

    def __init__(
        self,
        *,
        vocabulary: int,
        answers: int,
        widths: Sequence[int] = (32, 64, 96),
        blocks: int = 0,
        width: int = 128,
        in_channels: int = 3,
    ):
        super().__init__()
        self.map = SceneMap(widths, blocks=blocks, in_channels=in_channels, norm="batch")
        self.last = nn.Conv2d(self.map.width, width, 3, padding=1)
        self.picture = nn.Sequential(nn.LayerNorm(2 * width), nn.Linear(2 * width, width))
        self.question = QuestionEncoder(vocabulary, width)
        self.answer = nn.Sequential(nn.Linear(3 * width, width), nn.ReLU(), nn.Linear(width, answers))

    def forward(self, images: Tensor, questions: Tensor, of: Tensor | None = None) -> Tensor:
        return self._answered(self._map(images), questions, of)

    def _map(self, images: Tensor) -> Tensor:
        return self.last(self.map(images)).relu()

    def _answered(self, cells: Tensor, questions: Tensor, of: Tensor | None) -> Tensor:
        v = self.picture(torch.cat([cells.amax((2, 3)), cells.mean((2, 3))], 1))
        v, g = (v if of is None else v[of]), self.question(questions)
        return self.answer(torch.cat([v * g, v, g], 1))

    @torch.enable_grad()
    def look(self, images: Tensor, questions: Tensor) -> Tensor:
        """What of the map speaks for the most likely answers, (Q, h, w), at most 1: Grad-CAM (Selvaraju et al. 2017,
        arXiv:1610.02391)."""
        cells = self._map(images).detach().requires_grad_()
        best = self._answered(cells, questions, None).amax(1).sum()
        (slope,) = torch.autograd.grad(best, cells)
        heat = (slope * cells).sum(1).relu().detach()
        return heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-9)
