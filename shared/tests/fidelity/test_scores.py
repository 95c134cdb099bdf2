"""The scores of generated images say what is wrong with them, beside what real images get."""

import math

import pytest
import torch
from torch import distributed as dist
from torch.nn import functional as F

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import TensorDataset, open_source
from torchworks.shared.fidelity import (
    FeatureSpace,
    Fidelity,
    features_of,
    floor,
    gaussian,
    judge_for,
    metric,
    nearest_copies,
)


@pytest.fixture(scope="module")
def digits():
    return open_source("digits", ImageConfig(image_size=16))


@pytest.fixture(scope="module")
def judge(digits, tmp_path_factory):
    return judge_for(digits, image_size=16, cache=tmp_path_factory.mktemp("judges"))


@pytest.fixture(scope="module")
def reference(judge, digits):
    return features_of(judge, digits.train)


@pytest.fixture(scope="module")
def real(digits):
    """Unseen real images: the best a generator could make."""
    return digits.test.tensors["image"].float() / 127.5 - 1


def score(judge, reference, fake, label=None):
    fidelity = Fidelity(judge, reference=reference)
    fidelity.update(fake=fake, label=label)
    return fidelity.compute()


class Pixels(FeatureSpace):
    """Images as they are, read as class 0 when dark and class 1 when bright."""

    name, classes = "pixels2", ("dark", "bright")

    def forward(self, images):
        features = images.flatten(1)[:, :2]
        return features, torch.stack([-features[:, 0], features[:, 0]], 1)


# ---- what the scores say ---------------------------------------------------------------------------------


def test_the_floor_is_what_unseen_real_digits_get(judge, digits):
    scores = floor(judge, digits.train, digits.test)
    assert 0 < scores["fd_digits64"] < 1
    assert abs(scores["kd_digits64"]) < 0.05
    assert min(scores["precision"], scores["recall"]) > 0.75
    assert (scores["classes_covered"], scores["classes_covered_of"]) == (10, 10)
    assert scores["class_entropy"] > 0.99
    assert scores["label_accuracy"] == pytest.approx(judge.accuracy)
    assert (scores["n_real"], scores["n_fake"]) == (len(digits.train), len(digits.test))


def test_the_floor_equals_the_metric_on_the_test_images(judge, digits, reference, real):
    expected = score(judge, reference, real, digits.test.tensors["label"])
    assert floor(judge, digits.train, digits.test) == pytest.approx(expected, abs=1e-4)


def test_normally_distributed_pixels_have_the_mean_and_covariance_of_the_images_and_score_far_worse(judge, digits):
    class Pixels(FeatureSpace):
        name = "pixels"

        def __init__(self):
            super().__init__()
            self.zero = torch.nn.Parameter(torch.zeros(()))

        def forward(self, images):
            return torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1), None

    dumb = gaussian(judge, digits.train, digits.test)["fd_digits64"]
    assert dumb > 20 * floor(judge, digits.train, digits.test)["fd_digits64"]
    alike, apart = (gaussian(Pixels(), digits.train, test)["fd_pixels"] for test in (digits.train, digits.test))
    assert alike < 0.05
    assert apart < 0.2


def noisy(images, amount):
    return images + amount * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))


def test_the_distances_grow_with_noise(judge, reference, real):
    scores = [score(judge, reference, noisy(real, amount)) for amount in (0, 0.1, 0.3, 1.0)]
    for name in ("fd_digits64", "kd_digits64"):
        values = [each[name] for each in scores]
        assert values == sorted(values)
        assert values[-1] > 10 * abs(values[0])
    assert scores[-1]["precision"] < 0.2


