"""Texts to translations by a net, and what it looked at meanwhile.

Shape letters: R tokens of the source, T tokens of the answer.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from torchworks.seq_models.data.token_stream import END
from torchworks.seq_models.generation.beam import beam_search
from torchworks.seq_models.generation.generate import complete
from torchworks.seq_models.generation.protocol import Autoregressive
from torchworks.seq_models.models.seq2seq import AttentionSeq2Seq
from torchworks.seq_models.models.transformer import Transformer
from torchworks.shared.runs.outputs import progress
from torchworks.shared.text import Tokenizer

BATCH = 128
"""Texts that are translated together, or beginnings of them that are followed at a time."""


def translated(
    net: nn.Module,
    tokenizer: Tokenizer,
    rows: Sequence[Sequence[int]],
    steps: int,
    beams: int = 1,
    *,
    shown: bool = False,
) -> list[str]:
    """The translation of each row of source tokens, in at most `steps` tokens: greedily, or, with more `beams` than
    one, by beam search. Rows of similar length are computed together; that changes none of them. With `shown`, a bar
    on a terminal says how far it is."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found = [""] * len(rows)
    size = max(1, BATCH // beams)
    starts = range(0, len(order), size)
    for start in progress(starts, "translating", len(starts)) if shown else starts:
        places = order[start : start + size]
        for place, ids in zip(places, _answers(net, tokenizer, [rows[i] for i in places], steps, beams), strict=True):
            found[place] = tokenizer.decode(ids)
    return found


def _answers(
    net: nn.Module, tokenizer: Tokenizer, rows: Sequence[Sequence[int]], steps: int, beams: int
) -> list[list[int]]:
    model, end = cast(Autoregressive, net), tokenizer.special(END)
    if beams == 1:
        return complete(model, rows, steps=steps, end=end)
    return [list(best[0].tokens) for best in beam_search(model, rows, beams=beams, steps=steps, end=end)]


def aligned(
    net: nn.Module, tokenizer: Tokenizer, source: Sequence[int], steps: int
) -> tuple[str, tuple[list[str], list[str], Tensor]]:
    """A greedy translation, and what `plots` draws of it: the tokens of both texts, to be read by people, and how much
    each token of the answer takes of each of the source, (T, R)."""
    (answer,) = _answers(net, tokenizer, [source], steps, 1)
    weights = attention_to(net, source, answer)
    return tokenizer.decode(answer), (pieces(tokenizer, source), pieces(tokenizer, answer), weights)


@torch.no_grad()
def attention_to(net: nn.Module, source: Sequence[int], answer: Sequence[int]) -> Tensor:
    """How much each token of the answer takes of each of the source: (T, R), rows sum to 1. Of a Transformer, the mean
    over the heads of its last layer; of a recurrent net, its attention α."""
    begin = int(net.begin)  # ty: ignore[invalid-argument-type]
    device = next(net.parameters()).device
    read, before = (torch.tensor([[*row]], device=device) for row in (source, [begin, *answer[:-1]]))
    if isinstance(net, Transformer):
        weights = net.attention_to_source(read, before)[0, -1].mean(0)
    else:
        weights = cast(AttentionSeq2Seq, net).attend(read, before)[1][0]
    return weights.float().cpu()


def pieces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """What each token stands for, to be read by people: a space is ␣, the end ■."""
    end = tokenizer.special(END)
    return ["■" if each == end else tokenizer.decode([each]).replace(" ", "␣") for each in ids]
