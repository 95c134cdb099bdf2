"""BigGAN's nets: what the class and the chunks of the latent vector change, attention, and the orthogonal penalty."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchworks.gans import BigGANDiscriminator, BigGANGenerator
from torchworks.gans.models.biggan import SelfAttention, orthogonal_penalty
from torchworks.gans.models.config import BigGANNet
from torchworks.gans.noise.predictor import build_generator, generator_config
from torchworks.shared.testing import check_model, check_predictor

LABELS = torch.tensor([0, 2, 1, 2])


@pytest.mark.parametrize(
    ("size", "attention"),
    [pytest.param(16, 8, marks=pytest.mark.long), (28, 14), pytest.param(28, 0, marks=pytest.mark.long)],
)
def test_the_nets_keep_the_models_contract(size, attention):
    check_model(
        lambda: BigGANGenerator(3, size, 1, latent_dim=9, embed_dim=5, width=4, attention=attention),
        (torch.randn(4, 9), LABELS), shapes=(4, 1, size, size),
    )  # fmt: skip
    check_model(
        lambda: BigGANDiscriminator(3, size, 1, width=4, attention=attention),
        (torch.randn(4, 1, size, size), LABELS), shapes=(4,),
    )  # fmt: skip


def test_each_chunk_of_the_latent_vector_is_known_to_one_stage_together_with_the_class():
    torch.manual_seed(0)
    net, z = BigGANGenerator(3, 28, 1, latent_dim=10, embed_dim=5, width=4), torch.randn(4, 10)
    assert net.chunks == [4, 2, 2, 2]
    seen = []
    for stage in net.stages:
        stage.register_forward_pre_hook(lambda module, given: seen.append(given[1]))
    net(z, LABELS)
    for stage, known in enumerate(seen):
        torch.testing.assert_close(known, torch.cat([net.embed(LABELS), z[:, 4 + 2 * stage : 6 + 2 * stage]], 1))


def test_the_norm_of_a_stage_is_batch_norm_with_gains_around_one():
    torch.manual_seed(0)
    norm = BigGANGenerator(3, 16, 1, latent_dim=9, embed_dim=5, width=4).stages[0].norms[0].eval()
    x, known = torch.randn(4, norm.norm.num_features, 4, 4), torch.randn(4, 8)
    gain, bias = (F.linear(known, layer.normalized()) for layer in (norm.gain, norm.bias))
    expected = norm.norm(x) * (1 + gain)[..., None, None] + bias[..., None, None]
    torch.testing.assert_close(norm(x, known), expected)


def test_attention_is_softmax_of_queries_and_keys_and_starts_as_nothing():
    torch.manual_seed(0)
    layer, x = SelfAttention(16).eval(), torch.randn(2, 16, 6, 6)
    assert torch.equal(layer(x), x)
    nn.init.constant_(layer.gamma, 0.7)
    for row in range(2):
        query, key, value = (
            F.conv2d(x[row : row + 1], part.normalized()) for part in (layer.query, layer.key, layer.value)
        )
        key, value = F.max_pool2d(key, 2).flatten(2)[0], F.max_pool2d(value, 2).flatten(2)[0]
        weights = torch.softmax(query.flatten(2)[0].T @ key, dim=1)  # (36, 9)
        found = F.conv2d((value @ weights.T).view(1, -1, 6, 6), layer.out.normalized())
        torch.testing.assert_close(layer(x)[row], x[row] + 0.7 * found[0])


def test_the_discriminator_is_the_projection_of_its_features():
    torch.manual_seed(0)
    net, x = BigGANDiscriminator(3, 28, 1, width=4).eval(), torch.randn(4, 1, 28, 28)
    phi = net.stages(x).relu().sum(dim=(2, 3))
    v, e = net.head.normalized()[0], net.embed.normalized()
    for row in range(4):
        expected = v @ phi[row] + net.head.bias[0] + e[LABELS[row]] @ phi[row]
        torch.testing.assert_close(net(x, LABELS)[row], expected)


def test_the_orthogonal_penalty_is_the_squared_products_of_different_rows():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Linear(4, 2), nn.Embedding(3, 4))
    expected = 0.0
    for weight in net[0].weight.flatten(1), net[1].weight:
        for i, a in enumerate(weight):
            expected += sum((a @ b).item() ** 2 for j, b in enumerate(weight) if j != i)
    assert orthogonal_penalty(net).item() == pytest.approx(expected, rel=1e-5)


def test_weights_start_orthogonal_so_that_the_penalty_starts_near_nothing():
    net = BigGANGenerator(3, 16, 1, latent_dim=9, embed_dim=5, width=4)
    weight = net.stages[0].first.weight.flatten(1)
    torch.testing.assert_close(weight @ weight.T, torch.eye(len(weight)), atol=1e-5, rtol=0)


@pytest.mark.long
def test_the_predictor_exports_for_any_number_of_rows():
    net = BigGANNet(latent_dim=9, embed_dim=5, width=4, discriminator_width=4)
    check_predictor(build_generator(generator_config(net, 28, 1, ("a", "b", "c"))))
