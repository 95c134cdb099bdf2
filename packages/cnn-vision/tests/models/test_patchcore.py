"""PatchCore: distances, coreset and score against brute force."""

from itertools import combinations

import pytest
import torch

from torchworks.cnn_vision.models.patchcore import PatchCore, greedy_coreset, pairwise, patch_features


@pytest.fixture
def normal():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


class Plain(torch.nn.Module):
    """Images as they are and at half the size."""

    def forward(self, images):
        return {"fine": images, "coarse": torch.nn.functional.avg_pool2d(images, 2)}


def test_distances_are_exact_also_far_from_the_origin(normal):
    a, b = normal(5, 7) + 100, normal(6, 7) + 100
    torch.testing.assert_close(pairwise(a, b), torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist"))


def test_the_coreset_is_the_greedy_one_and_nearly_as_good_as_the_best_there_is(normal):
    points = normal(12, 3)
    chosen = greedy_coreset(points, 4, 99, torch.Generator().manual_seed(0)).tolist()
    distance = torch.cdist(points, points)
    taken = chosen[:1]
    while len(taken) < 4:
        taken.append(int(distance[:, taken].amin(1).argmax()))
    assert chosen == taken
    reach = lambda subset: float(distance[:, list(subset)].amin(1).max())  # noqa: E731
    best = min(map(reach, combinations(range(12), 4)))
    assert best <= reach(chosen) <= 2 * best  # Gonzalez 1985


def test_a_coreset_takes_no_patch_twice(normal):
    points = normal(3, 2).repeat(4, 1)
    assert sorted(greedy_coreset(points, 12, 99, torch.Generator().manual_seed(0)).tolist()) == list(range(12))


def test_patches_average_their_neighbours_and_join_both_maps(normal):
    images = normal(2, 3, 8, 8)
    patches = patch_features(Plain(), images, 1)
    assert patches.shape == (2, 6, 8, 8)
    torch.testing.assert_close(patches[0, :3, 4, 4], images[0, :, 3:6, 3:6].mean((1, 2)))
    torch.testing.assert_close(patches[0, :3, 0, 0], images[0, :, :2, :2].mean((1, 2)))


@torch.no_grad()
def test_the_score_is_equation_7_of_the_paper(normal):
    net = PatchCore(Plain(), 1, 10, 6, neighbors=4)
    net.memory.data = normal(10, 6)
    images = normal(3, 3, 8, 8)
    score, heat = net(images)
    patches = net.patches(images)
    for n in range(3):
        rows = patches[n].flatten(1).T
        distance = torch.cdist(rows, net.memory)
        nearest, which = distance.min(1)
        strangest = int(nearest.argmax())
        m_star = net.memory[which[strangest]]
        company = (net.memory - m_star).norm(dim=1).argsort()[:4]
        exponents = (rows[strangest] - net.memory[company]).norm(dim=1).exp()
        weight = 1 - nearest[strangest].exp() / exponents.sum()
        assert float(score[n]) == pytest.approx(float(weight * nearest[strangest]), rel=1e-4)
    assert heat.shape == (3, 8, 8)


@torch.no_grad()
def test_what_is_in_the_memory_is_not_strange_at_all(normal):
    images = normal(1, 3, 4, 4)
    rows = patch_features(Plain(), images, 1).flatten(2)[0].T
    net = PatchCore(Plain(), 1, len(rows), 6)
    net.memory.data = rows
    score, heat = net(images)
    assert float(score) < 1e-2
    assert float(heat.max()) < 1e-2
