"""From a configuration to an experiment of games against oneself: net, memory, games, task, baselines, the model."""

import dataclasses

import torch

from torchworks.rl.environments.games import four_rules as rules
from torchworks.rl.environments.games.four_matches import match, openings
from torchworks.rl.environments.games.four_opponents import at_random, opponent
from torchworks.rl.environments.opening import TRAINING, kind_of, source_of
from torchworks.rl.self_play.config import BoardGameConfig
from torchworks.rl.self_play.games import Games
from torchworks.rl.self_play.positions import Positions
from torchworks.rl.self_play.predictor import board_config, make_net
from torchworks.rl.self_play.task import JUDGES, BoardGameTask, score_name
from torchworks.shared.config import UserError
from torchworks.shared.data import LoaderFactory, Source
from torchworks.shared.data.dataset import TensorDataset
from torchworks.shared.machine.device import Device
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.training.experiment import Experiment

SELECTION, TEST = 40, 100
"""Games against each opponent by which a net is judged as it learns, and at the end."""


def build(config: BoardGameConfig, device: Device) -> Experiment:
    """Raises `UserError` if there are several processes."""
    if device.world > 1:
        raise UserError("A net plays against itself in one process: start `train` without torchrun.")
    net = make_net(config.net)
    games = Games(
        net,
        Positions(config.play.capacity),
        config.play,
        device,
        batch_size=config.trainer.batch_size,
        seed=config.seed,
    )
    loaders, source = LoaderFactory(config, device), games_source()
    own, both = openings(range(2))
    return Experiment(
        task=BoardGameTask(net, games, config, device),
        train=games,
        select=loaders.ordered(source.train),
        test=loaders.ordered(source.test),
        sources=(source,),
        models=(
            TrainedModel(
                builder="rl-board",
                config=board_config(config.net),
                net=net,
                golden={"observation": torch.from_numpy(rules.planes(own, both))},
            ),
        ),
        baselines=baselines,
    )


def games_source() -> Source:
    """The numbers of the games that a net is judged by. The two random moves that they begin with are of 49 kinds, so
    they occur in training too; what follows does not depend on training's seeds."""
    source = source_of(kind_of("ConnectFour-v0"))
    train, test = torch.arange(SELECTION) + TRAINING, torch.tensor(games_to_judge_by())
    return dataclasses.replace(
        source,
        licence="rules of this package: MIT",
        train=TensorDataset({"seed": train}, source.schema),
        test=TensorDataset({"seed": test}, source.schema),
    )


def games_to_judge_by(count: int = TEST) -> list[int]:
    """The numbers of `count` games that judge a net at the end."""
    return list(range(2 * TRAINING, 2 * TRAINING + count))


def baselines() -> dict[str, float]:
    """Random moves against the same opponents."""
    return {
        f"{score_name(name)}_random": match(at_random, opponent(name), games_to_judge_by()).share for name in JUDGES
    }
