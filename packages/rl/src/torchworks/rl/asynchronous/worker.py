"""What a worker does: it reads the shared weights, plays, and gives the gradient of what it has played."""

import contextlib
import signal
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import Tensor

from torchworks.rl.algorithms.a3c import flat_gradient
from torchworks.rl.asynchronous.config import AsynchronousConfig
from torchworks.rl.environments.experiment import training_environments
from torchworks.rl.environments.opening import kind_of
from torchworks.rl.policies.build import task_of
from torchworks.rl.policies.predictor import make_agent
from torchworks.rl.policies.sharing import Sharing
from torchworks.shared.config import UserError
from torchworks.shared.numbers.seeds import mix


def work(number: int, config: AsynchronousConfig, weights: Tensor, gradient: Tensor, orders: Connection) -> None:
    """The life of worker `number`. At each message of `orders` it reads `weights` (P,), writes `gradient` (P,), both in
    shared memory, and answers with numbers by their names; with an `error` if it cannot go on. It ends when nobody is
    left who could give an order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that gives the orders
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            _work(number, config, weights, gradient, orders)
        except UserError as error:
            orders.send({"error": str(error), "mistake": True})
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # whatever an environment does
            orders.send({"error": f"{type(error).__name__}: {error}", "mistake": False})


def _work(number: int, config: AsynchronousConfig, weights: Tensor, gradient: Tensor, orders: Connection) -> None:
    torch.set_num_threads(1)
    kind = kind_of(config.data)
    agent = make_agent(kind, config.net)
    environments = training_environments(kind, config, config.rollout.environments, number)
    seed = mix(config.seed, "worker", number) if number else config.seed
    task = task_of(agent, environments, config, seed=seed, sharing=Sharing())
    batches = task.rollouts.iter_from(0)
    while True:
        orders.recv()
        _read(weights, list(agent.parameters()))
        out = task.loss("learn", next(batches))
        agent.zero_grad()
        out.loss.backward()
        gradient.copy_(flat_gradient(agent.parameters()))
        told: dict[str, Any] = {"loss": out.loss.item(), **{name: value.item() for name, value in out.logs.items()}}
        orders.send(told)


@torch.no_grad()
def _read(weights: Tensor, parameters: list[Tensor]) -> None:
    """Copy `weights` (P,) into the parameters. As views of one vector they would lie elsewhere in memory, and products
    would be rounded otherwise."""
    for parameter, part in zip(parameters, weights.split([each.numel() for each in parameters]), strict=True):
        parameter.copy_(part.view_as(parameter))
