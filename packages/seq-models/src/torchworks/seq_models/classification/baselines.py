"""Baselines of a classifier: logistic regression on how often each token occurs, and always the majority class.

Shape letters: N texts, V tokens of the vocabulary.
"""

import torch
from torch import Tensor

from torchworks.shared.data import TensorDataset


def baselines(train: TensorDataset, test: TensorDataset, vocabulary: int) -> dict[str, float]:
    """Accuracy on `test` of scikit-learn's `LogisticRegression` with its defaults on bags of tokens, and of the
    majority class of `train`."""
    from sklearn.linear_model import LogisticRegression

    labels, labels_test = train.tensors["label"], test.tensors["label"]
    bags, bags_test = (bags_of(part.tensors["tokens"], vocabulary) for part in (train, test))
    fitted = LogisticRegression(max_iter=1000).fit(bags.numpy(), labels.numpy())
    return {
        "accuracy_bag_of_words": float(fitted.score(bags_test.numpy(), labels_test.numpy())),
        "accuracy_majority_class": (labels_test == labels.mode().values).float().mean().item(),
    }


def bags_of(tokens: Tensor, vocabulary: int) -> Tensor:
    """How often each token but padding, 0, occurs: (N, V)."""
    counts = torch.zeros(len(tokens), vocabulary)
    counts.scatter_add_(1, tokens, torch.ones_like(tokens, dtype=torch.float32))
    counts[:, 0] = 0
    return counts
