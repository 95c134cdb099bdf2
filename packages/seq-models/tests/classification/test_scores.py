"""Scores, calibration and baselines on numbers that can be worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from torchworks.seq_models.classification.baselines import LogCountRatio, baselines, pipelines
from torchworks.seq_models.classification.calibration import fitted_temperature
from torchworks.seq_models.classification.metrics import by_class, scores
from torchworks.seq_models.classification.telling import most_telling
from torchworks.shared.classification.metrics import confusion
from torchworks.shared.data.texts import text_source

PROBABILITY = torch.tensor([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0]])
LABEL = torch.tensor([0, 1, 1, 0])


def test_scores_of_four_texts():
    found = scores(PROBABILITY, LABEL)
    assert found["accuracy"] == 0.5
    assert found["f1"] == 0.5
    assert found["nll"] == pytest.approx(-(math.log(0.9) + math.log(0.4) + math.log(0.8) + math.log(0.3)) / 4)
    assert confusion(PROBABILITY, LABEL).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    rows = by_class(PROBABILITY, LABEL, ("a", "b", "c"))
    assert [row["texts"] for row in rows] == [2, 2, 0]
    assert rows[0]["recall"] == rows[0]["precision"] == 0.5
    assert math.isnan(rows[2]["f1"])


def test_the_temperature_undoes_an_overconfident_net():
    torch.manual_seed(0)
    logits = torch.randn(4000, 3)
    label = torch.distributions.Categorical(logits=logits).sample()

    class Shouting(nn.Module):
        def __init__(self):
            super().__init__()
            self.loud = nn.Parameter(torch.tensor(3.0))

        def forward(self, tokens):
            return self.loud * logits[tokens[:, 0]]

    tokens = torch.arange(4000)[:, None]
    batches = [{"tokens": tokens[i : i + 1000], "label": label[i : i + 1000]} for i in range(0, 4000, 1000)]
    net = Shouting()
    assert fitted_temperature(net, batches) == pytest.approx(3, rel=0.15)
    assert net.training


def test_log_count_ratios_are_the_paper_s_formula():
    features = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]])
    from scipy.sparse import csr_matrix

    found = LogCountRatio().fit(csr_matrix(features), np.array([1, 1, 0]))
    p, q = np.array([3, 2, 1]) / 6, np.array([1, 2, 2]) / 5
    np.testing.assert_allclose(found.ratio_, np.log(p / q))
    np.testing.assert_allclose(found.transform(csr_matrix(features)).toarray(), features * np.log(p / q))


@pytest.mark.parametrize("name", ["tfidf", "tfidf_characters", "nb_lr"])
def test_baselines_learn_three_classes(name):
    texts = [f"{word} {filler}" for word in ("good", "bad", "fair") for filler in ("day", "book", "film", "soup")] * 3
    labels = [label for label in (0, 1, 2) for _ in range(4)] * 3
    assert pipelines()[name].fit(texts, labels).score(["good tea", "bad tea", "fair tea"], [0, 1, 2]) == 1


def test_baselines_have_an_accuracy_and_a_calibration_error_each():
    train = [(f"{word} {filler}", word) for word in ("good", "bad") for filler in ("day", "book", "film", "soup")] * 3
    source = text_source("own", "none", train, [("good tea", "good"), ("bad tea", "bad"), ("bad tea", "good")])
    found = baselines(source.train, source.test)
    for name in ("tfidf", "tfidf_characters", "nb_lr"):
        assert found[f"accuracy_{name}"] == pytest.approx(2 / 3)
        assert 0 < found[f"calibration_error_{name}"] < 1
    assert found["accuracy_majority_class"] in (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_the_words_that_tell_most_are_means_over_texts_of_a_class():
    told = [(0, [("Good", 2.0), ("a", 0.1)]), (0, [("good", 4.0), ("rare", 9.0)]), (1, [("good", -1.0), ("bad", 3.0)])]
    assert most_telling(told, ("yes", "no"), least=2) == {"yes": [("good", 3.0, 2)], "no": []}
