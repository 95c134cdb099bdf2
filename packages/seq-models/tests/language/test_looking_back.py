"""The weights with which a GPT begins: it looks at the tokens just before."""

import torch

from torchworks.seq_models.language.looking_back import look_back
from torchworks.seq_models.models.gpt import GPT


def test_each_head_of_the_first_block_looks_at_another_of_the_last_tokens():
    torch.manual_seed(0)
    net = GPT(50, context=64, depth=2, embed_dim=64, num_heads=4).eval()
    look_back(net)
    tokens = torch.randint(50, (3, 64))
    stack = net.transformer
    x = stack.h[0].ln_1(stack.wte(tokens) + stack.wpe.weight)
    q, k, _ = stack.h[0].attn.c_attn(x).unflatten(2, (3, 4, -1)).permute(2, 0, 3, 1, 4)
    scores = q @ k.mT / 16**0.5
    weights = scores.masked_fill(torch.ones(64, 64).triu(1).bool(), -torch.inf).softmax(-1)
    for head in range(4):
        looked_at = weights[:, head].diagonal(-head - 1, 1, 2)  # (3, 63 - head)
        assert looked_at.mean() > 0.6


def test_heads_that_cannot_turn_stay_as_they_are():
    net = GPT(50, context=8, depth=1, embed_dim=6, num_heads=2)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    look_back(net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
