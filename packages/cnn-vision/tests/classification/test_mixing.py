"""mixup and CutMix: images and labels are mixed by the same shares, and the shares by the seed alone."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchworks.cnn_vision.classification.mixing import MIXINGS, cutmix, mixup
from torchworks.cnn_vision.classification.task import Classification
from torchworks.shared.numbers.stream import StepRandom


def random():
    return StepRandom(3).at("train", 0, "train", 0, rows=40, total=40)


def test_mixup_is_the_weighted_mean_of_two_images():
    images = torch.randn(40, 3, 8, 8)
    mixed, share = mixup(images, random())
    weight = share.view(-1, 1, 1, 1)
    torch.testing.assert_close(mixed, weight * images + (1 - weight) * images.flip(0))
    assert 0 <= share.min() < 0.2
    assert 0.8 < share.max() <= 1


def test_cutmix_has_each_pixel_from_one_of_the_two_and_states_their_shares():
    images = torch.arange(40.0).view(-1, 1, 1, 1).expand(-1, 3, 16, 16).contiguous()
    mixed, share = cutmix(images, random())
    own = (mixed == images).float().mean((1, 2, 3))
    torch.testing.assert_close(own, share)
    assert ((mixed == images) | (mixed == images.flip(0))).all()
    assert 0.3 < share.mean() < 0.8


def test_what_cutmix_pastes_is_one_rectangle():
    images = torch.arange(40.0).view(-1, 1, 1, 1).expand(-1, 1, 16, 16).contiguous()
    for pasted in (cutmix(images, random())[0] != images)[:, 0]:
        rows, columns = pasted.any(1), pasted.any(0)
        assert torch.equal(pasted, rows[:, None] & columns[None, :])
        assert (rows.int().diff() > 0).sum() <= 1
        assert (columns.int().diff() > 0).sum() <= 1


@pytest.mark.parametrize("name", MIXINGS)
def test_the_loss_has_both_labels_with_the_shares_of_their_images(name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    task = Classification(model, 5, lr=1e-3, mixing=name)
    task.random = random()
    images, labels = torch.randn(40, 1, 8, 8), torch.arange(40) % 5
    mixed, share = MIXINGS[name](images, random())
    logits = model(mixed)
    own, other = (F.cross_entropy(logits, y, reduction="none") for y in (labels, labels.flip(0)))
    out = task.loss("train", {"image": images, "label": labels})
    torch.testing.assert_close(out.loss, (share * own + (1 - share) * other).mean())


def test_weights_of_classes_count_by_the_shares_too():
    torch.manual_seed(0)
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    task = Classification(model, 5, lr=1e-3, mixing="mixup", class_weights=weights)
    task.random = random()
    images, labels = torch.randn(40, 1, 8, 8), torch.arange(40) % 5
    _, share = mixup(images, random())
    out = task.loss("train", {"image": images, "label": labels})
    torch.testing.assert_close(out.weight, (share * weights[labels] + (1 - share) * weights[labels.flip(0)]).sum())
