"""Beam search: answers are those of transformers, and those of an exhaustive search where there are few."""

import itertools

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from torchworks.seq_models.generation.beam import beam_search
from torchworks.seq_models.generation.generate import complete
from torchworks.seq_models.models.gpt import GPT, options_of
from torchworks.seq_models.models.transformer import Transformer
from torchworks.shared.config import UserError
from torchworks.shared.testing import randomize
from torchworks.shared.text.allowed import AllowedSequences

VOCABULARY, END = 11, 3
PROMPTS = [[1, 2], [5], [7, 8, 9, 4]]


def pair(seed: int) -> tuple[GPT, GPT2LMHeadModel]:
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=32, n_layer=1, n_embd=16, n_head=2, bos_token_id=0, eos_token_id=END
    )
    theirs = GPT2LMHeadModel(config).eval()
    randomize(theirs, seed)
    theirs.transformer.wte.weight.data *= 0.3  # less sure of itself, so that beams differ
    ours = GPT(**options_of(config.to_dict())).eval()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.0])
def test_answers_and_scores_are_those_of_transformers(seed: int, length_penalty: float):
    ours, theirs = pair(seed)
    found = beam_search(ours, PROMPTS, beams=3, steps=8, end=END, length_penalty=length_penalty)
    for prompt, answers in zip(PROMPTS, found, strict=True):
        ids = torch.tensor([prompt])
        wanted = theirs.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            num_beams=3,
            num_return_sequences=3,
            max_new_tokens=8,
            do_sample=False,
            length_penalty=length_penalty,
            early_stopping=False,
            eos_token_id=END,
            pad_token_id=0,
            return_dict_in_generate=True,
            output_scores=True,
        )
        for answer, row, score in zip(answers, wanted.sequences, wanted.sequences_scores, strict=True):
            assert row[len(prompt) : len(prompt) + len(answer.tokens)].tolist() == list(answer.tokens)
            assert answer.score == pytest.approx(score.item(), abs=1e-5)


def test_with_enough_beams_the_best_answer_is_the_best_of_all():
    net = randomize(Transformer(9, 4, embed_dim=16, num_heads=2, ff_dim=8, begin=1)).double().eval()
    net.target_embedding.tokens.weight.data *= 0.3
    ((best, *_),) = beam_search(net, [[1, 2, 3]], beams=64, steps=3, end=0, length_penalty=0)
    scores = {}
    for answer in itertools.product(range(4), repeat=3):
        whole = answer[: answer.index(0) + 1] if 0 in answer else answer
        logits = net(torch.tensor([[1, 2, 3]]), torch.tensor([[1, *whole[:-1]]]))[0].log_softmax(-1)
        scores[whole] = sum(logits[i, token].item() for i, token in enumerate(whole))
    assert best.tokens == max(scores, key=lambda answer: scores[answer])
    assert best.score == pytest.approx(scores[best.tokens], abs=1e-9)


def test_one_beam_without_an_end_is_greedy():
    ours, _ = pair(0)
    found = beam_search(ours, PROMPTS, beams=1, steps=8)
    assert [list(answers[0].tokens) for answers in found] == complete(ours, PROMPTS, steps=8)


def test_prompts_of_a_batch_are_answered_as_alone():
    ours, _ = pair(1)
    ours = ours.double()
    together = beam_search(ours, PROMPTS, beams=4, steps=8, end=END)
    for prompt, answers in zip(PROMPTS, together, strict=True):
        (alone,) = beam_search(ours, [prompt], beams=4, steps=8, end=END)
        assert [answer.tokens for answer in alone] == [answer.tokens for answer in answers]


def test_of_allowed_answers_all_are_found_best_first():
    ours, _ = pair(2)
    sequences = [(5, 2), (5, 7, 1), (9,)]
    for answers in beam_search(ours, PROMPTS, beams=5, steps=6, allowed=AllowedSequences(sequences)):
        assert {answer.tokens for answer in answers} == set(sequences)
        assert [answer.score for answer in answers] == sorted((answer.score for answer in answers), reverse=True)


def test_an_answer_that_does_not_fit_is_refused():
    ours, _ = pair(0)
    with pytest.raises(UserError, match="may have 32 tokens, but the longest prompt has 4 and 29 more are asked for"):
        beam_search(ours, PROMPTS, beams=2, steps=29)
