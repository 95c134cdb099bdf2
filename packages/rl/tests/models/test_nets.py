"""Nets of agents: shapes, starts, and what the papers say of their parts."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from torchworks.rl.models.actor_critic import ActorCritic
from torchworks.rl.models.grid_body import GridBody
from torchworks.rl.models.nature_cnn import NatureCNN
from torchworks.rl.models.q_net import QNet, values_of
from torchworks.shared.testing import check_model


@pytest.mark.parametrize("continuous", [False, True])
def test_actor_and_critic_keep_the_models_contract(continuous):
    unused = ["log_std"] if continuous else []
    check_model(
        lambda: ActorCritic(4, 3, continuous=continuous, width=8), torch.randn(5, 4), shapes=((5, 3), (5,)),
        unused=unused,
    )  # fmt: skip


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize(("atoms", "shape"), [(1, (5, 3)), (7, (5, 3, 7))])
def test_nets_of_values_keep_the_models_contract(dueling, atoms, shape):
    check_model(lambda: QNet(4, 3, width=8, dueling=dueling, atoms=atoms), torch.randn(5, 4), shapes=shape)


@pytest.mark.parametrize(("stride", "middle"), [(1, 0), (2, 3)])
def test_nets_of_grids_keep_the_models_contract(stride, middle):
    sizes = {"width": 8, "channels": (3, 4), "stride": stride, "middle": middle, "most": 9}
    grids = torch.randint(10, (5, 2, 6, 7)).float()
    check_model(lambda: ActorCritic((2, 6, 7), 3, **sizes), grids, shapes=((5, 3), (5,)))
    check_model(lambda: QNet((2, 6, 7), 3, dueling=True, **sizes), grids, shapes=(5, 3))


def test_features_of_a_grid_tell_where_things_are():
    body = GridBody((1, 5, 5), channels=(4,), width=16, most=255)
    grids = torch.zeros(2, 1, 5, 5)
    grids[0, 0, 1, 1] = grids[1, 0, 3, 2] = 255
    assert not torch.allclose(*body(grids))
    assert body(grids).max() < 10


def test_dense_layers_see_the_middle_of_a_grid_as_it_is():
    body = GridBody((1, 7, 7), channels=(4,), middle=3, width=16)
    torch.nn.init.zeros_(body.convolutions[0].weight)
    one = torch.eye(49).view(49, 1, 7, 7)
    seen = body(one).any(1).view(7, 7)
    assert seen.nonzero().tolist() == [[row, column] for row in (2, 3, 4) for column in (2, 3, 4)]


def test_the_net_for_images_is_that_of_the_paper():
    common = pytest.importorskip("stable_baselines3.common.torch_layers")
    theirs = common.NatureCNN(Box(0, 255, (4, 84, 84), np.uint8), features_dim=512, normalized_image=True)
    ours = NatureCNN((4, 84, 84), width=512, most=255)
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    assert [a.shape for a, _ in pairs] == [b.shape for _, b in pairs]
    with torch.no_grad():
        for a, b in pairs:
            a.copy_(b)
    seen = torch.randint(256, (3, 4, 84, 84), dtype=torch.uint8)
    torch.testing.assert_close(ours(seen), theirs(seen / 255))
    torch.testing.assert_close(ours(seen), ours(seen.float()))


def test_large_grids_are_looked_at_as_images_unless_told_otherwise():
    assert isinstance(QNet((1, 36, 40), 3, width=8).trunk, NatureCNN)
    assert isinstance(ActorCritic((1, 36, 40), 3, width=8, body="grid").body, GridBody)
    assert isinstance(ActorCritic((1, 35, 40), 3, width=8).body, GridBody)
    with pytest.raises(ValueError, match="36 x 36"):
        QNet((1, 35, 40), 3, body="nature")


def test_a_policy_starts_undecided():
    torch.manual_seed(0)
    logits, _ = ActorCritic(4, 3)(torch.randn(100, 4))
    assert logits.softmax(1).sub(1 / 3).abs().max() < 0.02


def test_hidden_layers_start_orthogonal():
    weight = ActorCritic(64, 2).policy[0].weight
    torch.testing.assert_close(weight @ weight.T, 2 * torch.eye(64), atol=1e-4, rtol=0)


def test_what_actions_add_to_the_worth_of_a_state_has_mean_0():
    net = QNet(4, 3, width=8, dueling=True)
    made = net(torch.randn(5, 4))
    with torch.no_grad():
        net.advantage.bias += torch.tensor([1.0, 1.0, 1.0])
        torch.testing.assert_close(net(torch.zeros(1, 4)).mean(), net.value(net.trunk(torch.zeros(1, 4))).squeeze())
    assert made.shape == (5, 3)


def test_the_value_of_a_distribution_is_its_mean():
    logits = torch.tensor([[[0.0, 0.0, 100.0], [100.0, 0.0, 100.0]]])
    assert values_of(logits, torch.tensor([1.0, 2.0, 4.0])).tolist() == [[4.0, 2.5]]
    assert torch.equal(values_of(logits[:, 0], torch.zeros(1)), logits[:, 0])
