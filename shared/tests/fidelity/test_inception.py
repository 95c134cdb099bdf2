"""The net that FID is defined with, tried with random weights: the official ones cannot be had here."""

import hashlib

import pytest
import torch

from torchworks.shared.config import UserError
from torchworks.shared.fidelity import InceptionJudge
from torchworks.shared.fidelity.inception import inception_net


def random_weights():
    """Weights that keep the activations' size, without the counters that old files lack."""
    generator, state = torch.Generator().manual_seed(0), {}
    for key, value in inception_net().state_dict().items():
        noise = torch.randn(value.shape, generator=generator) if value.is_floating_point() else None
        if noise is None:
            continue
        if value.ndim > 1:
            state[key] = noise * (2 / value[0].numel()) ** 0.5
        else:
            state[key] = 0.1 * noise + key.endswith(("running_var", "bn.weight"))
    return state


def save(state, path):
    torch.save(state, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    expected = save(random_weights(), path)
    yield InceptionJudge(path, expected=expected[:8])
    path.unlink()


def test_features_are_those_of_pytorch_fid(judge):
    """Frozen from pytorch-fid 0.3.0 (`InceptionV3([3])`) with the same weights and images."""
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    features = judge.features(images)
    assert features.shape == (3, 2048)
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(features.mean(1), torch.tensor([0.440041, 0.442575, 0.439300]), **close)
    torch.testing.assert_close(features.std(1), torch.tensor([0.571729, 0.574756, 0.570048]), **close)
    torch.testing.assert_close(features[0, [3, 1000, 2047]], torch.tensor([1.749028, 0.113579, 2.978439]), **close)
    torch.testing.assert_close(features[2, [3, 1000, 2047]], torch.tensor([1.757300, 0.090042, 2.969592]), **close)


def test_grey_images_are_shown_as_grey_colors(judge):
    grey = torch.rand(1, 1, 32, 32) * 2 - 1
    torch.testing.assert_close(judge.features(grey), judge.features(grey.expand(1, 3, 32, 32)))


def test_a_file_with_another_hash_is_refused(tmp_path):
    path = tmp_path / "pt_inception-2015-12-05-6726825d.pth"
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match="not the file that FID is defined with"):
        InceptionJudge(path)
    with pytest.raises(UserError, match="There is no file"):
        InceptionJudge(tmp_path / "missing.pth")


@pytest.mark.parametrize("wrong", ["a missing key", "another shape", "no weights", "a pickle that runs code"])
def test_a_file_that_holds_something_else_is_refused(tmp_path, wrong):
    path = tmp_path / "weights.pth"
    state = dict(inception_net().state_dict()) if wrong in ("a missing key", "another shape") else {}
    if wrong == "a missing key":
        del state["Mixed_7c.branch_pool.conv.weight"]
    elif wrong == "another shape":
        state["fc.weight"] = torch.zeros(1000, 2048)
    content = {"a pickle that runs code": print, "no weights": "text"}.get(wrong, state)
    expected = save(content, path)
    with pytest.raises(UserError, match="does not hold the weights"):
        InceptionJudge(path, expected=expected)
