"""Models by name."""

import subprocess
import sys

import pytest
from torch import nn

from torchworks.seq_models.models.registry import create_model, find_model, list_models, options_of
from torchworks.shared.config import UserError


@pytest.mark.parametrize("name", list_models())
def test_every_name_is_a_net_with_a_docstring(name: str):
    made = find_model(name)
    assert issubclass(made, nn.Module)
    assert (made.__doc__ or "").strip()
    assert options_of(name)


def test_a_model_is_made_by_name():
    assert create_model("lstm", 3, 5, num_layers=2).num_layers == 2


def test_unknown_names_and_options_are_refused_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'lstm'"):
        create_model("lsmt", 3, 5)
    with pytest.raises(UserError, match=r"lstm has no option 'layers'\..* It has: .*num_layers"):
        create_model("lstm", 3, 5, layers=2)


def test_listing_names_imports_no_torch():
    code = "import sys; from torchworks.seq_models.models.registry import list_models; list_models()"
    subprocess.run([sys.executable, "-c", f"{code}; assert 'torch' not in sys.modules"], check=True)
