"""Rows of different lengths: padded to the longest of their batch by both loaders alike, with their lengths beside."""

import pytest
import torch

from torchworks.shared.config import UserError
from torchworks.shared.data import (
    Field,
    ResidentLoader,
    Schema,
    StreamLoader,
    TensorDataset,
    flip,
    nbytes,
    pad_to_longest,
    resident,
)

LENGTHS = [3, 7, 1, 5, 5, 2, 6, 4, 9, 3]


class Captions:
    """Ten images, each with a text and as many numbers as its text has tokens, made when asked for."""

    schema = Schema(
        (
            Field("image", "image", (1, 4, 4)),
            Field("tokens", "tokens", (9,), vocabulary=100, ragged=True, pad=99),
            Field("pitch", "series", (9, 2), ragged=True),
            Field("user", "id", (), size=10),
        )
    )

    def __len__(self):
        return len(LENGTHS)

    def __getitem__(self, i):
        return {
            "image": torch.arange(16, dtype=torch.uint8).view(1, 4, 4) + i,
            "tokens": torch.arange(LENGTHS[i]) + i,
            "pitch": torch.full((LENGTHS[i], 2), i / 10),
            "user": torch.tensor(i),
        }


def take(loader, position, count):
    stream = loader.iter_from(position)
    return [next(stream) for _ in range(count)]


def same(first, second):
    return len(first) == len(second) and all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
        for a, b in zip(first, second, strict=True)
    )


def test_rows_are_padded_to_the_longest_with_their_lengths():
    padded, lengths = pad_to_longest([torch.tensor([1, 2, 3]), torch.tensor([4])], pad=-1)
    assert padded.tolist() == [[1, 2, 3], [4, -1, -1]]
    assert lengths.tolist() == [3, 1]


@pytest.mark.parametrize("kind", [ResidentLoader, StreamLoader])
def test_a_batch_is_as_long_as_its_longest_row(kind):
    batches = take(kind(Captions(), 3), 0, 6) + list(kind(Captions(), 4, train=False))
    for batch in batches:
        lengths = batch["tokens_length"].tolist()
        assert lengths == batch["pitch_length"].tolist() == [LENGTHS[i] for i in batch["index"].tolist()]
        assert batch["tokens"].shape == (len(lengths), max(lengths))
        assert batch["pitch"].shape == (len(lengths), max(lengths), 2)
        for i, length, row in zip(batch["index"].tolist(), lengths, batch["tokens"], strict=True):
            assert row.tolist() == [*range(i, i + length), *[99] * (max(lengths) - length)]


@pytest.mark.parametrize("workers", [0, 1])
def test_both_loaders_give_the_same_batches_wherever_they_start(workers):
    options = {"seed": 2, "augment": [flip()]}
    streamed = take(StreamLoader(Captions(), 3, workers=workers, **options), 2, 5)
    assert same(take(ResidentLoader(Captions(), 3, **options), 0, 7)[2:], streamed)
    assert same(list(ResidentLoader(Captions(), 3, **options)), list(StreamLoader(Captions(), 3, **options)))


def test_a_set_held_as_tensors_gives_the_same_batches_and_samples():
    held = resident(Captions())
    assert same(take(StreamLoader(held, 3), 0, 5), take(StreamLoader(Captions(), 3), 0, 5))
    assert same([held[i] for i in range(10)], [Captions()[i] for i in range(10)])
    assert same([held.subset([8, 2])[1]], [Captions()[2]])


def test_images_alone_are_normalized_and_flipped():
    batch = take(ResidentLoader(Captions(), 10, augment=[flip(1.0)]), 0, 1)[0]
    pixels = torch.stack([Captions()[i]["image"] for i in batch["index"].tolist()]).flip(3)
    torch.testing.assert_close(batch["image"], pixels / 127.5 - 1, atol=3e-7, rtol=0)
    assert torch.equal(batch["user"], batch["index"])
    assert torch.equal(batch["tokens"][:, 0], batch["index"])


def test_tensors_of_a_ragged_field_must_come_with_its_lengths():
    with pytest.raises(AssertionError, match="tokens_length"):
        TensorDataset({"tokens": torch.zeros(2, 3)}, Schema((Field("tokens", "tokens", (3,), ragged=True),)))


class Uneven:
    schema = Schema((Field("series", "series", (4,)),))

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return {"series": torch.zeros(4 if i < 2 else 1)}


@pytest.mark.parametrize("kind", [ResidentLoader, StreamLoader])
def test_samples_that_differ_in_shape_by_mistake_are_told(kind):
    with pytest.raises(UserError, match=r"differ in the shape of 'series': one is .*, another .*ragged"):
        take(kind(Uneven(), 4), 0, 1)


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        (Field("tokens", "tokens", (512,)), 4096),
        (Field("tokens", "tokens", (512,), dtype="int32"), 2048),
        (Field("tokens", "tokens", (512,), ragged=True), 4104),
        (Field("series", "series", (10, 3)), 120),
        (Field("image", "image", (3, 8, 8)), 192),
        (Field("label", "label", (5,)), 5),
        (Field("label", "label", ()), 8),
        (Field("user", "id", ()), 8),
    ],
)
def test_memory_is_reckoned_from_the_type_of_the_values(field, wanted):
    assert field.nbytes == wanted


def test_memory_of_data_without_a_description_is_that_of_the_first_sample():
    class Bare:
        schema = Schema(())

        def __len__(self):
            return 1000

        def __getitem__(self, i):
            return {"x": torch.zeros(512, dtype=torch.int64)}

    assert nbytes(Bare()) == 4_096_000
