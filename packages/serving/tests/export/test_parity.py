"""What PARITY.md says about two models is what differs between them."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from torchworks.serving.export.parity import Score, closeness, outputs_of, score_of
from torchworks.serving.export.speed import BATCHES, race
from torchworks.serving.export.trained import Samples
from torchworks.serving.parity_rules import compare
from torchworks.shared.models.signature import Signature, TensorSpec

LABELS = ("a", "b", "c")
ROWS = TensorSpec("rows", "features", "float32", ("N", 2))


def signature(kind, shape=("N", 3), labels=LABELS) -> Signature:
    return Signature((ROWS,), (TensorSpec("answer", kind, "float32", shape, 0, 1, labels),))


def samples(n: int, **targets) -> Samples:
    return Samples({"rows": np.arange(2 * n, dtype=np.float32).reshape(n, 2)}, targets, "made up")


class Echo:
    """An engine that answers with its input and counts its runs."""

    runs = 0

    def run(self, inputs):
        self.runs += 1
        return {"answer": inputs["rows"]}


def test_differences_are_the_largest_and_the_mean_over_all_outputs():
    wanted = {"answer": np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]], np.float32)}
    found = {"answer": wanted["answer"] + np.array([[0, 0.4, 0], [0, 0, 0.2]], np.float32)}
    near = closeness(signature("label"), wanted, found)
    assert near.largest == pytest.approx(0.4)
    assert near.mean == pytest.approx(0.1)
    assert near.agreement == 0.5  # of the first, b is likeliest now


def test_findings_agree_where_they_are_on_the_same_side_of_a_half():
    wanted, found = np.array([[0.4, 0.6, 0.9]]), np.array([[0.6, 0.7, 0.8]])
    near = closeness(signature("probabilities"), {"answer": wanted}, {"answer": found})
    assert near.agreement == pytest.approx(2 / 3)


def test_images_have_no_answer_to_agree_on():
    image = {"answer": np.zeros((2, 1, 4, 4), np.float32)}
    assert closeness(signature("image", ("N", 1, 4, 4), ()), image, image).agreement is None


def test_nothing_is_within_any_tolerance_of_nan():
    wanted = {"answer": np.zeros((1, 3))}

    def same(change, tolerance):
        found = {"answer": wanted["answer"] + change}
        return all(each.same for each in compare(signature("label"), wanted, found, tolerance))

    assert same(1e-5, 1e-4)
    assert not same(1e-3, 1e-4)
    assert not same(np.nan, 1e9)


def test_classes_are_scored_by_accuracy():
    outputs = {"answer": np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]}
    score = score_of(signature("label"), outputs, samples(4, answer=np.array([0, 1, 2, 0])), outputs)
    assert score == Score("accuracy", 0.75, 1)


def test_sets_of_labels_are_scored_by_the_mean_roc_auc_of_those_that_occur():
    random = np.random.default_rng(0)
    found, target = random.random((50, 3)).astype(np.float32), random.integers(0, 2, (50, 3))
    target[:, 2] = 0  # never found, so it has no curve
    score = score_of(signature("probabilities"), {"answer": found}, samples(50, answer=target), {})
    assert score.value == pytest.approx(np.mean([roc_auc_score(target[:, i], found[:, i]) for i in (0, 1)]), abs=1e-5)


def test_places_in_a_text_are_scored_by_rows_in_which_all_of_them_are_right():
    places = tuple(TensorSpec(name, "features", "int64", ("N",)) for name in ("first", "last"))
    outputs = {"first": np.array([1, 2, 3, 4]), "last": np.array([2, 2, 9, 4])}
    right = {"first": np.array([1, 2, 3, 5]), "last": np.array([2, 2, 3, 4])}
    assert score_of(Signature((ROWS,), places), outputs, samples(4, **right), outputs) == Score(
        "first and last right", 0.5, 1
    )


def test_images_are_scored_by_their_mean_absolute_error():
    found = np.full((2, 1, 4, 4), 0.5, np.float32)
    target = np.zeros((2, 1, 4, 4), np.uint8)
    score = score_of(signature("image", ("N", 1, 4, 4), ()), {"answer": found}, samples(2, answer=target), {})
    assert score == Score("mean absolute error", 0.5, -1, in_units=True)
    assert score.loss_of(Score("mean absolute error", 0.6, -1)) == pytest.approx(0.1)


def test_without_targets_a_model_is_scored_by_its_distance_from_the_trained_one():
    trained, found = ({"answer": np.full((2, 1, 4, 4), value, np.float32)} for value in (0.5, 0.75))
    images = signature("image", ("N", 1, 4, 4), ())
    assert score_of(images, trained, samples(2), trained).value == 0
    assert score_of(images, found, samples(2), trained).value == pytest.approx(0.25)


def test_samples_for_calibration_are_never_scored():
    scored, calibration = samples(40, answer=np.arange(40)).split()
    assert (len(scored), len(calibration)) == (30, 10)
    assert not set(scored.targets["answer"]) & set(calibration.targets["answer"])


def test_all_samples_are_run_in_their_order():
    made = samples(70)
    np.testing.assert_array_equal(outputs_of(Echo(), made)["answer"], made.inputs["rows"])


def test_models_are_timed_in_turns_and_equally_often():
    engines = [Echo(), Echo()]
    speeds = race(engines, samples(5), seconds=0)
    assert engines[0].runs == engines[1].runs
    assert [[speed.batch for speed in found] for found in speeds] == [list(BATCHES)] * 2
    assert all(0 < speed.p50 <= speed.p99 for found in speeds for speed in found)
