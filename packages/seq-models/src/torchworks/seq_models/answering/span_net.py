"""A net that reads a question and a text, and points at the answer's first and last token.

Devlin et al. 2018, "BERT" (arXiv:1810.04805), sections 4.2 and 4.3. Question and text are one row of tokens, and the
first of them, [CLS], stands for "there is no answer":

    [CLS] question [SEP] text
    score of the span from i to j ≥ i:   S·T_i + E·T_j          of no answer:   S·C + E·C

T_i is what BERT makes of token i, C of [CLS]; S and E are the two rows of the last layer.

What differs: tokens of the text that occur in the question have a segment of their own, a third one (`matching`). It is
the "exact match" of Chen et al. 2017, "Reading Wikipedia to answer open-domain questions" (arXiv:1704.00051), section
3.2. BERT, trained on billions of words, needs no such help; a small net that is trained on one task for minutes finds
the named person much sooner. Nor does such a net find out soon which token stands before which from positions that
are learned; `rotary` ones, of `RotaryEncoder`, are the default therefore, and BERT itself is an option. The text has no
[SEP] at its end.

Shape letters: N rows, Q tokens of the question, T tokens of the text, A tokens of the longest answer.
"""

import torch
from torch import Tensor, nn

from torchworks.seq_models.models.bert import BERTForQuestionAnswering
from torchworks.seq_models.models.rotary_encoder import RotaryEncoder

PADDING = 0
MATCHED = 2
"""The segment of the text's tokens that are in the question."""


class SpanNet(nn.Module):
    """Text (N, T) and question (N, Q), int64, padded with 0 at their ends → logits (N, 1 + T, 2) of the answer's first
    and last token; place 0 is "no answer". `begin` and `separator` are the tokens [CLS] and [SEP], `longest` the most
    tokens of both and these."""

    def __init__(
        self,
        vocabulary: int,
        *,
        begin: int,
        separator: int,
        longest: int,
        architecture: str = "rotary",
        matching: bool = True,
        **options,
    ):
        super().__init__()
        self.begin, self.separator, self.matching = begin, separator, matching
        options["num_segments"] = 3
        if architecture == "bert":
            self.reader: nn.Module = BERTForQuestionAnswering(vocabulary, longest=longest, **options)
        else:
            self.reader = RotaryReader(vocabulary, **options)

    def forward(self, text: Tensor, question: Tensor) -> Tensor:
        begin, separator = (text.new_full((text.shape[0], 1), each) for each in (self.begin, self.separator))
        tokens = torch.cat([begin, question, separator, text], 1)  # (N, 1 + Q + 1 + T)
        segments = torch.cat([torch.zeros_like(tokens[:, : question.shape[1] + 2]), self._segments(text, question)], 1)
        logits = self.reader(tokens, tokens != PADDING, segments)
        logits = torch.cat([logits[:, :1], logits[:, question.shape[1] + 2 :]], 1)  # (N, 1 + T, 2)
        real = torch.cat([begin, text], 1) != PADDING
        return logits.float().masked_fill(~real[:, :, None], -1e4)

    def _segments(self, text: Tensor, question: Tensor) -> Tensor:
        """Of the text's tokens: 1, or `MATCHED`."""
        if not self.matching:
            return torch.ones_like(text)
        same = (text[:, :, None] == question[:, None, :]) & (question != PADDING)[:, None, :]  # (N, T, Q)
        return torch.where(same.any(2), MATCHED, 1)


class RotaryReader(nn.Module):
    """What `BERTForQuestionAnswering` is, with a `RotaryEncoder`: tokens (B, T) → logits (B, T, 2)."""

    def __init__(self, vocabulary: int, *, embed_dim: int, **options):
        super().__init__()
        self.encoder = RotaryEncoder(vocabulary, embed_dim=embed_dim, **options)
        self.qa_outputs = nn.Linear(embed_dim, 2)

    def forward(self, tokens: Tensor, real: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        return self.qa_outputs(self.encoder(tokens, real, segments))


def span_scores(logits: Tensor, most: int) -> Tensor:
    """The score of each span: (N, 1 + T, 2) → (N, 1 + T · A), A = `most`. The first is "no answer"; the span from token
    i over a + 1 tokens, both from 0, is at 1 + i · A + a. Spans beyond the text have -10⁴ or less."""
    start, end = logits.unbind(2)  # (N, 1 + T)
    beyond = torch.cat([end[:, 1:], end.new_full((end.shape[0], most), -1e4)], 1)  # (N, T + A)
    places = torch.arange(start.shape[1] - 1, device=end.device)[:, None] + torch.arange(most, device=end.device)
    spans = start[:, 1:, None] + beyond[:, places]  # (N, T, A)
    return torch.cat([(start + end)[:, :1], spans.flatten(1)], 1)
