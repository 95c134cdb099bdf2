"""Texts as tables of tokens, alone and with their images."""

import torch

from torchworks.shared.data import TensorDataset, pad_to_longest
from torchworks.shared.data.captions import caption_schema
from torchworks.shared.data.schema import Field, Schema
from torchworks.shared.data.tokenized import TokenizedImages, padded
from torchworks.shared.text import Words

CAPTIONS = ["a red one", "a", "a red one left"]
WORDS = Words.train(CAPTIONS, size=100)


def dataset() -> TensorDataset:
    texts, lengths = pad_to_longest([torch.tensor(list(text.encode()), dtype=torch.uint8) for text in CAPTIONS])
    image = torch.arange(3 * 3 * 4 * 4, dtype=torch.uint8).view(3, 3, 4, 4)
    held = torch.tensor([0, 1, 0])
    schema = Schema((*caption_schema(3, 4, texts.shape[1]).fields, Field("held", "label", (), ("no", "yes"))))
    return TensorDataset({"image": image, "caption": texts, "caption_length": lengths, "held": held}, schema)


def test_texts_are_cut_off_or_padded_and_the_end_stays():
    a, red, one, left = (WORDS.encode(word)[0] for word in ("a", "red", "one", "left"))
    assert padded(CAPTIONS, WORDS, 3).tolist() == [[a, red, one], [a, 0, 0], [a, red, one]]
    assert padded(CAPTIONS, WORDS, 4, end=9).tolist() == [[a, red, one, 9], [a, 9, 0, 0], [a, red, one, 9]]
    assert padded(CAPTIONS, WORDS, 5)[2].tolist() == [a, red, one, left, 0]


def test_images_keep_what_is_asked_for_and_have_tokens_for_captions():
    images = TokenizedImages(dataset(), WORDS, 4, kept=("held", "missing"))
    assert [field.name for field in images.schema.fields] == ["image", "held", "tokens"]
    whole = images.resident()
    for i in range(3):
        one = images[i]
        assert one.keys() == {"image", "held", "tokens"}
        assert all(torch.equal(one[name], whole.tensors[name][i]) for name in one)
