"""The list of nets, and the command that prints it."""

from pathlib import Path

import pytest
from torch import nn

from torchworks.hybrid_multimodal import models
from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.models.registry import MODELS, find_model
from torchworks.shared.cli import main
from torchworks.shared.config import UserError

PIECES = ("captioner", "detr_backbone", "laplace_mixture", "message_passing", "set_loss")
"""Files that hold a part of nets, or what is computed with their answers."""
OTHERS = ("__init__", "commands", "parity", "parity_table", "registry")


@pytest.mark.parametrize("name", MODELS)
def test_a_net_of_the_list_is_there_and_says_what_it_is(name: str):
    net = find_model(name)
    assert issubclass(net, nn.Module)
    assert net.__doc__
    assert not net.__doc__.startswith("Base class")


def test_every_file_of_nets_is_in_the_list():
    files = {path.stem for folder in models.__path__ for path in Path(folder).glob("*.py")}
    assert files - {*PIECES, *OTHERS} == {place.partition(":")[0] for place in MODELS.values()}


def test_an_unknown_net_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="Did you mean 'cbam'"):
        find_model("cbma")


def test_the_command_lists_all(capsys: pytest.CaptureFixture):
    assert main("hybrid-multimodal", "recommend", COMMANDS, ["models"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in MODELS)
