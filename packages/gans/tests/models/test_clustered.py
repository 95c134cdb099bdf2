"""Clusters in place of classes: what they are found by, and that a latent vector alone chooses its own."""

import pytest
import torch

from torchworks.gans.models.cgan import CGANGenerator
from torchworks.gans.models.clustered import ClusteredDiscriminator, ClusteredGenerator, Clusters
from torchworks.gans.models.config import ClusteredNet, R3GANNet
from torchworks.gans.models.registry import discriminator, generator
from torchworks.shared.testing import check_model

NETS = {
    "dcgan": ClusteredNet(latent_dim=7, width=4, discriminator_width=4, max_channels=8, clusters=3),
    "r3gan": R3GANNet(latent_dim=7, width=4, max_channels=8, blocks=1, group_size=2, clusters=3),
}


def bars(n: int, size: int = 28, *, upright: bool) -> torch.Tensor:
    """Images (n, 1, size, size) of one bar each near the middle, of some width and brightness."""
    random = torch.Generator().manual_seed(n + upright)
    images = torch.full((n, 1, size, size), -1.0)
    for image in images:
        start = int(torch.randint(11, 15, (), generator=random))
        image[0, start : start + int(torch.randint(2, 5, (), generator=random))] = float(
            torch.rand((), generator=random)
        )
    return images.transpose(2, 3).contiguous() if upright else images


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_nets_of_clusters_keep_the_models_contract(net):
    check_model(lambda: generator(net, 16, 1), torch.randn(4, 7), shapes=(4, 1, 16, 16))
    numbers = torch.tensor([0, 2, 1, 1])
    check_model(lambda: discriminator(net, 16, 3), (torch.randn(4, 3, 16, 16), numbers), shapes=(4,))


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_the_last_latent_number_alone_chooses_the_cluster_and_the_cluster_changes_the_image(net):
    torch.manual_seed(0)
    made = generator(net, 16, 1).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    z = torch.randn(1, 7).repeat(5, 1)
    z[:, -1] = torch.tensor([-2.0, -1.0, 0.0, 0.1, 2.0])  # thirds of a normal distribution end at ± 0.43
    assert made.cluster_of(z).tolist() == [0, 0, 1, 1, 2]
    a, b, c, d, e = made(z)
    assert torch.equal(a, b)
    assert torch.equal(c, d)
    assert not torch.allclose(b, c)
    assert not torch.allclose(d, e)


@pytest.mark.parametrize("latent", ["normal", "uniform"])
def test_clusters_are_drawn_as_often_as_they_are_in_the_data(latent):
    made = ClusteredGenerator(CGANGenerator(3, 16, 1, latent_dim=2, width=4), 3, latent=latent)
    made.shares.copy_(torch.tensor([0.5, 0.2, 0.3]))
    numbers = (torch.arange(10_000) + 0.5) / 10_000
    last = 2 * numbers - 1 if latent == "uniform" else torch.special.ndtri(numbers)
    counts = torch.bincount(made.cluster_of(torch.stack([torch.zeros(10_000), last], dim=1)))
    assert counts.tolist() == pytest.approx([5000, 2000, 3000], abs=2)


def test_a_latent_number_at_either_end_has_a_cluster():
    made = ClusteredGenerator(CGANGenerator(3, 16, 1, latent_dim=2, width=4), 3, latent="uniform")
    assert made.cluster_of(torch.tensor([[0.0, -1.0], [0.0, 1.0]])).tolist() == [0, 2]


def test_images_are_told_apart_by_the_directions_of_their_edges_and_not_by_contrast():
    clusters, images = Clusters(2), bars(8, upright=True)
    features = clusters.features(images)
    assert features.shape == (8, 128)
    torch.testing.assert_close(features.square().sum(dim=1), torch.ones(8))
    torch.testing.assert_close(clusters.features(images * 0.3 + 0.1), features, atol=1e-3, rtol=0)
    by_direction = features.unflatten(1, (8, 16)).square().sum(dim=2)  # an upright bar's edges look left and right
    torch.testing.assert_close(by_direction[:, [0, 4]].sum(dim=1), torch.ones(8))
    turned = clusters.features(images.transpose(2, 3)).unflatten(1, (8, 16)).square().sum(dim=2)
    torch.testing.assert_close(turned[:, [2, 6]].sum(dim=1), torch.ones(8))


def test_an_image_of_one_color_has_a_cluster():
    assert Clusters(2).features(torch.zeros(1, 3, 16, 16)).isfinite().all()


def test_k_means_finds_groups_and_their_shares_and_new_images_go_to_theirs():
    clusters = Clusters(2)
    clusters.fit(clusters.features(torch.cat([bars(30, upright=False), bars(90, upright=True)])), seed=0)
    assert sorted(clusters.shares.tolist()) == pytest.approx([0.25, 0.75])
    lying, upright = clusters(bars(7, upright=False)), clusters(bars(7, upright=True))
    assert len(set(lying.tolist())) == len(set(upright.tolist())) == 1
    assert lying[0] != upright[0]
    again = Clusters(2)
    again.load_state_dict(clusters.state_dict())
    assert torch.equal(again(bars(7, upright=True)), upright)


def test_a_discriminator_is_told_the_cluster():
    made = discriminator(NETS["dcgan"], 16, 1).eval()
    assert isinstance(made, ClusteredDiscriminator)
    torch.nn.init.normal_(made.net.embed.weight)
    x = torch.randn(1, 1, 16, 16).expand(2, -1, -1, -1)
    first, second = made(x, torch.tensor([0, 1]))
    assert first != second
