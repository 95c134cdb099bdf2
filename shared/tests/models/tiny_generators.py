"""Two small nets that generate text: one with keys and values, one with a recurrent state."""

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from torchworks.shared.models.generation import GenerationSpec, StateSpec
from torchworks.shared.models.generator import Generator, first

V, D, BLOCK = 11, 8, 40


class TinyGPT(nn.Module):
    """One head of causal attention over embeddings of tokens and learned positions."""

    def __init__(self, vocabulary: int = V, block: int = BLOCK):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, D), nn.Embedding(block, D)
        self.qkv, self.out = nn.Linear(D, 3 * D), nn.Linear(D, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) → (N, T, V)."""
        size = tokens.shape[1]
        x = self.tokens(tokens) + self.positions(torch.arange(size))
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = (q @ k.transpose(1, 2) * D**-0.5).masked_fill(torch.ones(size, size).tril() == 0, -torch.inf)
        return self.out(x + scores.softmax(-1) @ v)


class TinyGPTGenerator(Generator):
    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        tokens, length, past_length, past = inputs  # past (N, 2, P, D)
        places = past_length[:, None] + torch.arange(tokens.shape[1])  # (N, T)
        x = self.net.tokens(tokens) + self.net.positions(places.clamp(max=self.net.positions.num_embeddings - 1))
        q, k, v = self.net.qkv(x).chunk(3, -1)
        new = torch.stack([k, v], 1)  # (N, 2, T, D)
        keys, values = torch.cat([past, new], 2).unbind(1)
        earlier = first(past_length, past.shape[2])[:, None].expand(-1, tokens.shape[1], -1)
        among = torch.arange(tokens.shape[1])
        seen = torch.cat([earlier, (among[:, None] >= among)[None].expand(tokens.shape[0], -1, -1)], 2)
        scores = (q @ keys.transpose(1, 2) * D**-0.5).masked_fill(~seen, -torch.inf)
        hidden = x + scores.softmax(-1) @ values
        last = hidden.gather(1, (length - 1)[:, None, None].expand(-1, 1, D))[:, 0]
        return self.net.out(last), new


class TinyGRU(nn.Module):
    """Embeddings, a GRU cell, logits."""

    def __init__(self, vocabulary: int = V):
        super().__init__()
        self.tokens, self.cell, self.out = nn.Embedding(vocabulary, D), nn.GRUCell(D, D), nn.Linear(D, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, T) → (N, T, V)."""
        h, outputs = torch.zeros(len(tokens), D), []
        for x in self.tokens(tokens).unbind(1):
            h = self.cell(x, h)
            outputs.append(h)
        return self.out(torch.stack(outputs, 1))


class TinyGRUGenerator(Generator):
    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        tokens, length, h = inputs  # h (N, D)
        cell = self.net.cell
        gates = (self.net.tokens(tokens) @ cell.weight_ih.T + cell.bias_ih).transpose(0, 1)  # (T, N, 3 D)
        real = first(length, tokens.shape[1]).transpose(0, 1)[:, :, None]  # (T, N, 1)

        def step(h: Tensor, now: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            x, is_real = now
            r, z, n = x.chunk(3, -1)
            hr, hz, hn = (h @ cell.weight_hh.T + cell.bias_hh).chunk(3, -1)
            update = torch.sigmoid(z + hz)
            new = torch.tanh(n + torch.sigmoid(r + hr) * hn)
            h = torch.where(is_real, (1 - update) * new + update * h, h)
            return h, h.clone()

        if torch.compiler.is_exporting():  # a loop would be unrolled, for the example's length
            last, _ = scan(step, h, (gates, real))
        else:
            last = h
            for now in zip(gates, real, strict=True):
                last, _ = step(last, now)
        return self.net.out(last), last


GPT_SPEC = GenerationSpec((StateSpec("past", ("N", 2, "P", D)),), block=BLOCK)
GRU_SPEC = GenerationSpec((StateSpec("h", ("N", D)),))


def tiny_gpt(seed: int = 0, spec: GenerationSpec = GPT_SPEC, vocabulary: int = V) -> TinyGPTGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TinyGPTGenerator(TinyGPT(vocabulary, spec.block or BLOCK), spec, vocabulary=vocabulary)


def tiny_gru(seed: int = 0, spec: GenerationSpec = GRU_SPEC, vocabulary: int = V) -> TinyGRUGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TinyGRUGenerator(TinyGRU(vocabulary), spec, vocabulary=vocabulary)
