"""Weights with which a rotary GPT begins to copy sooner.

To write an answer is to copy: to find where the text has spoken of what was asked, and what stood there. A head that
does so ("induction head", Olsson et al. 2022, arXiv:2209.11895) needs two things that a new net finds late, and begins
with here:

- Heads of the first block look at the tokens just before, head j = 0, 1, … at that j + 1 places back. With rotary
  positions, a query and a key that are the same for all tokens depend on the distance Δ alone. Their biases make it

      q · k = g² Σ_f cos(ω_f (Δ - j - 1)),

  which is largest at Δ = j + 1.
- Heads of the later blocks have equal weights for queries and keys, so that tokens look at those that are like them.

What is learnt may move away from both.

Shape letters: E embed_dim, h heads, d channels of a head.
"""

import torch

from torchworks.seq_models.models.gpt import GPT, Block

GAIN = 6.0
"""g. With it most of a head's attention is where it should be."""


@torch.no_grad()
def begin_to_copy(net: GPT) -> None:
    """Give a new rotary net these weights; all others stay as they are."""
    first, *later = (block for block in net.transformer.h if isinstance(block, Block))
    attention = first.attn
    assert attention.rotary_base is not None
    h, width = attention.num_heads, attention.c_attn.weight.shape[0]
    d = width // h
    omega = attention.rotary_base ** (-torch.arange(0, d, 2) / d)  # of each pair of channels, as `rotary` has them
    queries, keys, _ = attention.c_attn.bias.view(3, h, d // 2, 2)
    back = -omega * torch.arange(1, h + 1)[:, None]  # (h, d / 2)
    queries[...] = GAIN * torch.stack([back.cos(), back.sin()], 2)
    keys[...] = GAIN * torch.tensor([1.0, 0.0])
    attention.c_attn.weight[:, : 2 * width] = 0
    for block in later:
        weight = block.attn.c_attn.weight  # (E, 3 E)
        weight[:, width : 2 * width] = weight[:, :width]
