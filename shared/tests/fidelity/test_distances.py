"""The distances are what their papers say, and stay defined where a run in trouble puts them."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from torchmetrics.image.fid import _compute_fid

from torchworks.shared.config import UserError
from torchworks.shared.fidelity import distances


def normal(n, d, seed=0, scale=1.0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator, dtype=torch.float64) / d**0.5
    return torch.randn(n, d, generator=generator, dtype=torch.float64) @ mixing * scale + shift


def covariance(d, seed):
    return torch.cov(normal(5 * d, d, seed).T)


@pytest.mark.parametrize("d", [1, 3, 64])
def test_frechet_equals_the_formula_with_scipys_matrix_root(d):
    a, b = normal(400, d, 1), normal(300, d, 2, scale=1.3, shift=0.2)
    (mean1, cov1), (mean2, cov2) = distances.moments(a), distances.moments(b)
    root = scipy.linalg.sqrtm((cov1 @ cov2).numpy())
    expected = float((mean1 - mean2).square().sum() + (cov1 + cov2).trace()) - 2 * np.trace(root).real
    assert distances.frechet(mean1, cov1, mean2, cov2) == pytest.approx(expected, rel=1e-9)
    assert distances.frechet(mean1, cov1, mean2, cov2) == pytest.approx(
        _compute_fid(mean1, cov1, mean2, cov2).item(), rel=1e-9
    )


def test_frechet_of_commuting_covariances_is_the_distance_of_their_roots():
    vectors = torch.linalg.qr(normal(16, 16)).Q
    s, t = torch.rand(16, dtype=torch.float64), torch.rand(16, dtype=torch.float64)
    zero = torch.zeros(16)
    value = distances.frechet(zero, vectors * s**2 @ vectors.T, zero, vectors * t**2 @ vectors.T)
    assert value == pytest.approx((s - t).square().sum().item(), rel=1e-9)


def test_frechet_is_symmetric_and_adds_the_squared_shift():
    c, d, zero = covariance(8, 1), covariance(8, 2), torch.zeros(8)
    shift = torch.full((8,), 0.5)
    there, back = distances.frechet(zero, c, zero, d), distances.frechet(zero, d, zero, c)
    assert there == pytest.approx(back, rel=1e-9)
    assert distances.frechet(shift, c, zero, d) == pytest.approx(there + 2.0, rel=1e-9)


def test_moments_are_numpys():
    x = normal(50, 7)
    mean, cov = distances.moments(x.float())
    np.testing.assert_allclose(mean, x.float().numpy().astype(float).mean(0))
    np.testing.assert_allclose(cov, np.cov(x.float().numpy().astype(float), rowvar=False))


def test_equal_sets_are_at_distance_zero():
    x = normal(200, 64)
    assert distances.frechet(*distances.moments(x), *distances.moments(x)) == pytest.approx(0, abs=1e-6)
    assert distances.precision_recall(x, x) == (1.0, 1.0)


def test_fewer_vectors_than_features_do_no_harm():
    a, b = normal(10, 64, 1), normal(12, 64, 2)
    (mean1, cov1), (mean2, cov2) = distances.moments(a), distances.moments(b)
    root = np.sqrt(np.linalg.eigvals((cov1 @ cov2).numpy()).astype(complex)).real.sum()
    expected = float((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace()) - 2 * root
    assert distances.frechet(mean1, cov1, mean2, cov2) == pytest.approx(expected, abs=1e-5)


def test_constant_features_give_finite_scores():
    a, b = torch.ones(20, 4), torch.zeros(20, 4)
    assert distances.frechet(*distances.moments(a), *distances.moments(b)) == pytest.approx(4.0)
    assert distances.kernel_distance(a, a) == pytest.approx(0.0)
    assert distances.precision_recall(a, a) == (1.0, 1.0)
    assert distances.precision_recall(a, b) == (0.0, 0.0)


def test_features_that_are_not_finite_give_nan_and_not_a_crash():
    bad, good = torch.full((20, 4), math.nan), normal(20, 4)
    assert math.isnan(distances.frechet(*distances.moments(bad), *distances.moments(good)))
    assert math.isnan(distances.kernel_distance(bad, good))
    assert distances.precision_recall(good, bad) == (0.0, 0.0)


def test_one_image_is_too_few_and_the_message_says_so():
    with pytest.raises(UserError, match="at least 2 images"):
        distances.moments(torch.zeros(1, 4))
    with pytest.raises(UserError, match="at least 2 images"):
        distances.kernel_distance(torch.zeros(1, 4), torch.zeros(5, 4))


def test_kernel_distance_equals_the_sum_over_pairs():
    a, b = normal(30, 5, 1), normal(40, 5, 2, shift=0.3)

    def mean(x, y, same):
        pairs = [(i, j) for i in range(len(x)) for j in range(len(y)) if not (same and i == j)]
        return sum((float(x[i] @ y[j]) / 5 + 1) ** 3 for i, j in pairs) / len(pairs)

    expected = mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False)
    assert distances.kernel_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_has_no_bias_where_frechet_has():
    kernel, frechet = [], []
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        a, b = torch.randn(2, 50, 16, generator=generator)
        kernel.append(distances.kernel_distance(a, b))
        frechet.append(distances.frechet(*distances.moments(a), *distances.moments(b)))
    assert abs(np.mean(kernel)) < 3 * np.std(kernel) / 40**0.5
    assert np.mean(frechet) > 10 * np.std(frechet) / 40**0.5


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_and_recall_equal_a_loop_over_pairs(k):
    real, fake = normal(60, 3, 1), normal(45, 3, 2, shift=0.8)

    def share(x, centres):
        radius = [sorted(float((c - o).norm()) for o in centres)[k] for c in centres]
        inside = [any(float((p - c).norm()) <= r for c, r in zip(centres, radius, strict=True)) for p in x]
        return sum(inside) / len(inside)

    expected = share(fake, real), share(real, fake)
    assert 0 < expected[0] < 1
    assert distances.precision_recall(real, fake, k) == pytest.approx(expected)


def test_collapse_to_one_real_image_has_precision_but_no_recall():
    real = normal(100, 8)
    assert distances.precision_recall(real, real[:1].expand(100, 8)) == (1.0, 0.01)


def test_fewer_images_than_neighbors_still_give_a_score():
    assert distances.precision_recall(normal(2, 4), normal(2, 4)) == (1.0, 1.0)
    assert distances.precision_recall(normal(5, 4), normal(1, 4, 3)) == (pytest.approx(0, abs=1), 0.0)


def test_blocks_of_rows_do_not_change_the_scores(monkeypatch):
    a, b = normal(50, 4, 1), normal(70, 4, 2)
    whole = distances.kernel_distance(a, b), distances.precision_recall(a, b), distances.nearest(a, b, 2)
    monkeypatch.setattr(distances, "_ROWS", 7)
    assert distances.kernel_distance(a, b) == pytest.approx(whole[0], rel=1e-9)
    assert distances.precision_recall(a, b) == whole[1]
    torch.testing.assert_close(distances.nearest(a, b, 2), whole[2])


def test_nearest_finds_what_sorting_all_pairs_finds():
    queries, candidates = normal(20, 6, 1).float(), normal(50, 6, 2).float()
    distance, index = distances.nearest(queries, candidates, k=4)
    every = torch.stack([(candidates - query).norm(dim=1) for query in queries])
    expected = every.sort(dim=1)
    torch.testing.assert_close(distance, expected.values[:, :4])
    assert torch.equal(index, expected.indices[:, :4])


def test_a_copy_is_at_distance_exactly_zero():
    candidates = torch.rand(100, 3072) * 2 - 1
    distance, index = distances.nearest(candidates[[7, 50]], candidates, k=200)
    assert index[:, 0].tolist() == [7, 50]
    assert distance[:, 0].tolist() == [0.0, 0.0]
    assert distance.shape == (2, 100)


def test_class_entropy_is_scipys_scaled_to_one():
    classes = torch.tensor([0] * 5 + [1] * 3 + [3] * 2)
    expected = scipy.stats.entropy([0.5, 0.3, 0.2]) / math.log(4)
    assert distances.class_entropy(classes, 4) == pytest.approx(expected)
    assert distances.class_entropy(torch.arange(8), 8) == pytest.approx(1.0)
    assert distances.class_entropy(torch.zeros(9, dtype=torch.int64), 8) == 0.0


def test_a_class_is_covered_from_a_quarter_of_an_equal_share_on():
    counts = [72, 25, 3, 0]  # of 100; a quarter of an equal share is 6.25
    classes = torch.arange(4).repeat_interleave(torch.tensor(counts))
    assert distances.classes_covered(classes, 4) == 2
    assert distances.classes_covered(torch.tensor([0] * 15 + [1]), 4) == 2  # 1/16 exactly
