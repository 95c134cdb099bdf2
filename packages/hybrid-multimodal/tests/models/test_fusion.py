"""Nets that join two kinds of data, and the mixture that their answers are."""

import pytest
import torch

from torchworks.hybrid_multimodal.models.bearing_fusion import BearingFusion, working
from torchworks.hybrid_multimodal.models.laplace_mixture import LaplaceMixture
from torchworks.hybrid_multimodal.models.late_fusion import LateFusion
from torchworks.hybrid_multimodal.models.table_and_image import TableAndImage, signed_log
from torchworks.shared.testing import check_model

SIZES = {"size": (16, 32), "beams": 32, "columns": 8, "widths": (8, 8, 8), "width": 8}


@pytest.mark.parametrize("kind", [BearingFusion, LateFusion])
def test_every_promise_of_a_net_of_two_sensors_holds(kind):
    inputs = torch.rand(3, 3, 16, 32) * 2 - 1, torch.rand(3, 32) * 20
    check_model(lambda: kind(**SIZES), inputs, shapes=[(3, 8, 3), (3, 8, 11)])


def test_every_promise_of_picture_and_table_holds():
    def build() -> TableAndImage:
        return TableAndImage(
            center=[[0.0, 1.0], [0.0, 0.5]], scale=[[1.0, 2.0], [1.0, 1.0]], sizes=[3], image_size=16, widths=(8, 8),
            width=16, components=2,
        )  # fmt: skip

    inputs = torch.rand(3, 1, 16, 16), torch.randn(3, 2), torch.ones(3, 2), torch.tensor([[0], [1], [2]])
    check_model(build, inputs, shapes=(3, 2, 3))


@torch.no_grad()
@pytest.mark.parametrize("kind", [BearingFusion, LateFusion])
def test_nothing_of_a_silent_sensor_is_read(kind):
    torch.manual_seed(0)
    net = kind(**SIZES).eval()
    for parameter in net.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)
    images, beams = torch.rand(2, 3, 16, 32), torch.rand(2, 32) * 20
    dark = torch.full_like(images, -1) + torch.rand_like(images) * 0.1  # noise below what counts as light
    torch.testing.assert_close(net(dark, beams)[0], net(torch.full_like(images, -1), beams)[0])
    assert not torch.allclose(net(images, beams)[0], net(dark, beams)[0])
    assert working(dark, torch.zeros(2, 32)).tolist() == [[0, 0], [0, 0]]
    assert working(images, beams).tolist() == [[1, 1], [1, 1]]


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="columns"):
        BearingFusion(**{**SIZES, "columns": 7})


def test_the_density_is_that_of_torch_and_its_quantiles_have_their_share_below_them():
    torch.manual_seed(0)
    mixture = LaplaceMixture(torch.randn(5, 3, 3))
    of_torch = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=mixture.logits),
        torch.distributions.Laplace(mixture.places, mixture.widths),
    )
    y = torch.randn(5)
    torch.testing.assert_close(mixture.log_density(y), of_torch.log_prob(y))
    torch.testing.assert_close(mixture.below(y[:, None])[:, 0], of_torch.cdf(y))
    torch.testing.assert_close(mixture.mean(), of_torch.mean)
    shares = (0.1, 0.5, 0.9)
    for share, values in zip(shares, mixture.quantiles(shares).unbind(1), strict=True):
        torch.testing.assert_close(of_torch.cdf(values), torch.full((5,), share), atol=1e-4, rtol=0)


def test_a_signed_logarithm_keeps_the_sign():
    values = torch.tensor([-3.0, 0.0, 3.0])
    torch.testing.assert_close(signed_log(values), torch.tensor([-1.386294, 0.0, 1.386294]))
