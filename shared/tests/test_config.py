"""A configuration survives its JSON file, and each mistake in it is named with its place."""

import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchworks.shared.config import (
    Config,
    Count,
    ImageConfig,
    Limited,
    OptimConfig,
    TrainerConfig,
    UserError,
    find_recipe,
    from_dict,
    nearest,
    recipes,
    to_dict,
)

examples = settings(deadline=None, max_examples=50, derandomize=True)


@dataclass(frozen=True)
class Net:
    widths: tuple[int, ...] = (8, 16)
    pair: tuple[int, float] = (1, 0.5)
    sizes: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class Recipe(Config):
    package: ClassVar[str] = "shop"

    loader: ImageConfig = field(default_factory=ImageConfig)
    net: Net = field(default_factory=Net)
    loss: Literal["hinge", "logistic"] = "hinge"
    weights: Path | None = None
    nets: tuple[Net, ...] = ()


@dataclass(frozen=True)
class Sized(Limited):
    group: ClassVar[str] = "net"

    widths: tuple[Count, ...] = (8,)
    """Each is limited."""


@pytest.mark.parametrize(("widths", "given"), [((8, 0), "8 0"), ((), "nothing")])
def test_the_values_of_a_tuple_have_limits_too_and_there_is_at_least_one(widths, given):
    with pytest.raises(
        UserError, match=f"--net.widths must be one number or several, each at least 1, but it is {given}"
    ):
        Sized(widths)


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0


def through_json(config: Config) -> Config:
    return from_dict(type(config), json.loads(json.dumps(to_dict(config))))


def test_a_configuration_survives_its_json_file():
    config = Recipe(
        recipe="bread",
        seed=7,
        loader=ImageConfig(image_size=64, channels=3, root=Path("a/b")),
        optim=OptimConfig(schedule="cosine", milestones=(0.1, 0.2, 0.3)),
        trainer=TrainerConfig(clip=1.0, ema=0.99),
        net=Net((1, 2, 3), (4, 5.5), ("N", 3)),
        loss="logistic",
        weights=Path("w.safetensors"),
        nets=(Net(), Net((9,))),
    )
    assert through_json(config) == config
    assert through_json(Recipe()) == Recipe()
    assert isinstance(through_json(config).net.widths, tuple)


@examples
@given(
    st.builds(
        OptimConfig,
        lr=st.floats(0, exclude_min=True, allow_infinity=False),
        schedule=st.sampled_from(["constant", "step"]),
        milestones=st.lists(st.floats(0, 1)).map(tuple),
    ),
    st.builds(TrainerConfig, steps=st.integers(0), clip=st.none() | st.floats(1e-3, 9), compile=st.booleans()),
)
def test_any_value_survives_exactly(optim, trainer):
    config = replace(Recipe(), optim=optim, trainer=trainer)
    assert through_json(config) == config


def test_fields_left_out_take_their_defaults():
    assert from_dict(Recipe, {"trainer": {"steps": 5}}) == Recipe(trainer=TrainerConfig(steps=5))


def test_whole_numbers_are_taken_for_fractions():
    optim = from_dict(OptimConfig, {"lr": 1, "milestones": [0, 1]})
    assert isinstance(optim.lr, float)
    assert optim.milestones == (0.0, 1.0)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"trainer": {"step": 5}}, r"configuration\.trainer has an unknown field 'step'\. Did you mean 'steps'"),
        ({"zzz": 1}, r"unknown field 'zzz'\.$"),
        ({"trainer": {"steps": "many"}}, r"configuration\.trainer\.steps should be int, but it is 'many'"),
        ({"trainer": {"steps": 1.5}}, r"steps should be int"),
        ({"trainer": {"steps": True}}, r"steps should be int, but it is True"),
        ({"trainer": {"compile": 1}}, r"compile should be bool"),
        ({"trainer": {"precision": "fp8"}}, r"should be 'auto' or 'fp32' or 'bf16' or 'fp16', but it is 'fp8'"),
        ({"trainer": {"clip": "tight"}}, r"clip should be float"),
        ({"trainer": 5}, r"configuration\.trainer must be a table of fields, but it is int"),
        ({"weights": 5}, r"weights should be Path"),
        ({"net": {"widths": [1, "2"]}}, r"net\.widths\[1\] should be int, but it is '2'"),
        ({"net": {"widths": 3}}, r"net\.widths should be tuple"),
        ({"net": {"pair": [1, 2, 3]}}, r"net\.pair should have 2 items, but it has 3"),
        ({"net": {"sizes": [1.5]}}, r"net\.sizes\[0\] should be int"),
        ({"nets": [{}, {"width": 1}]}, r"nets\[1\] has an unknown field 'width'\. Did you mean 'widths'"),
        ({"seed": None}, r"seed should be int, but it is None"),
        ([1, 2], "must be a table of fields, but it is list"),
    ],
)
def test_each_mistake_is_named_with_its_place(values, named):
    with pytest.raises(UserError, match=named):
        from_dict(Recipe, values)


def test_a_missing_field_without_default_is_named():
    with pytest.raises(UserError, match="The point lacks the field 'x'"):
        from_dict(Point, {"y": 1.0}, where="point")


@pytest.mark.parametrize(("word", "said"), [("dcgn", " Did you mean 'dcgan'?"), ("xyz", ""), ("", "")])
def test_a_slip_is_answered_with_the_nearest_name(word, said):
    assert nearest(word, ["dcgan", "r3gan"]) == said


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A stranger's installed package that offers two recipes."""
    (tmp_path / "shop_of_a_stranger.py").write_text(
        "from torchworks.shared.config import Config\n"
        "def bread():\n    return Config(recipe='bread')\n"
        "def cake():\n    return Config(recipe='cake')\n"
    )
    info = tmp_path / "shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[torchworks.recipes.shop]\ncake = shop_of_a_stranger:cake\nbread = shop_of_a_stranger:bread\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("shop")
def test_recipes_of_installed_packages_are_found_by_name():
    assert list(recipes("shop")) == ["bread", "cake"]
    assert find_recipe("shop", "cake")().recipe == "cake"
    assert recipes("nobody") == {}


@pytest.mark.usefixtures("shop")
def test_an_unknown_recipe_is_answered_with_the_nearest_and_all_known():
    with pytest.raises(UserError, match=r"no recipe 'braed' in shop\. Did you mean 'bread'\?.*bread, cake"):
        find_recipe("shop", "braed")


def test_configuration_does_not_import_torch():
    code = "import sys, torchworks.shared.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
