"""BERT: padding changes nothing, heads, and real weights give the reference's sentence vectors."""

import pytest
import torch
from torch import Tensor

from torchworks.seq_models.models.bert import (
    BERT,
    BERTForClassification,
    BERTForMaskedLM,
    BERTForQuestionAnswering,
    options_of,
    sentence_vectors,
)
from torchworks.seq_models.models.minilm import load_minilm, minilm_folder
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_model, check_outputs, randomize

SMALL = {"longest": 16, "depth": 2, "embed_dim": 16, "num_heads": 2, "ff_dim": 24}


def tokens(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 37, (rows, length), generator=torch.Generator().manual_seed(seed))


def test_its_kinds_keep_the_contract_of_models():
    text = tokens(4, 9)
    check_model(lambda: BERT(37, pooler=False, **SMALL), text, shapes=(4, 9, 16), unused=["*token_type*"])
    check_model(lambda: BERTForMaskedLM(37, **SMALL), text, shapes=(4, 9, 37), unused=["*token_type*"])
    check_model(lambda: BERTForClassification(37, 3, **SMALL), text, shapes=(4, 3), unused=["*token_type*"])
    check_outputs(BERTForQuestionAnswering(37, **SMALL), (text,), shapes=(4, 9, 2))


@pytest.mark.parametrize("begin", [0, 2, 4])
def test_padding_on_either_side_changes_no_token_in_float64(begin: int):
    net = randomize(BERT(37, **SMALL)).double().eval()
    text, padded, real = tokens(1, 5), tokens(2, 9, seed=1), torch.zeros(2, 9, dtype=torch.bool)
    padded[0, begin : begin + 5], real[0, begin : begin + 5], real[1] = text, True, True
    found = net(padded, real)
    torch.testing.assert_close(found[0, real[0]], net(text)[0], atol=1e-9, rtol=0)
    torch.testing.assert_close(found[1:], net(padded[1:]), atol=1e-9, rtol=0)


def test_a_row_of_padding_only_harms_no_other_row():
    net = randomize(BERT(37, **SMALL)).eval()
    real = torch.tensor([[True] * 5, [False] * 5])
    assert net(tokens(2, 5), real).isfinite().all()
    vectors = sentence_vectors(net(tokens(2, 5), real), real)
    assert vectors[1].abs().max() == 0
    assert vectors[0].norm().item() == pytest.approx(1)


def test_a_configuration_it_cannot_follow_is_refused():
    config = {"hidden_act": "relu"}
    with pytest.raises(ValueError, match="has hidden_act = gelu only, but the configuration says relu"):
        options_of(config)


# ------------------------------------------------------------------------------------------------ real weights

TEXTS = [
    "A net of six layers read a billion pairs of sentences.",
    "Six layers, one billion pairs.",
    "The weather in November is grey, wet and far too long for those who like the sun; so people read.",
    "?",
]


def test_missing_weights_are_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torchworks.seq_models.models.minilm.PACKAGE", "no-such-package-of-weights")
    with pytest.raises(UserError, match="Install the extra 'minilm'"):
        minilm_folder()


def test_sentence_vectors_of_real_weights_are_the_references():
    import transformers
    from tokenizers import Tokenizer

    try:
        ours, folder = load_minilm()
    except UserError as error:
        pytest.skip(str(error))
    theirs = transformers.BertModel.from_pretrained(folder).eval()

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(TEXTS)
    ids = torch.tensor([each.ids for each in encoded])
    real = torch.tensor([each.attention_mask for each in encoded], dtype=torch.bool)
    with torch.no_grad():
        vectors = sentence_vectors(ours(ids, real), real)
        hidden = theirs(input_ids=ids, attention_mask=real.long()).last_hidden_state
    weights = real[:, :, None].float()
    wanted = torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=1)
    torch.testing.assert_close(vectors, wanted, atol=1e-5, rtol=0)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2  # what the vectors are for
