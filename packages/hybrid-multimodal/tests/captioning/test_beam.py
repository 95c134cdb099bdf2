"""Beam search over captions."""

import itertools

import pytest
import torch
from torch import Tensor

from torchworks.hybrid_multimodal.captioning.beam import search
from torchworks.hybrid_multimodal.models.captioner import Captioner, Memory, State

BEGIN, END, LONGEST = 3, 1, 4


class Toy(Captioner):
    """Three words (1 ends a caption, 2 and 3 go on) whose chances follow from the two words before and the image."""

    def __init__(self, seed: int, images: int = 2):
        super().__init__(vocabulary=4, places=2, begin=BEGIN, end=END, hidden_dim=1, embed_dim=1)
        self.table = torch.randn(images, 4, 4, 4, generator=torch.Generator().manual_seed(seed)) * 2

    def look(self, image: Tensor, grey: Tensor | None = None) -> Memory:
        return (torch.arange(len(image)),)

    def start(self, memory: Memory) -> State:
        return (torch.zeros_like(memory[0]),)

    def step(self, memory: Memory, state: State, token: Tensor) -> tuple[Tensor, State, Tensor]:
        logits = self.table[memory[0], state[0], token]
        return logits, (token,), torch.stack([token / 4, 1 - token / 4], 1)


def found(net: Captioner, beams: int, length_penalty: float = 0.0):
    # the memory of `Toy` are numbers of images; a float tensor is what dtypes are taken from
    memory = (torch.arange(2),)
    return search(net, memory, beams=beams, longest=LONGEST, length_penalty=length_penalty)


def log_probability(net: Toy, image: int, ids: tuple[int, ...]) -> float:
    """Of a caption, without chances for padding, which is never written."""
    total, before, token = 0.0, 0, BEGIN
    for each in ids:
        logits = net.table[image, before, token].clone()
        logits[0] = -torch.inf
        total += (net.table[image, before, token].log_softmax(0)[each]).item()
        before, token = token, each
    return total


def every_caption() -> list[tuple[int, ...]]:
    """All that end by the end, or at the length limit."""
    captions = []
    for length in range(1, LONGEST + 1):
        for ids in itertools.product((1, 2, 3), repeat=length):
            if END not in ids[:-1] and (ids[-1] == END or length == LONGEST):
                captions.append(ids)
    return captions


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_as_many_beams_as_there_are_captions_find_the_best_of_all(seed, penalty):
    net = Toy(seed)
    captions = every_caption()
    result = found(net, beams=len(captions), length_penalty=penalty)
    for image in range(2):
        scores = {ids: log_probability(net, image, ids) / len(ids) ** penalty for ids in captions}
        best = max(scores, key=scores.__getitem__)
        assert tuple(each for each in result.tokens[image].tolist() if each) == best
        assert result.log_probability[image].item() == pytest.approx(log_probability(net, image, best), abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_one_beam_is_greedy(seed):
    net = Toy(seed)
    result = found(net, beams=1)
    for image in range(2):
        before, token, ids = 0, BEGIN, []
        while len(ids) < LONGEST and token != END:
            logits = net.table[image, before, token].clone()
            logits[0] = -torch.inf
            before, token = token, int(logits.argmax())
            ids.append(token)
        assert [each for each in result.tokens[image].tolist() if each] == ids


def test_a_caption_that_never_ends_is_an_answer_of_the_longest_length():
    net = Toy(0)
    net.table[..., END] = -50
    result = found(net, beams=3)
    assert (result.tokens > END).all()
    assert torch.isfinite(result.log_probability).all()


def test_behind_the_end_there_is_padding_and_no_map():
    net = Toy(0)
    net.table[..., END] = 50
    result = found(net, beams=3)
    assert result.tokens.tolist() == [[END, 0, 0, 0]] * 2
    assert torch.allclose(result.maps[:, 0].sum(1), torch.ones(2))
    assert not result.maps[:, 1:].any()


def test_more_beams_never_find_a_less_likely_caption_than_all_do():
    for seed in range(10):
        net = Toy(seed)
        best = found(net, beams=len(every_caption())).log_probability
        for beams in (1, 2, 3):
            assert (found(net, beams=beams).log_probability <= best + 1e-5).all()
