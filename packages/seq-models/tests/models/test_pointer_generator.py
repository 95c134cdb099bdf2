"""The pointer-generator: its equations, its steps, padding, and that it copies."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.seq_models.generation.generate import complete
from torchworks.seq_models.generation.generators import pointer_generator
from torchworks.seq_models.models.pointer_generator import LEAST, PointerGenerator
from torchworks.shared.testing import check_model, randomize
from torchworks.shared.testing_generation import check_generator

VOCABULARY, BEGIN, SEPARATOR = 23, 2, 3
SIZES = {"depth": 1, "embed_dim": 16, "num_heads": 2, "ff_dim": 24, "drop_rate": 0.0}


def new(**options) -> PointerGenerator:
    return PointerGenerator(VOCABULARY, begin=BEGIN, separator=SEPARATOR, **{**SIZES, **options})


def random_net(**options) -> PointerGenerator:
    made = randomize(new(**options)).eval()
    assert isinstance(made, PointerGenerator)
    return made


def tokens(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


def test_it_keeps_the_contract_of_models():
    """Its export is checked below, as it is served."""
    check_model(new, (tokens(4, 9), tokens(4, 5, seed=1)), shapes=(4, 5, VOCABULARY), export=False)


def by_loops(net: PointerGenerator, s: Tensor, x: Tensor, h: Tensor, source: list[int]) -> Tensor:
    """Equations 3, 4, 8 and 9 of one row, one token of the answer and one place of the source after the other: s and x
    (T, E), h (R, E) → log P (T, V)."""
    rows = []
    for s_t, x_t in zip(s, x, strict=True):
        scores = [(net.pointer.weight @ s_t).dot(h_i) / math.sqrt(len(s_t)) for h_i in h]
        total = sum(score.exp() for score in scores)
        a = [score.exp() / total for score in scores]
        context = sum(a_i * h_i for a_i, h_i in zip(a, h, strict=True))
        inner = F.gelu(net.hidden.weight @ torch.cat([s_t, context]) + net.hidden.bias)
        p_vocab = (net.output.weight @ inner + net.output.bias).softmax(0)
        w_h, w_s, w_x = net.gate.weight[0].chunk(3)
        p_gen = 1 / (1 + (-(w_h.dot(context) + w_s.dot(s_t) + w_x.dot(x_t) + net.gate.bias[0])).exp())
        p = [p_gen * p_vocab[w] + (1 - p_gen) * LEAST for w in range(VOCABULARY)]
        for a_i, w_i in zip(a, source, strict=True):
            p[w_i] = p[w_i] + (1 - p_gen) * a_i
        rows.append(torch.stack(p).log())
    return torch.stack(rows)


def test_probabilities_are_the_papers_and_so_are_gradients_in_float64():
    net = random_net().double()
    source, answer = tokens(2, 9), tokens(2, 5, seed=1)
    source[0, 4] = source[0, 1]  # a token that two places give to
    h = net.encode(source)
    s, x = net.decode(answer, net.decoder.read(h), None, None)
    found = net(source, answer)
    wanted = torch.stack([by_loops(net, s[i], x[i], h[i], source[i].tolist()) for i in range(2)])
    torch.testing.assert_close(found, wanted, atol=1e-9, rtol=0)
    weight = torch.randn(found.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours, loops = (torch.autograd.grad((each * weight).sum(), [*net.parameters()]) for each in (found, wanted))
    for mine, theirs in zip(ours, loops, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.exp().sum(2), torch.ones(2, 5, dtype=torch.float64), atol=1e-6, rtol=0)


@torch.no_grad()
def test_step_by_step_is_the_plain_forward_in_float32():
    net = random_net(decoder_depth=2)
    source, answer = tokens(3, 7), tokens(3, 40, seed=1)
    real = torch.tensor([[True] * 7, [True] * 3 + [False] * 4, [False] * 2 + [True] * 5])
    plain = net(source, F.pad(answer[:, :-1], (1, 0), value=BEGIN), real)
    logits, state = net.start(source, real)
    found = [logits]
    for place in range(39):
        logits, state = net.step(answer[:, place], state)
        found.append(logits)
    torch.testing.assert_close(torch.stack(found, 1), plain, atol=1e-4, rtol=0)


@pytest.mark.parametrize("begin", [0, 2, 4])
@torch.no_grad()
def test_padding_of_the_source_changes_no_token_in_float64(begin: int):
    net = random_net().double()
    source, answer = tokens(1, 5), tokens(2, 4, seed=1)
    source[0, 2] = SEPARATOR
    padded, real = torch.full((2, 9), SEPARATOR), torch.zeros(2, 9, dtype=torch.bool)
    padded[0, begin : begin + 5], real[0, begin : begin + 5], real[1] = source, True, True
    found = net(padded, answer, real)
    torch.testing.assert_close(found[0], net(source, answer[:1])[0], atol=1e-9, rtol=0)
    torch.testing.assert_close(found[1:], net(padded[1:], answer[1:]), atol=1e-9, rtol=0)


def test_parts_are_counted_from_the_end_and_tokens_of_the_question_are_known():
    source = torch.tensor([[7, 8, 3, 9, 8, 3, 8, 6, 3, 5, 4], [0, 0, 0, 0, 7, 5, 3, 7, 3, 5, 4]])
    found = new().segments(source)
    assert found.tolist() == [[2, 3, 2, 2, 3, 2, 1, 1, 1, 0, 0], [2, 2, 2, 2, 3, 2, 2, 1, 1, 0, 0]]
    assert new(matching=False).segments(source).unique().tolist() == [0, 1]
    assert new().segments(torch.tensor([[5]])).tolist() == [[0]]


def test_what_it_has_never_seen_in_training_it_copies():
    """Sources of six tokens; the answer is the one behind the token 4. Training has tokens below 30 only."""
    torch.manual_seed(0)
    net = PointerGenerator(60, begin=BEGIN, separator=SEPARATOR, **{**SIZES, "embed_dim": 32})
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)

    def batch(low: int, high: int) -> tuple[Tensor, Tensor]:
        source, place = torch.randint(low, high, (32, 6)), torch.randint(5, (32, 1))
        return source.scatter(1, place, 4), source.gather(1, place + 1)

    for _ in range(120):
        source, answer = batch(10, 30)
        loss = -net(source, torch.full_like(answer, BEGIN)).gather(2, answer[:, :, None]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source, answer = map(torch.cat, zip(*[batch(30, 60) for _ in range(8)], strict=True))
    found = complete(net.eval(), source.tolist(), steps=1)
    assert (torch.tensor(found) == answer).float().mean() > 0.75  # one in five by chance


def plain_and_generator():
    torch.manual_seed(0)
    net = new(decoder_depth=2).eval()

    def plain(source: Tensor, answer: Tensor) -> Tensor:
        return net(source, torch.cat([torch.full((1, 1), BEGIN), answer], 1))[:, -1]

    return pointer_generator(net, end=BEGIN, block=32), plain


def test_sources_and_steps_of_one_graph_are_the_plain_forward_in_float32():
    check_generator(*plain_and_generator(), export=False)


@pytest.mark.slow
def test_the_graph_is_exported_for_all_sizes_twice_in_a_process():
    check_generator(*plain_and_generator())
