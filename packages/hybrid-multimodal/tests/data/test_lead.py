"""The source `lead`: what its sensors say, and what neither says alone."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from torchworks.hybrid_multimodal.data.lead import open_lead
from torchworks.hybrid_multimodal.data.lead_drawing import DROPOUT, FAR, NEAR, NOISE, grounds
from torchworks.hybrid_multimodal.data.scenes import digit_parts
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import resident
from torchworks.shared.data.split import digests


@pytest.fixture(scope="module")
def scenes():
    return resident(open_lead("train=1200,test=300", LoaderConfig(), 0).train).tensors


def test_a_scene_follows_from_seed_and_number_alone(scenes):
    source = open_lead("train=3,test=2", LoaderConfig(), 0)
    for name, value in source.train[2].items():
        torch.testing.assert_close(value, scenes[name][2])
    with pytest.raises(IndexError):
        source.train[3]


def test_handwriting_and_photographs_of_the_test_part_are_not_in_training():
    train, test = (digests(resident(part).tensors["image"]) for part in digit_parts(0.2, 0))
    assert not {*train} & {*test}
    assert not torch.equal(grounds("train"), grounds("test"))


def test_beams_measure_the_object_that_counts_where_it_is(scenes):
    for beams, columns, distance in zip(scenes["beams"], scenes["columns"][:, 0], scenes["distance"], strict=True):
        seen = beams[columns[0] : columns[1]]
        assert (seen[seen > 0] - distance).abs().max() < 5 * NOISE
    assert scenes["distance"].min() >= NEAR
    assert scenes["distance"].max() <= FAR
    assert (scenes["beams"] == 0).float().mean().item() == pytest.approx(DROPOUT, abs=0.01)


def test_the_object_that_counts_is_brighter_or_of_lower_value(scenes):
    luma = scenes["image"].float().mean(1)
    bright = torch.stack([
        torch.stack([image[:, a:b].flatten().topk(20).values.mean() for a, b in columns.tolist()])
        for image, columns in zip(luma, scenes["columns"], strict=True)
    ])  # fmt: skip
    assert (bright[:, 0] > bright[:, 1]).float().mean() > 0.9
    lower = resident(open_lead("follow=lower,train=200,test=2", LoaderConfig(), 0).train).tensors["digits"]
    assert (lower[:, 0] <= lower[:, 1]).all()


def test_the_camera_alone_says_nothing_of_distance(scenes):
    pixels = torch.nn.functional.avg_pool2d(scenes["image"].float(), 4).flatten(1).numpy()
    width = scenes["columns"].diff(dim=2)[..., 0].float().numpy()
    y = scenes["distance"].numpy()
    for x in (pixels, width):
        assert Ridge(100.0).fit(x[:900], y[:900]).score(x[900:], y[900:]) < 0.03


def test_the_beams_alone_do_not_say_which_object_counts(scenes):
    """Nor do width, place or distance."""
    order = torch.arange(1200) % 2
    columns, metres = scenes["columns"], torch.stack([scenes["distance"], scenes["other"]], 1)
    about = torch.cat([columns.flatten(2).float(), metres[..., None]], 2)
    mixed = torch.where(order[:, None, None] == 1, about.flip(1), about).flatten(1).numpy()
    model = LogisticRegression(max_iter=2000).fit(mixed[:900], order[:900].numpy())
    assert model.score(mixed[900:], order[900:].numpy()) < 0.58


@pytest.mark.parametrize(
    ("rest", "said"), [("follow=third", "must be brighter or lower"), ("size=3", "has no option 'size'"),
                       ("train=x", "should be train=N")]
)  # fmt: skip
def test_options_that_it_has_not_are_refused(rest, said):
    with pytest.raises(UserError, match=said):
        open_lead(rest, LoaderConfig(), 0)
