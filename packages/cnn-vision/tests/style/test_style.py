"""Style transfer: runs of each recipe, and the command `stylize`."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.cnn_vision.models.vgg_features import small_layers
from torchworks.cnn_vision.style.pretext import cells
from torchworks.shared.cli import main
from torchworks.shared.models.predictor import check_golden, load_predictor


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """A run of the recipe features, as far as other recipes look at it, with weights that were never trained."""
    folder = tmp_path_factory.mktemp("features")
    torch.manual_seed(0)
    save_file(small_layers().state_dict(), folder / "model.safetensors")
    return folder


def test_cells_of_training_and_test_part_share_no_pixel_and_name_their_photograph():
    source = cells(16, 0)
    assert len(source.train) == 5 * len(source.test)
    assert len(source.schema["label"].classes) == int(source.train.tensors["label"].max()) + 1


# ---------------------------------------------------------------------------------------------------- whole runs

TINY = ["--steps", "2", "--loader.image-size", "32", "--trainer.batch-size", "2", "--size", "32", "--device", "cpu"]


@pytest.fixture(scope="module")
def runs(features, tmp_path_factory):
    folder = tmp_path_factory.mktemp("style")
    common = [*TINY, "--features", features]
    assert vision("train", "style-fast", *common, "--width", 4, "--style-size", 32, "--out", folder / "fast") == 0
    assert vision("train", "style-adain", *common, "--out", folder / "adain") == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fast", "adain"])
def test_a_run_has_scores_what_to_read_them_against_and_a_model(runs, name):
    result = json.loads((runs / name / "result.json").read_text())
    assert np.isfinite([result["style_loss"], result["style_loss_recolored"], result["style_loss_unchanged"]]).all()
    assert check_golden(runs / name) < 1e-3
    inputs = load_file(runs / name / "golden.safetensors")
    assert {value.shape[0] for value in inputs.values()} == {2}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fast", "adain"])
def test_the_model_exports_whole(runs, name):
    predictor = load_predictor(runs / name).eval()
    inputs = tuple(torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8) for _ in predictor.signature.inputs)
    rows = torch.export.Dim("N", min=1)
    program = torch.export.export(predictor, inputs, dynamic_shapes=(tuple({0: rows} for _ in inputs),))
    more = tuple(torch.cat([value, value[:1]]) for value in inputs)
    torch.testing.assert_close(program.module()(*more), predictor(*more), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_a_folder_of_photographs_is_trained_on_and_compared(features, tmp_path):
    for i in range(8):
        Image.effect_noise((40, 48), 20 + 10 * i).convert("RGB").save(tmp_path / f"{i}.png")
    words = ["--data", f"folder:{tmp_path}", "--features", features, "--width", 4, "--style-size", 32]
    assert vision("train", "style-fast", *TINY, *words, "--out", tmp_path / "run") == 0
    assert "style_loss_recolored" in json.loads((tmp_path / "run" / "result.json").read_text())


@pytest.mark.slow
def test_stylize_paints_by_each_method(runs, features, tmp_path):
    words = {
        "optimize": ["ihc", "--steps", "2", "--features", features],
        "fast": ["--run", runs / "fast"],
        "adain": ["ihc", "--run", runs / "adain", "--alpha", "0.5"],
    }
    for method, more in words.items():
        out = tmp_path / f"{method}.jpg"
        assert vision("stylize", "china", *more, "--method", method, "--size", 32, "--out", out) == 0
        with Image.open(out) as image:
            assert image.size == (48, 32)


@pytest.mark.slow
def test_runs_that_do_not_suit_are_named(runs, capsys, tmp_path):
    out = ["--out", tmp_path / "out.png"]
    for words, said in (
        (["china", "ihc", "--run", runs / "fast"], "remove STYLE"),
        (["china", "ihc", "--run", runs / "adain", "--method", "fast"], "not for fast"),
        (["china", "--run", runs / "adain"], "CONTENT STYLE"),
    ):
        assert vision("stylize", *words, *out) == 2
        assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chinna", "ihc"], "Did you mean 'china'"),
        (["china"], "CONTENT STYLE"),
        (["china", "ihc", "--size", "100"], "multiple of 8"),
        (["china", "ihc", "--alpha", "2"], "--alpha"),
        (["china", "ihc", "--steps", "0"], "--steps"),
        (["china", "ihc", "--out", "x.gif"], ".png"),
        (["china", "ihc", "--method", "adain"], "train the recipe style-adain"),
        (["china", "ihc", "--features", "nowhere.pth"], "nowhere.pth"),
    ],
)
def test_mistakes_are_explained_before_anything_is_computed(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert vision("stylize", *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_a_picture_is_not_replaced_unasked(features, capsys, tmp_path):
    (tmp_path / "out.png").write_text("mine")
    assert vision("stylize", "china", "ihc", "--features", features, "--out", tmp_path / "out.png") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "out.png").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["style-fast", "--size", "100"], "--size"),
        (["style-fast", "--style", "nobody"], "nobody"),
        (["style-adain", "--style-weight", "nan"], "--style-weight"),
        (["features", "--data", "digits"], "--data photos"),
    ],
)
def test_impossible_settings_are_refused(words, said, features, capsys, tmp_path):
    more = [] if words[0] == "features" else ["--features", features]
    assert vision("train", *words, *more, "--out", tmp_path / "run") == 2
    assert said in " ".join(capsys.readouterr().err.split())
