"""The run directory: numbered, never overwritten, and readable by people."""

import dataclasses
import json
import math
import os
import shlex
import threading
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torchvision.utils import make_grid

from torchworks.shared import cli
from torchworks.shared.config import UserError
from torchworks.shared.runs import directory as run
from torchworks.shared.training import experiment
from torchworks.shared.training.metrics import JsonLines

# ---- where it is made --------------------------------------------------------------------------------------


def test_runs_of_one_recipe_and_data_are_numbered(tmp_path):
    for number in ("001", "002", "003"):
        assert run.create("gans", "dcgan", "digits", root=tmp_path) == tmp_path / "gans" / "dcgan-digits" / number
    (tmp_path / "gans" / "dcgan-digits" / "017").mkdir()
    (tmp_path / "gans" / "dcgan-digits" / "best so far").mkdir()
    assert run.create("gans", "dcgan", "digits", root=tmp_path).name == "018"
    assert run.create("gans", "cgan", "digits", root=tmp_path).name == "001"


def test_runs_started_together_get_numbers_of_their_own(tmp_path):
    made = []
    threads = [threading.Thread(target=lambda: made.append(run.create("p", "r", "d", root=tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in made) == [f"{number:03d}" for number in range(1, 9)]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("digits", "digits"),
        ("torchvision:CIFAR10", "cifar10"),
        ("folder:/a/b/My cats & dogs", "my-cats-dogs"),
        ("folder:/a/b/", "b"),
        ("csv:../x/rows.csv", "rows.csv"),
        ("folder:.", "data"),
        ("folder:/", "data"),
        ("folder:a/horses+folder:a/zebras", "horses-zebras"),
    ],
)
def test_the_directory_is_named_after_recipe_and_data(tmp_path, data, name):
    assert run.create("p", "r", data, root=tmp_path) == tmp_path / "p" / f"r-{name}" / "001"


def test_a_directory_of_ones_own_may_exist_but_not_hold_a_run(tmp_path):
    assert run.create("p", "r", "d", tmp_path) == tmp_path
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=rf"--resume {tmp_path}`.*another place with --out"):
        run.create("p", "r", "d", tmp_path)


def test_a_place_that_cannot_be_written_is_a_mistake_with_a_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be made: .*--out DIR"):
        run.create("p", "r", "d", tmp_path / "file" / "run")
    with pytest.raises(UserError, match=r"cannot be made: .*--out DIR"):
        run.create("p", "r", "d", root=tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_directory_is_found_out_at_once(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be made"):
        run.create("p", "r", "d", tmp_path)


def test_a_training_that_never_began_leaves_nothing(tmp_path):
    folder = run.create("p", "r", "d", root=tmp_path)
    for name in ("config.json", "env.json", "metrics.jsonl"):
        (folder / name).touch()
    run.discard(folder)
    assert not folder.exists()


@pytest.mark.parametrize("proof", ["metrics.jsonl", "checkpoints"])
def test_a_training_that_did_begin_is_never_discarded(tmp_path, proof):
    (tmp_path / "config.json").touch()
    (tmp_path / "checkpoints").mkdir() if proof == "checkpoints" else (tmp_path / proof).write_text("{}\n")
    run.discard(tmp_path)
    assert (tmp_path / "config.json").exists()


def test_discarding_spares_what_others_put_there(tmp_path):
    for name in ("config.json", "holiday.jpg"):
        (tmp_path / name).touch()
    run.discard(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


# ---- what is written ---------------------------------------------------------------------------------------


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "result.json"
    run.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        run.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_the_environment_names_versions_machine_and_command():
    about = run.environment("cpu, float32")
    assert about["libraries"]["torch"] == torch.__version__.partition("+")[0]
    assert about["device"] == "cpu, float32"
    assert about["processes"] == 1
    json.dumps(about)


def test_a_grid_shows_small_images_large_and_grey_ones_in_three_channels():
    images = torch.zeros(6, 1, 8, 8)
    images[1] = 1
    grid = run.picture_grid(images, columns=3)
    assert (grid.dtype, tuple(grid.shape)) == (torch.uint8, (3, 2 + 2 * 66, 2 + 3 * 66))
    assert grid[:, 40, 40].tolist() == [0, 0, 0]
    assert grid[:, 40, 100].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("count", "channels", "columns"), [(5, 3, 3), (6, 1, 3), (2, 3, 8), (1, 1, 3)])
def test_a_grid_is_torchvisions(count, channels, columns):
    images = torch.rand(count, channels, 64, 70)
    wanted = make_grid(images, nrow=columns, padding=2, pad_value=0.5)
    assert torch.equal(run.picture_grid(images, columns), (wanted * 255).round().to(torch.uint8))


def some_lines(folder):
    sink = JsonLines(folder / "metrics.jsonl")
    for step in range(10, 110, 10):
        bad = float("nan") if step == 50 else 1.0
        sink.write("train", step, {"d/loss": bad * 20 / step, "g/loss": step / 50, "lr": 0.1})
        if step % 50 == 0:
            sink.write("eval", step, {"accuracy": step / 120, "n_samples": 100})
    sink.close()


def test_curves_are_drawn_with_their_baselines(tmp_path):
    some_lines(tmp_path)
    run.draw_curves(tmp_path, {"accuracy_chance": 0.1})
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > 800
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 20)}
        assert {(31, 119, 180), (255, 127, 14), (128, 128, 128)} <= colors  # two losses, a dashed line


