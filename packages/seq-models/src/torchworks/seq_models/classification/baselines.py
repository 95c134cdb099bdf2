"""Baselines of a classifier of texts, as pipelines of scikit-learn: what the net has to beat.

- the majority class of the training part;
- TF-IDF of words, and of 1 to 4 characters within words, each with logistic regression;
- NB-LR: Wang and Manning 2012, "Baselines and bigrams: simple, good sentiment and topic classification", which is hard
  to beat on short texts: words and pairs of words that are there (not how often), each weighted by its log-count ratio
  r = log((p / |p|) / (q / |q|)), where p and q count the texts of a class and of the others with it, plus 1. The
  paper's classifier on top is a linear SVM or logistic regression; here it is the latter.

Shape letters: N texts, V features, K classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from torchworks.shared.classification.ranking import calibration_error
from torchworks.shared.data import Dataset, labels_of
from torchworks.shared.data.texts import texts_in

WORD = r"\w+|[^\w\s]"
"""Words and punctuation marks, as the nets' tokenizer has them."""


class LogCountRatio(TransformerMixin, BaseEstimator):
    """Weights features (N, V), 0 or 1, by the log-count ratio between texts of the class 1 and of the class 0."""

    def fit(self, features: Any, labels: np.ndarray) -> "LogCountRatio":
        labels = np.asarray(labels).astype(bool)
        p, q = (1.0 + np.asarray(features[rows].sum(0)).ravel() for rows in (labels, ~labels))
        self.ratio_ = np.log((p / p.sum()) / (q / q.sum()))
        return self

    def transform(self, features: Any) -> Any:
        return features.multiply(self.ratio_).tocsr()


def pipelines() -> dict[str, Pipeline]:
    """The classifiers by name, not fitted yet."""
    regression = LogisticRegression(max_iter=1000)
    return {
        "tfidf": make_pipeline(TfidfVectorizer(token_pattern=WORD), regression),
        "tfidf_characters": make_pipeline(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2, max_features=100_000), regression
        ),
        "nb_lr": make_pipeline(
            CountVectorizer(binary=True, ngram_range=(1, 2), token_pattern=WORD),
            OneVsRestClassifier(make_pipeline(LogCountRatio(), regression)),
        ),
    }


def baselines(train: Dataset, test: Dataset) -> dict[str, float]:
    """The accuracy and the calibration error on `test` of each baseline fitted to `train`: `accuracy_majority_class`,
    `accuracy_tfidf`, `calibration_error_tfidf`, …; what finds no feature in the texts has none."""
    (texts, labels), (test_texts, test_labels) = (
        (list(texts_in(part)), labels_of(part).numpy()) for part in (train, test)
    )
    found = {"accuracy_majority_class": float((test_labels == np.bincount(labels).argmax()).mean())}
    for name, pipeline in pipelines().items():
        if not _fitted(pipeline, texts, labels):
            continue
        right = pipeline.predict(test_texts) == test_labels
        confidence = torch.from_numpy(pipeline.predict_proba(test_texts)).amax(1)
        found[f"accuracy_{name}"] = float(right.mean())
        found[f"calibration_error_{name}"] = calibration_error(confidence, torch.from_numpy(right))
    return found


def _fitted(pipeline: Pipeline, texts: Sequence[str], labels: np.ndarray) -> bool:
    """Whether the texts have features."""
    try:
        pipeline.fit(texts, labels)
    except ValueError as error:
        if "vocabulary" in str(error) or "no terms" in str(error).lower():  # texts without a word
            return False
        raise
    return True
