"""An encoder with rotary positions: distances count, places and padding do not."""

import torch

from torchworks.seq_models.models.rotary_encoder import RotaryEncoder
from torchworks.shared.testing import check_model, randomize

SMALL = {"depth": 2, "embed_dim": 16, "num_heads": 2, "ff_dim": 24, "drop_rate": 0.0}


def test_it_keeps_the_contract_of_models():
    text = torch.randint(0, 37, (4, 9), generator=torch.Generator().manual_seed(0))
    check_model(lambda: RotaryEncoder(37, **SMALL), text, shapes=(4, 9, 16), unused=["segments*"])


def test_it_knows_the_order_of_tokens_but_not_where_the_text_stands_in_float64():
    net = randomize(RotaryEncoder(37, **SMALL)).double().eval()
    text = torch.randint(1, 37, (1, 6), generator=torch.Generator().manual_seed(1))
    padded, real = torch.zeros(1, 11, dtype=torch.int64), torch.zeros(1, 11, dtype=torch.bool)
    padded[:, 3:9], real[:, 3:9] = text, True
    torch.testing.assert_close(net(padded, real)[:, 3:9], net(text), atol=1e-9, rtol=0)
    torch.testing.assert_close(net(text, segments=torch.zeros_like(text)), net(text), atol=0, rtol=0)
    turned = net(text.flip(1)).flip(1)
    assert (turned - net(text)).abs().max() > 1e-3