@pytest.mark.parametrize("kernel", [3, 5])
def test_the_distance_sees_blur(judge, reference, real, kernel):
    blurred = F.avg_pool2d(real, kernel, 1, kernel // 2, count_include_pad=False)
    assert score(judge, reference, blurred)["fd_digits64"] > 3 * score(judge, reference, real)["fd_digits64"]


def test_collapse_to_a_few_pictures_of_each_class_costs_recall_though_every_class_is_there(
    judge, digits, reference, real
):
    labels = digits.test.tensors["label"]
    few = torch.cat([real[labels == digit][:2].repeat(18, 1, 1, 1) for digit in range(10)])
    whole, collapsed = score(judge, reference, real), score(judge, reference, few)
    assert collapsed["recall"] < 0.3 < whole["recall"]
    assert collapsed["fd_digits64"] > 5 * whole["fd_digits64"]
    assert collapsed["classes_covered"] == 10


def test_missing_classes_are_counted(judge, digits, reference, real):
    labels = digits.test.tensors["label"]
    without = score(judge, reference, real[(labels != 3) & (labels != 8)])
    assert without["classes_covered"] == 8
    alone = score(judge, reference, real[labels == 1][:20].repeat(5, 1, 1, 1))
    assert alone["classes_covered"] == 1
    assert alone["class_entropy"] < 0.2


def test_label_accuracy_is_about_the_labels_asked_for(judge, digits, reference, real):
    labels = digits.test.tensors["label"]
    assert score(judge, reference, real, labels)["label_accuracy"] > 0.97
    assert score(judge, reference, real, (labels + 1) % 10)["label_accuracy"] < 0.03
    assert "label_accuracy" not in score(judge, reference, real)


# ---- how they are collected ------------------------------------------------------------------------------


def test_batches_and_a_given_reference_change_nothing(judge, digits, reference, real):
    whole = score(judge, reference, real)
    fidelity = Fidelity(judge)
    for part in (digits.train.tensors["image"].float() / 127.5 - 1).split(100):
        fidelity.update(real=part)
    for part in real.split(64):
        fidelity.update(fake=part)
    assert fidelity.compute() == pytest.approx(whole, abs=1e-3)


def test_a_reset_metric_starts_again_and_keeps_its_reference(judge, reference, real):
    fidelity = Fidelity(judge, reference=reference)
    fidelity.update(fake=torch.zeros_like(real))
    fidelity.compute()
    fidelity.reset()
    fidelity.update(fake=real)
    assert fidelity.compute() == score(judge, reference, real)


def test_one_side_without_images_is_an_error_in_words(judge, reference, real):
    fidelity = Fidelity(judge)
    fidelity.update(fake=real[:4])
    with pytest.raises(UserError, match="none on one side"):
        fidelity.compute()
    with pytest.raises(UserError, match="at least 2 images"):
        score(judge, reference, real[:1])


def test_two_images_are_enough_for_a_dry_run(judge, reference, real):
    scores = score(judge, reference, real[:2])
    assert all(math.isfinite(value) for value in scores.values())


def test_images_that_are_not_finite_give_nan_and_no_crash(judge, reference, real):
    scores = score(judge, reference, torch.full_like(real, math.nan))
    assert math.isnan(scores["fd_digits64"])
    assert math.isnan(scores["kd_digits64"])
    assert scores["precision"] == scores["recall"] == 0


def test_large_sets_are_compared_by_a_part_of_them(judge, reference, real, monkeypatch):
    whole = score(judge, reference, real)
    monkeypatch.setattr(metric, "MOST_PAIRED", 200)
    part = score(judge, reference, real)
    assert part["fd_digits64"] == whole["fd_digits64"]
    assert part["recall"] == pytest.approx(whole["recall"], abs=0.1)
    assert part["recall"] != whole["recall"]


def test_a_space_names_its_distances_and_may_know_no_classes():
    class Inception(Pixels):
        classes, frechet_name, kernel_name = (), "fid", "kid"

        def forward(self, images):
            return images.flatten(1)[:, :2], None

    scores = score(Inception(), torch.rand(20, 2), torch.rand(10, 1, 4, 4))
    assert list(scores) == ["fid", "kid", "precision", "recall", "n_real", "n_fake"]


@pytest.mark.parametrize("labelled", [False, True])
def test_two_processes_score_what_one_scores(labelled, monkeypatch):
    """The exchange between the processes is replaced by a look-up."""
    images = {"real": torch.rand(30, 1, 2, 2) - 0.5, "fake": torch.rand(30, 1, 2, 2) - 0.4}
    labels = torch.arange(30) % 2 if labelled else None
    halves = []
    for rank in range(2):
        here = {name: value[rank::2] for name, value in images.items()}
        halves.append(Fidelity(Pixels()))
        halves[-1].update(**here, label=labels[rank::2] if labelled else None)

    def gather(of_all, mine):
        (name,) = [name for name in Fidelity.collected if same(getattr(halves[0], name), mine)][:1]
        of_all[:] = [mine, getattr(halves[1], name)]

    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_gather_object", gather)
    together = halves[0].compute()
    monkeypatch.undo()
    alone = Fidelity(Pixels())
    alone.update(**images, label=labels)
    assert together == pytest.approx(alone.compute())
    assert together["n_fake"] == 30


def test_what_scores_are_read_against_is_computed_by_one_process_alone(digits, judge, monkeypatch):
    """The others have ended by then, so an exchange would wait for them."""

    def gather(of_all, mine):
        raise AssertionError("nobody answers")

    expected = floor(judge, digits.train, digits.test), gaussian(judge, digits.train, digits.test)
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_gather_object", gather)
    assert (floor(judge, digits.train, digits.test), gaussian(judge, digits.train, digits.test)) == expected


def same(ours, theirs):
    """Whether two lists hold equal tensors."""
    return len(ours) == len(theirs) and all(map(torch.equal, ours, theirs))


@pytest.mark.gpu
def test_a_gpu_gives_the_scores_of_the_cpu(digits, judge, reference, real, tmp_path):
    labels = digits.test.tensors["label"]
    expected = score(judge, reference, real, labels)
    elsewhere = judge_for(digits, image_size=16, cache=tmp_path, device="cuda")  # trained anew, on the CPU
    torch.testing.assert_close(features_of(elsewhere, digits.test), features_of(judge, digits.test), atol=0.05, rtol=0)
    fidelity = Fidelity(elsewhere, reference=reference).to("cuda")
    fidelity.update(fake=real.cuda(), label=labels.cuda())
    assert fidelity.compute() == pytest.approx(expected, rel=0.05, abs=0.01)


# ---- copies ----------------------------------------------------------------------------------------------


def test_copies_of_training_images_are_found_and_named(judge, digits):
    train = digits.train.tensors["image"].float() / 127.5 - 1
    copies = nearest_copies(judge, noisy(train[5:300:5], 0.01), digits.train, digits.test)
    for found in (copies.pixels, copies.features):
        assert found.index[:, 0].tolist() == list(range(5, 300, 5))
        assert found.copy_share == 1.0
        assert found.distance.shape == (59, 3)
    assert copies.pixels.distance[:, 0].max() < 0.02  # the noise's own root mean square is 0.01


def test_unseen_real_images_are_no_more_copies_than_test_images_are(judge, digits, real):
    half = len(real) // 2
    other = TensorDataset({"image": digits.test.tensors["image"][half:]})
    scores = nearest_copies(judge, real[:half], digits.train, other).scores()
    assert set(scores) == {"copy_share_pixels", "copy_share_features"}
    assert max(scores.values()) < 0.2


def test_noise_is_no_copy(judge, digits):
    noise = torch.rand(50, 1, 16, 16) * 2 - 1
    assert set(nearest_copies(judge, noise, digits.train, digits.test).scores().values()) == {0.0}
