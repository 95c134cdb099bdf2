"""Nets for films: the promises of any net, and the tensors of torchvision's (their outputs: test_parity.py)."""

import pytest
import torch
from torch import nn
from torchvision.models import video

from torchworks.hybrid_multimodal.models import mvit, r2plus1d, s3d
from torchworks.hybrid_multimodal.models.cnn_lstm import CNNLSTM
from torchworks.hybrid_multimodal.models.video_transformer import TimeSformer
from torchworks.shared.testing import check_model

SMALL = {
    "r2plus1d": lambda: r2plus1d.SmallR2Plus1D(num_classes=5, in_channels=1, widths=(4, 8)),
    "cnn-lstm": lambda: CNNLSTM(num_classes=5, in_channels=1, widths=(4, 8), width=12),
    "timesformer": lambda: TimeSformer(
        num_classes=5, in_channels=1, frames=4, image_size=16, width=16, depth=1, patch=8, stem=True
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_promise_of_a_net_holds(name):
    # statistics of batches are means over few cells here, which bf16 rounds roughly
    # the exporter warns of torch's own LSTM, whose export is tested with the service's
    check_model(SMALL[name], (torch.randn(3, 1, 4, 16, 16),), shapes=(3, 5), bf16_tol=0.3, export=name != "cnn-lstm")


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "r2plus1d_18", "s3d", "mvit_v1_b", "mvit_v2_s"])
def test_a_published_net_has_the_keys_and_shapes_of_torchvisions(name):
    module = {"s3d": s3d.S3D}.get(name) or getattr(mvit if name.startswith("mvit") else r2plus1d, name)
    with torch.device("meta"):
        ours, reference = module(), getattr(video, name)()
    assert _shapes(ours) == _shapes(reference)


def _shapes(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


@torch.no_grad()
def test_a_recurrent_net_depends_on_the_order_of_frames_and_takes_films_of_any_length():
    torch.manual_seed(0)
    for name in ("cnn-lstm", "r2plus1d"):
        net = SMALL[name]().eval()
        films = torch.randn(2, 1, 6, 16, 16)
        assert not torch.allclose(net(films), net(films.flip(2)), atol=1e-5)
        assert net(films[:, :, :1]).shape == (2, 5)


@torch.no_grad()
def test_attention_sees_the_order_of_frames_by_their_positions_in_time_alone():
    torch.manual_seed(0)
    net = TimeSformer(num_classes=5, in_channels=1, frames=4, image_size=16, width=16, depth=2, patch=8).eval()
    films = torch.randn(1, 1, 4, 16, 16)
    shuffled = films[:, :, [2, 0, 3, 1]]
    assert not torch.allclose(net(films), net(shuffled), atol=1e-4)
    net.time_embed.zero_()
    torch.testing.assert_close(net(films), net(shuffled))


def test_sizes_that_make_no_net_are_refused():
    for wrong in ({"patch": 5}, {"width": 10}, {"patch": 12, "image_size": 24, "stem": True}):
        with pytest.raises(ValueError, match="must"):
            TimeSformer(**({"num_classes": 5, "frames": 4, "image_size": 16, "width": 16} | wrong))
    with pytest.raises(ValueError, match="even number of frames"):
        mvit.mvit_v2_s(frames=5, image_size=224)
    with pytest.raises(ValueError, match="too small"):
        mvit.mvit_v2_s(frames=4, image_size=16)
