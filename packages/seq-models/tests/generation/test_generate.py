"""Generation: texts are the same in any batch and with any cache, endings end, mistakes are named."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from torchworks.seq_models.generation.generate import NOTHING, complete, generate
from torchworks.seq_models.generation.protocol import Autoregressive, State
from torchworks.seq_models.models.gpt import GPT, options_of
from torchworks.seq_models.models.t5 import T5, T5Size
from torchworks.seq_models.models.transformer import Transformer
from torchworks.shared.config import UserError
from torchworks.shared.testing import randomize
from torchworks.shared.text.allowed import AllowedSequences
from torchworks.shared.text.sampling import Sampling

VOCABULARY = 41
PROMPTS = [[3, 1, 4, 1, 5], [9], [2, 6, 5, 3, 5, 8, 9, 7, 9, 3], [2, 3]]


def gpt(context: int = 128) -> GPT:
    made = randomize(GPT(VOCABULARY, context=context, depth=2, embed_dim=16, num_heads=2)).double().eval()
    assert isinstance(made, GPT)
    return made


def t5() -> T5:
    made = randomize(T5(VOCABULARY, T5Size(16, 2, 6, 24), depth=2, decoder_depth=2)).double().eval()
    assert isinstance(made, T5)
    return made


def transformer() -> Transformer:
    made = randomize(Transformer(VOCABULARY, VOCABULARY, embed_dim=16, num_heads=2, ff_dim=24, begin=1))
    assert isinstance(made, Transformer)
    return made.double().eval()


class PlainGPT:
    """A GPT without a cache: each step reads the whole text."""

    longest, continues, vocabulary = 128, True, VOCABULARY

    def __init__(self, net: GPT):
        self.net = net

    def start(self, tokens: Tensor, real: Tensor) -> tuple[Tensor, State]:
        last = real.sum(1) - 1
        return self.net(tokens, real)[torch.arange(len(tokens)), last], {"tokens": tokens, "real": real}

    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        tokens = torch.cat([state["tokens"], token[:, None]], 1)
        real = torch.cat([state["real"], torch.ones_like(token, dtype=torch.bool)[:, None]], 1)
        return self.net(tokens, real)[:, -1], {"tokens": tokens, "real": real}


SETTINGS = [Sampling(temperature=0), Sampling(0.9, top_k=20), Sampling(1.1, top_p=0.9, repetition_penalty=1.2)]


@pytest.mark.parametrize("sampling", SETTINGS)
@pytest.mark.parametrize("make", [gpt, t5, transformer])
def test_texts_of_a_batch_are_those_of_single_prompts(make, sampling: Sampling):
    net = make()
    together = complete(net, PROMPTS, steps=24, sampling=sampling, seed=3, end=7)
    for i, prompt in enumerate(PROMPTS):
        assert complete(net, [prompt], steps=24, sampling=sampling, seed=3, end=7, numbers=[i]) == [together[i]]
    if sampling.temperature:  # greedy texts of random weights may come to say the same
        assert len({tuple(text) for text in together}) == len(PROMPTS)


@pytest.mark.parametrize("sampling", SETTINGS)
def test_with_and_without_a_cache_64_tokens_are_equal(sampling: Sampling):
    net = gpt()
    with_cache = complete(net, PROMPTS, steps=64, sampling=sampling)
    assert with_cache == complete(PlainGPT(net), PROMPTS, steps=64, sampling=sampling)
    assert all(len(text) == 64 for text in with_cache)


def test_greedy_texts_in_float32_are_those_of_transformers():
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=128, n_layer=2, n_embd=16, n_head=2, bos_token_id=0, eos_token_id=0
    )
    theirs = GPT2LMHeadModel(config).eval()
    randomize(theirs)
    ours = GPT(**options_of(config.to_dict())).eval()
    ours.load_state_dict(theirs.state_dict())
    for prompt in PROMPTS:
        ids = torch.tensor([prompt])
        wanted = theirs.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=64,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert complete(ours, [prompt], steps=64) == [wanted[0, len(prompt) :].tolist()]


def test_a_text_ends_after_the_end_token_or_a_stop_sequence():
    net, sampling = gpt(), Sampling()
    free = complete(net, PROMPTS, steps=30, sampling=sampling)
    end, stop = free[0][4], free[2][6:8]
    ended = complete(net, PROMPTS, steps=30, sampling=sampling, end=end)
    stopped = complete(net, PROMPTS, steps=30, sampling=sampling, stop=[stop])
    for text, with_end, with_stop in zip(free, ended, stopped, strict=True):
        assert with_end == (text[: text.index(end) + 1] if end in text else text)
        pairs = list(itertools.pairwise(text))
        assert with_stop == (text[: pairs.index(tuple(stop)) + 2] if tuple(stop) in pairs else text)


def test_tokens_come_one_by_one_and_nothing_of_texts_that_have_ended():
    net = gpt()
    free = complete(net, PROMPTS, steps=6, sampling=Sampling())
    columns = list(generate(net, PROMPTS, steps=6, sampling=Sampling(), end=free[1][2]))
    assert columns[0].dtype == np.int64
    assert columns[0].tolist() == [text[0] for text in free]
    assert [column[1] for column in columns[3:]] == [NOTHING] * len(columns[3:])


def test_seeds_change_what_is_drawn_and_texts_are_numbered():
    net = gpt()
    first, again, other = (complete(net, [[1, 2]] * 3, steps=20, sampling=Sampling(), seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert len({tuple(text) for text in first}) == 3  # equal prompts, different numbers
    assert complete(net, [[1, 2]], steps=20, sampling=Sampling(), numbers=[2]) == [first[2]]


@pytest.mark.parametrize("sampling", SETTINGS)
def test_only_allowed_texts_come_out(sampling: Sampling):
    sequences = [[5, 2, 7], [5, 2, 8, 1], [3], [40, 40]]
    for text in complete(gpt(), PROMPTS, steps=10, sampling=sampling, allowed=AllowedSequences(sequences)):
        assert text in sequences
    with_end = [[*sequence, 0] for sequence in [*sequences, [5, 2]]]
    allowed = AllowedSequences([*sequences, [5, 2]], end=0)
    for text in complete(t5(), PROMPTS, steps=10, sampling=sampling, allowed=allowed, end=0):
        assert text in with_end


def test_a_text_that_outgrows_the_net_goes_on_from_its_last_half():
    short = gpt(context=16)
    prompts = [PROMPTS[0], PROMPTS[1]]
    texts = complete(short, prompts, steps=40, sampling=Sampling(), seed=1)
    for i, prompt in enumerate(prompts):
        assert complete(short, [prompt], steps=40, sampling=Sampling(), seed=1, numbers=[i]) == [texts[i]]
    whole = PROMPTS[0] + texts[0]
    # token 17 of the text is drawn from what the net makes of tokens 9 to 16 (16 are read, 8 are kept)
    kept = torch.tensor([whole[9:17]])
    logits, _ = short.start(kept, torch.ones_like(kept, dtype=torch.bool))
    chosen = Sampling().choose(logits.numpy(), seen=[[]], seed=1, rows=[0], places=[17 - len(PROMPTS[0])])
    assert chosen[0] == whole[17]


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([[1], []], "Prompt 1 is empty"),
        ([[1] * 129], "Prompt 0 has 129 tokens, but the model reads 128 at most"),
        ([[1, 41]], "Prompt 0 has the token 41, but the model knows those from 0 to 40 only"),
        ([[-1]], "Prompt 0 has the token -1"),
    ],
)
def test_prompts_that_cannot_be_read_are_named(prompts: list[list[int]], message: str):
    with pytest.raises(UserError, match=message):
        complete(gpt(), prompts, steps=1)


def test_an_answer_longer_than_the_positions_is_refused():
    net = Transformer(9, 9, embed_dim=16, num_heads=2, ff_dim=8, positions="learned", longest=5).eval()
    assert len(complete(net, [[1, 2]], steps=5)[0]) == 5
    with pytest.raises(UserError, match="answers in 5 tokens at most, but 6 are asked for"):
        complete(net, [[1, 2]], steps=6)


def test_a_net_that_reads_another_vocabulary_than_it_writes_takes_all_of_it():
    net = Transformer(50, 9, embed_dim=16, num_heads=2, ff_dim=8).eval()
    assert len(complete(net, [[49]], steps=3)[0]) == 3
    with pytest.raises(UserError, match="the token 50, but the model knows those from 0 to 49 only"):
        complete(net, [[50]], steps=3)


def test_no_prompts_give_no_texts():
    assert complete(gpt(), [], steps=3) == []


def test_weights_that_are_no_numbers_are_named():
    net = gpt()
    with torch.no_grad():
        net.transformer.ln_f.bias[0] = torch.nan
    with pytest.raises(UserError, match="logits of text 0 are not numbers"):
        complete(net, [[1]], steps=1)


@pytest.mark.parametrize("make", [gpt, t5, transformer])
def test_under_bf16_autocast_texts_are_generated_too(make):
    with torch.autocast("cpu", torch.bfloat16):
        texts = complete(make().float(), PROMPTS, steps=5)
    assert [len(text) for text in texts] == [5] * len(PROMPTS)


def test_a_net_trains_on_after_it_has_generated_also_within_one_autocast():
    net = gpt().float()
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            complete(net, PROMPTS, steps=2)
            net(torch.tensor(PROMPTS[:1])).float().sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_nets_keep_the_protocol():
    nets: list[Autoregressive] = [gpt(), t5(), transformer()]  # checked by the type checker, too
    for net in nets:
        _, state = net.start(torch.tensor([[1, 2], [3, 0]]), torch.tensor([[True, True], [True, False]]))
        logits, state = net.step(torch.tensor([4, 5]), state)
        assert logits.shape == (2, VOCABULARY)
        assert all(len(value) == 2 for value in state.values())
