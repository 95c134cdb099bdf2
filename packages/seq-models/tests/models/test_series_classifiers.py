"""The nets that tell the class of a series."""

import pytest
import torch
from torch import nn

from torchworks.seq_models.models.fcn_series import FCN
from torchworks.seq_models.models.inception_time import InceptionTime
from torchworks.seq_models.models.recurrent_series import RecurrentSeriesClassifier
from torchworks.seq_models.models.series_classifier import MaskedBatchNorm, SeriesClassifier
from torchworks.seq_models.models.transformer_series import TransformerSeriesClassifier
from torchworks.shared.testing import check_model

NETS = {
    "fcn": lambda: FCN(2, 3, widths=(4, 6, 4), kernels=(8, 5, 3)),
    "inception": lambda: InceptionTime(2, 3, filters=2, kernels=(6, 3), depth=3, bottleneck=3),
    "gru": lambda: RecurrentSeriesClassifier(2, 3, hidden_dim=4),
    "transformer": lambda: TransformerSeriesClassifier(2, 3, embed_dim=8, depth=1, num_heads=2, ff_dim=8),
}
each_net = pytest.mark.parametrize("name", NETS)


def new_net(name: str) -> SeriesClassifier:
    """In evaluation mode, with statistics of batch normalization that are not those it begins with."""
    torch.manual_seed(0)
    net = NETS[name]()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean, -1, 1)  # ty: ignore[invalid-argument-type]
    return net.eval()


@each_net
def test_it_keeps_the_models_contract(name: str):
    torch.manual_seed(0)
    inputs = (torch.randn(4, 9, 2), torch.tensor([9, 4, 1, 7]))
    check_model(NETS[name], inputs, shapes=(4, 3), batch_independent=False)


@each_net
def test_what_stands_behind_a_series_changes_nothing(name: str):
    net, series = new_net(name), torch.randn(2, 9, 2)
    lengths = torch.tensor([6, 9])
    longer = torch.cat([series, torch.full((2, 4, 2), 1e3)], 1)
    longer[0, 6:] = -50.0
    torch.testing.assert_close(net(longer, lengths), net(series, lengths))
    torch.testing.assert_close(net(series[:1, :6], lengths[:1]), net(series, lengths)[:1])


@each_net
def test_the_mean_of_the_activation_maps_and_the_bias_are_the_logits(name: str):
    net, series, lengths = new_net(name), torch.randn(2, 9, 2), torch.tensor([9, 5])
    maps = net.activations(series, lengths)
    assert not maps[1, 5:].any()
    torch.testing.assert_close(maps.sum(1) / lengths[:, None] + net.classifier.bias, net(series, lengths))


def test_batch_normalization_learns_of_real_steps_alone():
    torch.manual_seed(0)
    ours, reference = MaskedBatchNorm(3), nn.BatchNorm1d(3)
    x, real = torch.randn(2, 3, 5), torch.tensor([[True] * 5, [True, True, False, False, False]])
    rows = reference(x.transpose(1, 2)[real])
    found = ours(x.masked_fill(~real[:, None], 99.0), real)
    torch.testing.assert_close(found.transpose(1, 2)[real], rows)
    torch.testing.assert_close(ours.running_var, reference.running_var)
    assert not found.transpose(1, 2)[~real].any()
