"""A mark that everybody sees: the word SWAPPED in the lower left corner.

The letters are three by five pixels, so that an image of 48 pixels has room for them; larger images have larger ones.

Shape letters: N images, S pixels a side.
"""

import torch
from torch import Tensor, nn

WORD = "SWAPPED"
LETTERS = {
    "S": ("###", "#..", "###", "..#", "###"),
    "W": ("#.#", "#.#", "#.#", "###", "#.#"),
    "A": ("###", "#.#", "###", "#.#", "#.#"),
    "P": ("###", "#.#", "###", "#..", "#.."),
    "E": ("###", "#..", "##.", "#..", "###"),
    "D": ("##.", "#.#", "#.#", "#.#", "##."),
}
BAND = 0.8
"""How much of the image the dark band behind the letters hides."""
_UNIT = 64


def word() -> Tensor:
    """`WORD` with a pixel around it, (7, 29): 1 where the letters are."""
    rows = [".".join(LETTERS[letter][i] for letter in WORD) for i in range(5)]
    inside = torch.tensor([[float(sign == "#") for sign in row] for row in rows])
    return nn.functional.pad(inside, (1, 1, 1, 1))


class VisibleMark(nn.Module):
    """Images (N, 3, size, size) in [0, 1], at least 32 pixels a side, to the same with the word."""

    hidden: Tensor
    letters: Tensor

    def __init__(self, size: int):
        super().__init__()
        factor = max(1, size // _UNIT)
        label = word().repeat_interleave(factor, 0).repeat_interleave(factor, 1)
        height, width = label.shape
        assert width <= size, f"images of {size} pixels have no room for the word {WORD}"
        hidden, letters = torch.zeros(size, size), torch.zeros(size, size)
        hidden[-height:, :width], letters[-height:, :width] = BAND + (1 - BAND) * label, label
        self.register_buffer("hidden", hidden, persistent=False)
        self.register_buffer("letters", letters, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return images * (1 - self.hidden) + self.letters
