"""Style transfer: the losses by hand, statistics to the letter, nets that paint, and the command `stylize`."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision.models.vgg import cfgs, make_layers

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.cnn_vision.data.paintings import TEST, TRAIN, open_picture, photograph
from torchworks.cnn_vision.style.adain import Stylist, adain
from torchworks.cnn_vision.style.fast import Painter
from torchworks.cnn_vision.style.features import FeatureNet, SmallVGG, build_features, layer_names, small_layers
from torchworks.cnn_vision.style.gatys import optimise
from torchworks.cnn_vision.style.losses import (
    LAYERS,
    content_loss,
    gram,
    gram_loss,
    grams,
    recoloured,
    statistics,
    statistics_loss,
)
from torchworks.cnn_vision.style.pretext import cells
from torchworks.shared.cli import main
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import open_source
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.testing import check_model


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture
def normal():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """A run of the recipe features, as far as other recipes look at it, with weights that were never trained."""
    folder = tmp_path_factory.mktemp("features")
    torch.manual_seed(0)
    save_file(small_layers().state_dict(), folder / "model.safetensors")
    return folder


def test_the_gram_matrix_is_what_one_gets_by_hand():
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])  # two channels, two places
    assert gram(maps).tolist() == [[[2.5, 5.5], [5.5, 12.5]]]


def test_the_gram_matrix_forgets_where_things_are(normal):
    maps = normal(1, 3, 4, 4)
    moved = maps.flatten(2)[..., torch.randperm(16, generator=torch.Generator().manual_seed(0))].view(maps.shape)
    torch.testing.assert_close(gram(maps), gram(moved))


def test_after_adain_the_statistics_are_exactly_those_of_the_style(normal):
    content, style = normal(2, 5, 8, 8), 3 * normal(2, 5, 6, 4) + 1
    for ours, theirs in zip(statistics(adain(content, style)), statistics(style), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_equal_images_are_no_distance_apart(normal):
    maps = {"a": normal(2, 3, 4, 4), "b": normal(2, 4, 2, 2)}
    assert not content_loss(maps["a"], maps["a"]).any()
    assert not gram_loss(maps, grams(maps)).any()
    assert not statistics_loss(maps, maps).any()


def test_layers_have_the_names_of_the_papers():
    names = layer_names(make_layers(cfgs["E"]))
    assert names["relu1_1"] == 1
    assert names["relu4_1"] == 20
    assert names["relu5_4"] == 35
    assert len(names) == 16


def test_the_feature_net_gives_the_maps_of_the_vgg_inside(normal):
    layers = make_layers(cfgs["E"]).eval()
    net = FeatureNet(layers, (0.0,) * 3, (1.0,) * 3, ("relu1_1", "relu2_1"))
    images = normal(1, 3, 16, 16)
    torch.testing.assert_close(net(images)["relu2_1"], layers[:7](images))
    assert net.channels == {"relu1_1": 64, "relu2_1": 128}
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_batch_norm_is_worked_into_the_convolutions_without_changing_a_map(normal):
    net = SmallVGG(3, widths=(4, 6, 8, 8))
    images = normal(4, 3, 32, 32)
    net.train()(images)  # moves the running statistics
    net.eval()
    with torch.no_grad():
        torch.testing.assert_close(net.plain()(images), net.features(images), atol=1e-4, rtol=1e-4)


def test_cells_of_training_and_test_part_share_no_pixel_and_name_their_photograph():
    source = cells(16, 0)
    assert len(source.train) == 5 * len(source.test)
    assert len(source.schema["label"].classes) == int(source.train.tensors["label"].max()) + 1


def test_photographs_of_the_test_part_are_never_seen():
    assert not set(TRAIN) & set(TEST)
    source = open_source("photos", ImageConfig(image_size=16))
    assert source.train[0]["image"].shape == (3, 16, 16)
    assert open_source("styles", ImageConfig(image_size=16)).schema == source.schema


@pytest.mark.parametrize("size", [(32, 32), (30, 41)])
def test_the_painter_keeps_any_size(size, normal):
    assert Painter(4, 1)(normal(1, 3, *size).sigmoid()).shape == (1, 3, *size)


def test_the_painter_keeps_what_every_net_promises(normal):
    images = normal(2, 3, 16, 16).sigmoid()
    check_model(lambda: Painter(4, 1), images, shapes=(2, 3, 16, 16), unused=["*.bias"])


def test_without_style_the_stylist_decodes_the_content(normal):
    net = Stylist(build_features("small", LAYERS))
    content, style = 0.1 + 0.8 * normal(1, 3, 32, 32).sigmoid(), normal(1, 3, 24, 40).sigmoid()
    torch.testing.assert_close(net(content, style, 0.0), net.decode(net.encoder(content)["relu4_1"], content))
    assert net(content, style).shape == content.shape


def test_recoloured_images_have_the_colours_of_the_style(normal):
    images, style = normal(1, 3, 8, 8) / 20 + 0.5, normal(1, 3, 8, 8) / 30 + 0.4
    for ours, theirs in zip(statistics(recoloured(images, style)), statistics(style), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-2)


def test_optimisation_brings_the_style_nearer_and_is_the_same_each_time():
    net = build_features("small", LAYERS)
    generator = torch.Generator().manual_seed(0)
    content, style = torch.rand(1, 3, 32, 32, generator=generator), torch.rand(1, 3, 32, 32, generator=generator) ** 3
    losses = []
    first = optimise(net, content, style, steps=5, report=lambda step, loss: losses.append(loss))
    assert losses[-1] < losses[0]
    assert torch.equal(first, optimise(net, content, style, steps=5))
    assert 0 <= first.min() <= first.max() <= 1


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
    assert np.isfinite([result["style_loss"], result["style_loss_colours"], result["style_loss_unchanged"]]).all()
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
def test_stylize_paints_by_each_method(runs, features, tmp_path):
    words = {
        "optimise": ["ihc", "--steps", "2", "--features", features],
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
        (["china", "ihc", "--run", runs / "fast"], "leave out STYLE"),
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


def test_pictures_are_brought_to_size_upright_and_in_colour(tmp_path):
    file = tmp_path / "grey.png"
    Image.new("L", (100, 50), 7).save(file)
    assert open_picture(str(file), 32).shape == (3, 32, 64)
    assert photograph("china.jpg", 32).shape[1] == 32
    Image.new("L", (1000, 10)).save(file)
    with pytest.raises(UserError, match="crop it first"):
        open_picture(str(file), 32)


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
