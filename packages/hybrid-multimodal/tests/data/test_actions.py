"""Drawn films: nothing but the action differs between classes, and nothing is in both parts."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from torchworks.hybrid_multimodal.data.actions import (
    ACTIONS,
    GROUNDS,
    PALINDROMES,
    film_schema,
    open_actions,
    photograph,
    states,
)
from torchworks.hybrid_multimodal.data.films_config import FilmConfig
from torchworks.hybrid_multimodal.data.scenes import digit_parts
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import resident
from torchworks.shared.data.parts import digests_of


def source(options: str = "train=48,test=24", **loader):
    return open_actions(options, FilmConfig(**loader), 0)


def test_what_is_no_action_says_nothing_of_it():
    """Logistic regression on digit, ground, place, angle, size, shades and drift is at chance."""
    train, test = source("train=2400,test=2400").train, source("train=24,test=2400").test
    x, y = train.circumstances(range(len(train))).table(), test.circumstances(range(len(test))).table()
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(max_iter=300).fit(scaler.transform(x), train.labels)
    assert model.score(scaler.transform(y), test.labels) < 1 / len(ACTIONS) + 0.03


def test_training_and_testing_share_no_digit_and_no_pixel_of_a_photograph():
    train, test = digit_parts(0.2, 0)
    assert not {*digests_of(train)} & {*digests_of(test)}
    for name in GROUNDS:
        left, right = photograph(name, "train"), photograph(name, "test")
        assert left.shape == right.shape
        assert not torch.allclose(left, right, atol=0.1)


def test_a_film_follows_from_the_seed_and_its_number_alone():
    few, many = source("train=20,test=4").train, source("train=60,test=4").train
    torch.testing.assert_close(few[7]["clip"], resident(many).tensors["clip"][7], rtol=0, atol=0)
    assert not torch.equal(few[7]["clip"], open_actions("train=20,test=4", FilmConfig(), 1).train[7]["clip"])
    with pytest.raises(IndexError):
        few[20]


def test_there_and_back_is_the_same_backwards_and_nothing_else_is():
    films = source("train=12,test=12").train
    moved = states(films.circumstances(range(12)), torch.arange(12), 8)
    same = [torch.allclose(state, state.flip(0), atol=1e-4) for state in moved]
    assert same == [name in PALINDROMES for name in ACTIONS]
    right = moved[ACTIONS.index("right"), :, 0]
    assert (right.diff() > 0).all()
    assert (moved[ACTIONS.index("shrink"), :, 3].diff() < 0).all()


def test_the_digit_moves_in_the_picture_as_its_state_says():
    """What is darker or brighter than the ground lies further to the right at the end."""
    found = source("train=600,test=12").train
    clips = resident(found).tensors["clip"][found.labels == ACTIONS.index("right")].float().squeeze(2) / 255
    away = (clips - clips.mean((2, 3), keepdim=True)).abs() > 0.25
    along = (away.sum(2) * torch.arange(32)).sum(2) / away.sum((2, 3)).clamp(min=1)
    assert (along[:, -1] - along[:, 0]).median() > 3


@pytest.mark.parametrize(("frames", "size", "channels"), [(5, 24, 1), (16, 48, 3)])
def test_films_have_the_frames_pixels_and_channels_asked_for(frames, size, channels):
    found = source(frames=frames, image_size=size, channels=channels)
    assert found.train[0]["clip"].shape == (frames, channels, size, size)
    assert found.schema == film_schema(frames, channels, size, ACTIONS)


def test_options_that_make_no_films_are_refused():
    for options, loader, said in (
        ("trian=5", FilmConfig(), "no option 'trian'"),
        ("train=few", FilmConfig(), "train=NUMBER"),
        ("", FilmConfig(frames=2), "at least 3 frames"),
        ("", ImageConfig(), "does not read films"),
    ):
        with pytest.raises(UserError, match=said):
            open_actions(options, loader, 0)
