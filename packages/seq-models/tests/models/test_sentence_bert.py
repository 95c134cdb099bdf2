"""Sentence-BERT as a classifier."""

import pytest
import torch
import torch.nn.functional as F

from torchworks.seq_models.models.bert import sentence_vectors
from torchworks.seq_models.models.sentence_bert import SentenceBERTClassifier
from torchworks.shared.testing import check_model, randomize

SMALL = {"longest": 16, "depth": 2, "embed_dim": 16, "num_heads": 2, "ff_dim": 24}


def new_net() -> SentenceBERTClassifier:
    net = SentenceBERTClassifier(37, 3, **SMALL)
    randomize(net)
    return net.double().eval()


def test_it_keeps_the_models_contract():
    build = lambda: randomize(SentenceBERTClassifier(37, 3, **SMALL))  # noqa: E731
    check_model(build, torch.randint(1, 37, (4, 9)), shapes=(4, 3), unused=["*token_type*"])


def test_its_vectors_are_sentence_berts_stretched_and_padding_changes_nothing():
    net, tokens = new_net(), torch.randint(1, 37, (2, 7))
    wanted = sentence_vectors(net.bert(tokens), torch.ones(2, 7, dtype=torch.bool)) * 16**0.5
    torch.testing.assert_close(net.vectors(F.pad(tokens, (0, 4))), wanted, rtol=1e-9, atol=1e-9)
    assert net.vectors(tokens).pow(2).mean().item() == pytest.approx(1)
    assert net(torch.zeros(1, 3, dtype=torch.int64)).isfinite().all()


def test_before_the_first_step_every_class_is_equally_probable():
    net = SentenceBERTClassifier(37, 3, **SMALL).eval()
    assert net(torch.randint(1, 37, (2, 5))).abs().max() == 0
