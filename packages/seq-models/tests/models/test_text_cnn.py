"""The convolutional net for texts."""

import torch
import torch.nn.functional as F

from torchworks.seq_models import TextCNN
from torchworks.shared.testing import check_model


def new_net() -> TextCNN:
    torch.manual_seed(0)
    return TextCNN(20, 2, embed_dim=6, filters=5).eval()


def test_it_keeps_the_models_contract():
    check_model(lambda: TextCNN(20, 3, embed_dim=6, filters=5), torch.randint(1, 20, (4, 7)), shapes=(4, 3))


def test_a_filter_is_the_papers_formula():
    net, tokens = new_net(), torch.tensor([4, 9, 2, 7])
    x = torch.cat([net.embedding(tokens), torch.zeros(2, 6)])  # beyond the end is 0
    largest = []
    for conv in net.convs:
        w, b, h = conv.weight, conv.bias, conv.kernel_size[0]
        answers = [(w * x[i : i + h].T).sum((1, 2)) + b for i in range(len(tokens))]
        largest.append(F.relu(torch.stack(answers)).amax(0))
    expected = net.classifier(torch.cat(largest))
    torch.testing.assert_close(net(tokens[None])[0], expected)


def test_padding_changes_nothing():
    net, tokens = new_net(), torch.tensor([[4, 9, 2]])
    torch.testing.assert_close(net(F.pad(tokens, (0, 5))), net(tokens))


def test_a_text_may_be_shorter_than_a_filter_is_wide():
    assert new_net()(torch.tensor([[3]])).isfinite().all()


def test_the_order_of_words_matters():
    net = new_net()
    assert not torch.allclose(net(torch.tensor([[4, 9, 2]])), net(torch.tensor([[2, 9, 4]])))
