"""Drawn faces: who it is and how the face is held are independent, and the source keeps its promises."""

from dataclasses import replace

import numpy as np
import pytest

from torchworks.gans.data.face_drawing import draw_face, places
from torchworks.gans.data.face_numbers import POSE, Pose, person, pose_of, random_pose, vector
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source


def open_faces(options: str = "", **image):
    return open_source(f"generated-faces{options}", ImageConfig(**{"image_size": 48, **image}))


def test_a_face_follows_from_its_numbers_alone():
    poses = [random_pose(np.random.default_rng(i)) for i in range(3)]
    for pose in poses:
        again = pose_of(vector(pose))
        assert np.abs(draw_face(person(3), pose, 48).astype(int) - draw_face(person(3), again, 48)).mean() < 0.1
        assert (draw_face(person(3), pose, 48) != draw_face(person(8), pose, 48)).mean() > 0.3
    assert vector(poses[0]).shape == (len(POSE),)


@pytest.mark.parametrize("name", POSE)
def test_each_number_of_a_pose_changes_the_image(name):
    plain = draw_face(person(8), Pose(open=0.4), 48).astype(int)
    other = draw_face(person(8), replace(Pose(open=0.4), **{name: 0.8}), 48)
    assert np.abs(plain - other).max() > 10, name


def test_a_head_that_turns_moves_its_features_and_keeps_its_place():
    nose, middle = np.array([0.0]), np.array([0.15])
    turned, straight = (places(person(3), Pose(yaw=yaw), nose, middle)[0] for yaw in (0.5, 0.0))
    assert turned[0] > straight[0] + 0.15
    assert abs(turned[1] - straight[1]) < 0.02


def test_a_larger_image_shows_the_same_face():
    small, large = (draw_face(person(0), Pose(), size).astype(float) for size in (32, 64))
    averaged = large.reshape(3, 32, 2, 32, 2).mean((2, 4))
    assert np.abs(averaged - small).mean() < 3


def test_the_parts_of_the_source_share_no_pose_and_persons_have_poses_of_their_own():
    source, other = open_faces(":train=20,test=5"), open_faces(":person=8,train=20,test=5")
    rows = [tuple(pose) for part in (source.train, source.test, other.train) for pose in part.poses]
    assert len(set(rows)) == len(rows) == 45
    sample = source.train[3]
    assert sample["image"].shape == (3, 48, 48)
    assert (sample["image"].numpy() == draw_face(person(3), pose_of(source.train.poses[3]), 48)).all()
    assert source.fingerprint != other.fingerprint
    assert source.fingerprint == open_faces(":train=20,test=5", image_size=64).fingerprint
    assert "no real person" in source.licence


@pytest.mark.parametrize(
    ("options", "image", "said"),
    [
        (":persons=3", {}, "Did you mean 'person'"),
        (":train=1", {}, "train of 'generated-faces' must be from 4"),
        ("", {"channels": 1}, "color"),
    ],
)
def test_what_the_source_does_not_have_is_refused(options, image, said):
    with pytest.raises(UserError, match=said):
        open_faces(options, **image)
