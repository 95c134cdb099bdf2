"""What is held out of a training part: a fair share, equal samples together, and always the same rows."""

import pytest
import torch

from torchworks.shared.data import Field, Schema, TensorDataset, held_out, pad_to_longest

SINGLE = torch.arange(40) % 10 % 3


def images(**fields):
    """40 images, of which the last ten are copies of the first."""
    generator = torch.Generator().manual_seed(7)
    pixels = torch.randint(0, 256, (40, 1, 3, 3), generator=generator, dtype=torch.uint8)
    pixels[30:] = pixels[:10]
    return TensorDataset({"image": pixels, **fields})


def several():
    labels = torch.zeros(40, 3, dtype=torch.uint8)
    labels[::2, 0], labels[::7, 1], labels[3::11, 2] = 1, 1, 1
    return labels


def rarest(labels):
    counts = labels.sum(0)
    return [min(row.nonzero().flatten().tolist(), key=lambda k: int(counts[k]), default=3) for row in labels]


@pytest.mark.parametrize(
    ("dataset", "labels", "held"),
    [
        (images(label=SINGLE), None, [6, 11, 14, 15, 28, 29, 36]),
        (images(), None, [2, 14, 15, 25, 26, 28, 29, 32]),
        (images(label=several()), rarest(several()), [2, 11, 14, 15, 26, 28, 29, 32]),
    ],
    ids=["by class", "all alike", "by the rarest of several labels"],
)
def test_the_rows_held_out_stay_those_that_measured_scores_rest_on(dataset, labels, held):
    rest, part = held_out(dataset, 0.2, 5, labels)
    assert part.indices == held
    assert sorted(rest.indices + part.indices) == list(range(40))
    assert {i % 30 for i in part.indices}.isdisjoint(i % 30 for i in rest.indices)


def test_equal_texts_stay_on_one_side_whatever_their_labels():
    rows = [torch.arange(2 + i % 7) + i % 20 for i in range(60)]
    tokens, lengths = pad_to_longest(rows)
    schema = Schema((Field("tokens", "tokens", (8,), ragged=True), Field("label", "label", (), ("a", "b"))))
    label = torch.arange(60) % 2
    rest, part = held_out(TensorDataset({"tokens": tokens, "tokens_length": lengths, "label": label}, schema), 0.25, 0)
    assert 10 <= len(part) <= 20
    texts = [{tuple(side[i]["tokens"].tolist()) for i in range(len(side))} for side in (rest, part)]
    assert texts[0].isdisjoint(texts[1])


@pytest.mark.parametrize(("rows", "fraction"), [(40, 0.0), (1, 0.2)])
def test_nothing_is_held_out_where_nothing_is_asked_for_or_can_be(rows, fraction):
    data = images(label=SINGLE).subset(range(rows))
    assert held_out(data, fraction, 0) == (data, None)
