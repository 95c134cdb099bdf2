"""Drift is called by sample size: rarely without a shift, and where there is one."""

import json

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits

from torchworks.serving.monitoring.drift import (
    Spread,
    Window,
    chi2_isf,
    chi2_sf,
    features,
    reference,
    step_up,
)
from torchworks.shared.models.signature import Signature, TensorSpec

DIGITS = tuple("0123456789")
CLASSIFIER = Signature(
    (TensorSpec("image", "image", "uint8", ("N", 1, 8, 8)),),
    (TensorSpec("probability", "label", "float32", ("N", 10), low=0, high=1, labels=DIGITS),),
)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Real images (N, 1, 8, 8), uint8, in random order, and their classes."""
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.images))
    return (found.images[order, None] * 255 / 16).round().astype(np.uint8), found.target[order]


@pytest.fixture(scope="module")
def classify(digits):
    """A classifier by the nearest mean image: probabilities (N, 10)."""
    images, classes = digits
    means = np.stack([images[classes == i].mean(0) for i in range(10)])

    def probabilities(images: np.ndarray) -> np.ndarray:
        far = ((images[:, None].astype(np.float32) - means) ** 2).mean((2, 3, 4)) / 400
        odds = np.exp(far.min(1, keepdims=True) - far)
        return (odds / odds.sum(1, keepdims=True)).astype(np.float32)

    return probabilities


def classes_of(counts: np.ndarray) -> Spread:
    """Classes that the reference has so many of."""
    return Spread(counts, np.zeros(0), tuple(map(str, range(len(counts)))))


def judge(signature, before, now, *, rate=0.01, least=50):
    """What a window of `now` says after `before`; both pairs of inputs and outputs."""
    window = Window(signature, json.loads(json.dumps(reference(signature, *before))), 5000)
    window.add(*now)
    return window.judge(rate, least)


@pytest.mark.parametrize("freedom", [1, 2, 3, 9, 10, 99])
def test_the_chance_of_chi_square_is_scipys(freedom):
    for x in (0.01, 1.0, 5.0, 30.0, 200.0):
        assert chi2_sf(x, freedom) == pytest.approx(stats.chi2.sf(x, freedom), rel=1e-9)
    for p in (0.5, 0.01, 1e-6):
        assert chi2_isf(p, freedom) == pytest.approx(stats.chi2.isf(p, freedom), rel=1e-6)


@pytest.mark.parametrize("cells", [2, 5, 10, 20])
@pytest.mark.parametrize(("n", "m"), [(50, 300), (100, 100), (100, 1000), (500, 500), (5000, 2000)])
def test_false_alarms_stay_at_the_stated_rate_for_numbers(n, m, cells):
    rng, rate, trials = np.random.default_rng(n + cells), 0.05, 400
    alarms = 0
    for _ in range(trials):
        spread = Spread.of((rng.standard_normal(m), ()), cells)
        now = spread.count(spread.cells(rng.standard_normal(n)))
        alarms += spread.distance(now).p <= rate
    assert alarms / trials < rate + 3 * (rate * (1 - rate) / trials) ** 0.5


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize(("n", "m"), [(50, 300), (100, 100), (500, 500), (1000, 1000), (5000, 2000)])
@pytest.mark.parametrize("even", [True, False], ids=["even", "uneven"])
def test_false_alarms_stay_at_the_stated_rate_for_classes(n, m, classes, even):
    rng, rate, trials = np.random.default_rng(n + classes), 0.05, 400
    shares = np.ones(classes) if even else 1 / np.arange(1, classes + 1)
    shares /= shares.sum()
    found = [classes_of(rng.multinomial(m, shares)).distance(rng.multinomial(n, shares)) for _ in range(trials)]
    alarms = sum(each.p <= rate for each in found)
    assert alarms / trials < rate + 3 * (rate * (1 - rate) / trials) ** 0.5


def test_a_fixed_limit_of_a_tenth_would_alarm_most_of_the_time_at_a_hundred_rows():
    rng, trials = np.random.default_rng(0), 400
    shares = np.ones(10) / 10
    found = [classes_of(rng.multinomial(100, shares)).distance(rng.multinomial(100, shares)) for _ in range(trials)]
    assert sum(each.psi > 0.1 for each in found) / trials > 0.7
    assert sum(each.p <= 0.05 for each in found) / trials < 0.09
    many = classes_of(rng.multinomial(10_000, shares)).distance(rng.multinomial(10_000, [0.11] * 5 + [0.09] * 5))
    assert many.psi < 0.1, "and it would miss"
    assert many.p < 1e-4, "a real shift that 10,000 rows show"


def test_many_features_together_keep_the_rate():
    """Benjamini and Hochberg's rule: all of a version's features have one rate together."""
    rng, rate, trials = np.random.default_rng(1), 0.05, 1000
    chances = rng.random((trials, 30))
    alarms = sum((row <= step_up(list(row), rate)).any() for row in chances)
    assert alarms / trials < rate + 3 * (rate * (1 - rate) / trials) ** 0.5
    assert step_up([0.001, 0.02, 0.9], 0.05) == pytest.approx(2 * 0.05 / 3)


def test_real_digits_have_not_drifted_from_their_other_half(digits, classify):
    images, _ = digits
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(20):
        first, second = np.array_split(rng.permutation(len(images)), 2)
        before, now = ({"image": images[rows]} for rows in (first, second))
        outputs = ({"probability": classify(side["image"])} for side in (before, now))
        found = judge(CLASSIFIER, (before, next(outputs)), (now, next(outputs)), rate=0.05)
        alarms += bool(found["drifted"])
    assert alarms <= 4  # 1 is expected, 5 or more would have a chance of 0.3 %


@pytest.mark.parametrize("rows", [100, 800])
@pytest.mark.parametrize(
    ("change", "feature"),
    [
        (lambda images: (images * 0.7).astype(np.uint8), "input.image.brightness"),
        (lambda images: 255 - images, "input.image.brightness"),
        (lambda images: np.clip(images + 60.0, 0, 255).astype(np.uint8), "input.image.black"),
        (lambda images: np.repeat(images[..., ::2], 2, axis=-1), "input.image.sharpness"),
        (lambda images: images[..., ::-1], "output.probability.top"),
    ],
    ids=["darker", "inverted", "brighter", "coarser", "mirrored"],
)
def test_a_shift_of_real_digits_is_found_where_it_shows(digits, classify, change, feature, rows):
    images, _ = digits
    before, now = images[:900], change(images[900 : 900 + rows])
    found = judge(
        CLASSIFIER,
        ({"image": before}, {"probability": classify(before)}),
        ({"image": now}, {"probability": classify(now)}),
    )
    assert feature in found["drifted"]
    row = found["features"][feature]
    assert row["statistic"] > row["threshold"]
    assert (row["n"], row["reference"]["n"]) == (rows, 900)


def test_a_class_that_is_no_longer_asked_for_is_found(digits, classify):
    images, classes = digits
    before, now = images[:900], images[900:][classes[900:] != 3]
    found = judge(
        CLASSIFIER,
        ({"image": before}, {"probability": classify(before)}),
        ({"image": now}, {"probability": classify(now)}),
    )
    assert "output.probability.class" in found["drifted"]
    assert found["features"]["output.probability.class"]["reference"]["categories"] == list(DIGITS)


def test_too_few_rows_are_not_judged(digits, classify):
    images, _ = digits
    both = {"image": images[:900]}, {"probability": classify(images[:900])}
    window = Window(CLASSIFIER, reference(CLASSIFIER, *both), 1000)
    dark = np.zeros((99, 1, 8, 8), np.uint8)
    window.add({"image": dark}, {"probability": classify(dark)})
    assert window.judge(0.01, 100) == {
        "rows": 99, "least": 100, "judged": False, "reference": 900, "drifted": [], "features": {},
    }  # fmt: skip
    window.add({"image": dark[:1]}, {"probability": classify(dark[:1])})
    assert window.judge(0.01, 100)["drifted"]


def test_a_window_forgets_what_is_older_than_its_last_rows(digits, classify):
    images, _ = digits
    outputs = classify(images)
    window = Window(CLASSIFIER, reference(CLASSIFIER, {"image": images[:900]}, {"probability": outputs[:900]}), 300)
    for part in np.array_split(255 - images[:700], 7):
        window.add({"image": part}, {"probability": classify(part)})
    assert window.judge(0.01, 100)["drifted"]
    for start in range(900, 1200, 50):
        rows = slice(start, start + 50)
        window.add({"image": images[rows]}, {"probability": outputs[rows]})
    found = window.judge(0.01, 100)
    assert (found["rows"], found["drifted"], window.total) == (300, [], 1000)


def test_one_batch_larger_than_the_window_leaves_its_last_rows(digits, classify):
    images, _ = digits
    outputs = {"probability": classify(images)}
    window = Window(CLASSIFIER, reference(CLASSIFIER, {"image": images}, outputs), 100)
    window.add({"image": images}, outputs)
    assert window.judge(0.01, 100)["rows"] == 100


def test_rows_that_never_vary_are_noticed_when_they_do():
    """Such as an image without any white pixel, or a latent without spread."""
    signature = Signature((TensorSpec("series", "series", "float32", ("N", 4)),), ())
    still = {"series": np.full((500, 4), 0.1, np.float32)}
    assert judge(signature, (still, {}), ({"series": still["series"][:100]}, {}))["drifted"] == []
    for other in (0.0, 0.2):
        moved = np.concatenate([still["series"][:80], np.full((20, 4), other, np.float32)])
        assert judge(signature, (still, {}), ({"series": moved}, {}))["drifted"] == ["input.series.mean"]


def test_answers_that_are_no_numbers_count_as_drift():
    signature = Signature((TensorSpec("series", "series", "float32", ("N", 4)),), ())
    values = np.random.default_rng(0).standard_normal((600, 4)).astype(np.float32)
    broken = values[500:].copy()
    broken[::4] = np.nan
    assert judge(signature, ({"series": values[:500]}, {}), ({"series": broken}, {}))["drifted"]


def test_each_kind_of_tensor_has_its_features():
    signature = Signature(
        (
            TensorSpec("latent", "latent", "float32", ("N", 8)),
            TensorSpec("label", "label", "int64", ("N",), low=0, high=2, labels=("cat", "dog", "eel")),
        ),
        (
            TensorSpec("image", "image", "float32", ("N", 3, 4, 4), low=-1, high=1),
            TensorSpec("finding", "probabilities", "float32", ("N", 2), low=0, high=1, labels=("scar", "spot")),
            TensorSpec("prototypes", "features", "float32", ("K", 5)),
        ),
    )
    inputs = {"latent": np.zeros((6, 8), np.float32), "label": np.arange(6) % 3}
    outputs = {
        "image": np.full((6, 3, 4, 4), -1, np.float32),
        "finding": np.tile(np.float32([0.25, 0.5]), (6, 1)),
        "prototypes": np.zeros((4, 5), np.float32),
    }
    found = features(signature, inputs, outputs)
    assert list(found) == [
        *("input.latent.mean", "input.latent.sd", "input.label.class"),
        *(f"output.image.{name}" for name in ("brightness", "contrast", "sharpness", "black", "white")),
        *("output.finding.scar", "output.finding.spot"),
    ]
    assert found["output.image.black"][0].tolist() == [1] * 6, "-1 is black where the signature says so"
    assert found["output.finding.scar"][0].tolist() == [0.25] * 6
    assert found["input.label.class"][1] == ("cat", "dog", "eel")


def test_a_row_has_the_same_features_in_every_batch(digits):
    images, _ = digits
    alone = np.stack([features(CLASSIFIER, {"image": images[i : i + 1]}, _none(1))[NAME][0][0] for i in range(50)])
    assert (features(CLASSIFIER, {"image": images[:50]}, _none(50))[NAME][0] == alone).all()


NAME = "input.image.contrast"


def _none(rows: int) -> dict[str, np.ndarray]:
    return {"probability": np.full((rows, 10), 0.1, np.float32)}


def test_a_reference_is_small_and_plain_data(digits, classify):
    images, _ = digits
    text = json.dumps(reference(CLASSIFIER, {"image": images}, {"probability": classify(images)}))
    assert len(text) < 4096
    with pytest.raises(ValueError, match="format 2"):
        Window(CLASSIFIER, {**json.loads(text), "format": 2}, 100)


def test_texts_are_watched_by_their_length_and_what_is_unknown_in_them_and_ids_by_no_mean():
    text = TensorSpec("text", "text", "int64", ("N", "T"))
    tokens = TensorSpec("tokens", "tokens", "int64", ("N", "L"), pad=-1)
    item = TensorSpec("item", "label", "int64", ("N", 2), labels=("hat", "cat", "mat"))
    score = TensorSpec("score", "features", "float32", ("N", 2))
    other = TensorSpec("other", "label", "int64", ("N", 2))
    inputs = {"text": np.array([[5, 1, 1, 0], [4, 0, 0, 0]]), "tokens": np.array([[7, 7, 9], [3, -1, -1]])}
    outputs = {
        "item": np.array([[2, 1], [0, 2]]),
        "score": np.array([[4, 2], [8, 1]], np.float32),
        "other": inputs["text"],
    }
    found = features(Signature((text, tokens), (item, score)), inputs, outputs)
    values = {name: np.round(column[0], 3).tolist() for name, column in found.items()}
    assert values == {
        "input.text.length": [3, 1],
        "input.text.unknown": [pytest.approx(0.667, abs=0.01), 0],
        "input.tokens.length": [3, 1],
        "input.tokens.distinct": [pytest.approx(0.667, abs=0.01), 1],
        "output.item.class": [2, 0],
        "output.item.top": [4, 8],
    }
    assert found["output.item.class"][1] == item.labels
    assert features(Signature((text,), (other,)), inputs, outputs).keys() == {"input.text.length", "input.text.unknown"}
