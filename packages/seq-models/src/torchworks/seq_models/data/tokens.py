"""From texts, as a data source has them, to tokens, as a net takes them."""

import torch

from torchworks.shared.data import Dataset, Field, Schema, TensorDataset, labels_of, pad_to_longest
from torchworks.shared.data.texts import texts_in
from torchworks.shared.text import Tokenizer


def tokenized(dataset: Dataset, tokenizer: Tokenizer, longest: int) -> TensorDataset:
    """Samples with a ragged field `tokens`, at most `longest` of each text, instead of `text`."""
    rows = [torch.tensor(tokenizer.encode(text)[:longest], dtype=torch.int64) for text in texts_in(dataset)]
    tokens, lengths = pad_to_longest(rows, tokenizer.padding)
    field = Field("tokens", "tokens", tokens.shape[1:], vocabulary=len(tokenizer), ragged=True, pad=tokenizer.padding)
    schema = Schema((field, dataset.schema["label"]))
    return TensorDataset({"tokens": tokens, "tokens_length": lengths, "label": labels_of(dataset)}, schema)
