"""What T5 and the Transformer have in common: the cache, padding, export of what they are served by."""

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from torchworks.seq_models.models.encoder_decoder import EncoderDecoder
from torchworks.seq_models.models.t5 import T5, T5Size
from torchworks.seq_models.models.transformer import Transformer
from torchworks.shared.testing import randomize

VOCABULARY = 37
SIZE = T5Size(embed_dim=16, num_heads=2, head_dim=6, ff_dim=24, buckets=8, max_distance=10)


def t5(**options) -> T5:
    made = randomize(T5(VOCABULARY, SIZE, depth=2, decoder_depth=2, **options)).eval()
    assert isinstance(made, T5)
    return made


def transformer(**options) -> Transformer:
    sizes = {"embed_dim": 16, "num_heads": 2, "ff_dim": 24}
    made = randomize(Transformer(VOCABULARY, VOCABULARY, begin=1, **sizes, **options)).eval()
    assert isinstance(made, Transformer)
    return made


NETS = {
    "T5": t5,
    "T5 1.1": lambda: randomize(T5(VOCABULARY, T5Size(16, 2, 6, 24, gated=True), tied_head=False)).eval(),
    "Transformer": transformer,
    "Transformer, post-norm, learned": lambda: transformer(norm_first=False, positions="learned", longest=64),
}


def tokens(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=NETS)
def net(request: pytest.FixtureRequest) -> EncoderDecoder:
    return NETS[request.param]()


@torch.no_grad()
def test_step_by_step_is_the_plain_forward_in_float32(net: EncoderDecoder):
    source, answer = tokens(3, 7), tokens(3, 40, seed=1)
    real = torch.tensor([[True] * 7, [True] * 3 + [False] * 4, [False] * 2 + [True] * 5])
    shifted = torch.cat([torch.full((3, 1), net.begin), answer[:, :-1]], 1)
    plain = net(source, shifted, real)
    logits, state = net.start(source, real)
    found = [logits]
    for place in range(39):
        logits, state = net.step(answer[:, place], state)
        found.append(logits)
    torch.testing.assert_close(torch.stack(found, 1), plain, atol=1e-5 * float(plain.abs().max()), rtol=0)


@pytest.mark.parametrize("begin", [0, 2, 4])
@torch.no_grad()
def test_padding_of_source_and_answer_changes_no_token_in_float64(net: EncoderDecoder, begin: int):
    net = net.double()
    source, answer = tokens(1, 5), tokens(1, 4, seed=1)
    padded, real = tokens(2, 9, seed=2), torch.zeros(2, 9, dtype=torch.bool)
    padded[0, begin : begin + 5], real[0, begin : begin + 5], real[1] = source, True, True
    target, target_real = tokens(2, 8, seed=3), torch.zeros(2, 8, dtype=torch.bool)
    target[0, begin : begin + 4], target_real[0, begin : begin + 4], target_real[1] = answer, True, True
    found = net(padded, target, real, target_real)
    torch.testing.assert_close(found[0, target_real[0]], net(source, answer)[0], atol=1e-9, rtol=0)
    torch.testing.assert_close(found[1:], net(padded[1:], target[1:]), atol=1e-9, rtol=0)


class Read(nn.Module):
    """`EncoderDecoder.read` as a module, as it is exported."""

    def __init__(self, net: EncoderDecoder):
        super().__init__()
        self.net = net

    def forward(self, source: Tensor, real: Tensor) -> Tensor:
        return self.net.read(source, real)


class Cached(Read):
    """`EncoderDecoder.cached` as a module, as it is exported."""

    def forward(self, new: Tensor, real: Tensor, cache: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:  # ty: ignore
        return self.net.cached(new, real, cache, *others)


def step_inputs(net: EncoderDecoder, rows: int, new: int, used: int, length: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(rows + new + used)
    depth, heads, channels = net.cache_shape
    real, cache_real = torch.ones(rows, new, dtype=torch.bool), torch.ones(rows, used, dtype=torch.bool)
    cache = torch.randn(rows, depth, 2, heads, used, channels, generator=generator)
    source_real = torch.arange(length) < torch.arange(rows)[:, None] + length - rows + 1
    source_real[:, 0] = True
    keys_values = net.read(tokens(rows, length), source_real)
    return tokens(rows, new), real, cache, cache_real, keys_values, source_real


@torch.no_grad()
@pytest.mark.slow
def test_exported_reading_and_stepping_take_any_length_also_the_second_time(net: EncoderDecoder):
    rows, new, used, length = Dim("rows", min=1), Dim("new", min=1), Dim("used", min=0), Dim("length", min=1)
    of_read = ({0: rows, 1: length}, {0: rows, 1: length})
    of_step = (
        {0: rows, 1: new}, {0: rows, 1: new}, {0: rows, 4: used}, {0: rows, 1: used}, {0: rows, 4: length},
        {0: rows, 1: length},
    )  # fmt: skip
    for _ in range(2):
        example = step_inputs(net, 2, 3, 4, 6)
        read = torch.export.export(Read(net), (tokens(2, 6), example[-1]), dynamic_shapes=of_read).module()
        step = torch.export.export(Cached(net), example, dynamic_shapes=(*of_step[:3], of_step[3:])).module()
        for case in [(n, *sizes) for n in (1, 3) for sizes in ((1, 0, 1), (1, 5, 9), (7, 0, 4), (2, 1, 17))]:
            inputs = step_inputs(net, *case)
            source, source_real = tokens(case[0], case[3]), inputs[-1]
            torch.testing.assert_close(read(source, source_real), net.read(source, source_real), atol=1e-5, rtol=1e-5)
            for found, wanted in zip(step(*inputs), net.cached(*inputs), strict=True):
                torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
