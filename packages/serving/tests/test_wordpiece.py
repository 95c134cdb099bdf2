"""A model whose texts are read as word pieces, as a BERT's are."""

import pytest

from torchworks.serving.errors import Refusal
from torchworks.serving.padding import Padding
from torchworks.shared.models.signature import Signature, TensorSpec
from torchworks.shared.text import WordPiece, from_json
from torchworks.shared.text.wordpiece import BERT_SPECIALS

TEXT = TensorSpec("text", "text", "int64", ("N", "T"), low=0)
OUTPUT = TensorSpec("mood", "label", "float32", ("N", 2), labels=("sad", "glad"))
TOKENIZER = WordPiece([*BERT_SPECIALS, "play", "##ing", "!"], add_special_tokens=True)


@pytest.fixture
def padding():
    saved = from_json(TOKENIZER.to_json())
    signature = Signature((TEXT,), (OUTPUT,), {"T": 6})
    return Padding(signature, {"text": {"tokenizer": "tokenizer.json"}}, {"tokenizer.json": saved})


def test_texts_become_their_pieces_between_the_special_tokens_padded_with_the_tokenizer_s_own(padding):
    rows = padding.rows(TEXT, ["Playing!", "play"], 4)
    assert rows.values == [[2, 5, 6, 7, 3], [2, 5, 3, 0, 0]]
    assert rows.lengths == [5, 3]


def test_a_text_of_more_pieces_than_the_model_reads_is_refused(padding):
    with pytest.raises(Refusal, match="has 7 tokens, but T may be 6 at most"):
        padding.rows(TEXT, ["play play play play play"], 4)
