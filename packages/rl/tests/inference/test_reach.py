"""An answer to any finite observation is finite."""

import pytest
import torch

from torchworks.rl.actor_critic.config import ActorNet
from torchworks.rl.actor_critic.predictor import actor_config, build_actor
from torchworks.rl.environments.opening import kind_of
from torchworks.rl.policies.config import PolicyNet
from torchworks.rl.policies.predictor import build_policy, policy_config
from torchworks.rl.q_learning.config import QNetConfig
from torchworks.rl.q_learning.predictor import build_values, values_config

POLE, PENDULUM = kind_of("CartPole-v1"), kind_of("Pendulum-v1")
PREDICTORS = {
    "choices": lambda: build_policy(policy_config(POLE, PolicyNet())),
    "numbers": lambda: build_policy(policy_config(PENDULUM, PolicyNet())),
    "memory": lambda: build_policy(policy_config(POLE, PolicyNet(memory=8))),
    "values": lambda: build_values(values_config(POLE, QNetConfig(dueling=True))),
    "atoms": lambda: build_values(values_config(POLE, QNetConfig(atoms=11))),
    "actor": lambda: build_actor(actor_config(PENDULUM, ActorNet())),
}


@pytest.mark.parametrize("name", PREDICTORS)
def test_the_largest_numbers_there_are_get_a_finite_answer(name: str):
    torch.manual_seed(0)
    predictor = PREDICTORS[name]()
    wide = predictor.signature.inputs[0].shape[1]
    most = torch.finfo(torch.float32).max
    seen = most * torch.tensor([[(-1.0) ** (row * place) for place in range(int(wide))] for row in range(2)])
    states = [torch.zeros(2, *map(int, spec.shape[1:])) for spec in predictor.signature.inputs[1:]]
    with torch.no_grad():
        for answer in predictor(-seen, *states):
            assert torch.isfinite(answer.float()).all()