def test_curves_of_a_run_without_any_figure_are_drawn_too(tmp_path):
    (tmp_path / "metrics.jsonl").touch()
    run.draw_curves(tmp_path, {})
    assert (tmp_path / "curves.png").exists()


def test_the_card_says_how_it_was_made_what_it_reached_and_on_what(tmp_path, toy_recipes):
    source = SimpleNamespace(name="digits", licence="CC BY 4.0", notes=("1,797 images",))
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "samples-00000100.png").touch()
    result = {
        "accuracy": 0.98765, "accuracy_chance": 0.1, "steps": 100, "stopped_by": "steps",
        "findings": [{"step": 40, "cause": "the discriminator won", "action": "warn"}],
    }  # fmt: skip
    run.write_card(tmp_path, config=toy_recipes.gan(), result=result, sources=[source], about="A toy.")
    card = (tmp_path / "README.md").read_text()
    for words in (
        "# gan on ring\n\nThe recipe, ", "below:\n\nA toy.\n", "toy train gan --data ring --seed 3",
        "| accuracy | 0.9877 |", "| steps | 100 |",
        "- **digits**: CC BY 4.0\n  - 1,797 images", "![curves](curves.png)",
        "![last samples](samples/samples-00000100.png)", "- step 40: the discriminator won",
    ):  # fmt: skip
        assert words in card


def test_a_card_and_numbers_can_hold_whatever_a_run_came_to(tmp_path, toy_recipes):
    source = SimpleNamespace(name="mine", licence="mine", notes=("Classes no score counts: \udcff猫.",))
    run.write_card(tmp_path, config=toy_recipes.gan(), result={"map": math.nan}, sources=[source], about="")
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert r"no score counts: \udcff猫." in card  # a file name that is no text
    assert "| map | – |" in card
    run.write_json(tmp_path / "result.json", {"map": math.nan, "rows": [{"f1": math.inf}]})
    read = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert read == {"map": None, "rows": [{"f1": None}]}


def test_the_command_on_the_card_makes_the_same_configuration_again(toy_recipes, monkeypatch, tmp_path):
    preset = toy_recipes.gan()
    trainer = dataclasses.replace(preset.trainer, steps=7, clip=0.5, profile=True, max_minutes=1.5)
    optim = dataclasses.replace(preset.optim, milestones=(0.25, 0.5, 0.75), schedule="step")
    loader = dataclasses.replace(preset.loader, root=tmp_path / "with a space", workers=3)
    config = dataclasses.replace(preset, data="folder:my data", seed=-1, trainer=trainer, optim=optim, loader=loader)

    seen = []
    monkeypatch.setattr(experiment, "train", lambda config, **_: seen.append(config) or {})
    words = shlex.split(run.command(config))
    assert words[:3] == ["toy", "train", "gan"]
    assert cli.main("toy", "classifier", {}, words[1:]) == 0
    assert seen == [config]


def test_the_command_of_an_untouched_recipe_is_short(toy_recipes):
    assert run.command(toy_recipes.gan()) == "toy train gan --data ring --seed 3"
