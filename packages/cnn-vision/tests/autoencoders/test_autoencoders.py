"""Autoencoders: losses and previews, the commands, and that a run continues where it stopped."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from torchworks.cnn_vision.autoencoders.baselines import FILTERS, principal
from torchworks.cnn_vision.autoencoders.task import Autoencoding, Variational, peak_ratio, traversal
from torchworks.cnn_vision.commands import COMMANDS
from torchworks.cnn_vision.models.autoencoder import Autoencoder
from torchworks.cnn_vision.models.vae import VAE
from torchworks.shared.cli import main
from torchworks.shared.models.predictor import check_golden, load_predictor
from torchworks.shared.numbers.stream import StepRandom

TINY = [
    "--code", "16", "--width", "4", "--loader.image-size", "8", "--trainer.batch-size", "16",
    "--trainer.eval-every", "0", "--device", "cpu", "--precision", "fp32", "--optim.schedule", "constant"]  # fmt: skip


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture
def normal():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


def test_the_loss_is_minus_the_bound_for_beta_1_and_weighs_the_divergence_else(normal):
    torch.manual_seed(0)
    net, images = VAE(8, code=3, width=4), normal(6, 1, 8, 8).sigmoid()
    found = {}
    for beta in (1.0, 4.0):
        task = Variational(net, images, code=3, beta=beta, lr=1e-3)
        task.random = StepRandom(0).at("here", rows=6, total=6)
        out = task.loss("train", {"image": images})
        found[beta] = out.loss
        torch.testing.assert_close(out.loss, beta * out.logs["kl"] - out.logs["log_likelihood"])
    assert found[4.0] > found[1.0]
    task.random.at("here", rows=6, total=6)
    with torch.no_grad():
        scores = task.evaluate({"image": images})
    assert scores["elbo"][0] / 6 == pytest.approx(-found[1.0].item(), rel=1e-5)
    nats = -float(scores["elbo"][0])
    assert float(scores["bits_per_dim"][0]) == pytest.approx(nats / (64 * np.log(2)), rel=1e-5)


def test_a_traversal_changes_the_numbers_that_carry_most_one_at_a_time():
    codes = traversal(torch.zeros(4), torch.tensor([0.1, 3.0, 0.0, 2.0]), 5, rows=2).view(2, 5, 4)
    assert codes[0, :, 1].tolist() == pytest.approx([-2.5, -1.25, 0, 1.25, 2.5])
    assert codes[1, :, 3].tolist() == pytest.approx([-2.5, -1.25, 0, 1.25, 2.5])
    assert codes.count_nonzero() == 8


def test_the_signal_to_noise_ratio_is_that_of_skimage(normal):
    from skimage.metrics import peak_signal_noise_ratio

    clean, noisy = normal(1, 1, 9, 9).sigmoid(), normal(1, 1, 9, 9).sigmoid()
    expected = peak_signal_noise_ratio(clean.numpy(), noisy.numpy(), data_range=1.0)
    assert float(peak_ratio(noisy, clean)) == pytest.approx(expected, rel=1e-5)


def test_noisy_images_stay_within_what_a_file_can_hold(normal):
    task = Autoencoding(Autoencoder(8, width=4), torch.zeros(1, 1, 8, 8), noise=0.5, lr=1e-3)
    noisy = task.noisy(normal(4, 1, 8, 8).sigmoid(), StepRandom(0))
    assert 0 <= noisy.min() <= noisy.max() <= 1


def test_as_many_components_as_pixels_give_the_image_back(normal):
    images = normal(40, 1, 4, 4).sigmoid()
    torch.testing.assert_close(principal(images, images, 16), images, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_takes_noise_away(name, normal):
    method, strengths = FILTERS[name]
    clean = torch.zeros(1, 16, 16)
    clean[:, 3:11, 5:13] = 1  # not the same on its side
    noisy = (clean + 0.4 * normal(1, 16, 16)).clamp(0, 1)
    best = max(float(peak_ratio(torch.as_tensor(method(noisy.numpy(), s))[None], clean[None])) for s in strengths)
    assert best > float(peak_ratio(noisy[None], clean[None])) + 0.2


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A short training of each recipe."""
    folder = tmp_path_factory.mktemp("autoencoders")
    for recipe in ("autoencoder", "denoise", "vae"):
        assert vision("train", recipe, *TINY, "--steps", "8", "--out", folder / recipe) == 0
    return folder


@pytest.mark.parametrize(
    ("recipe", "score", "baseline"),
    [("autoencoder", "psnr", "psnr_pca"), ("denoise", "psnr_gain", "psnr_nl_means"), ("vae", "elbo", "elbo_mean")],
)
def test_a_run_has_its_score_what_to_read_it_against_and_a_model(runs, recipe, score, baseline):
    result = json.loads((runs / recipe / "result.json").read_text())
    assert np.isfinite([result[score], result[baseline]]).all()
    assert check_golden(runs / recipe) < 1e-4


def test_a_vae_offers_a_sampler_and_a_reconstruction(runs):
    sampler, both = load_predictor(runs / "vae"), load_predictor(runs / "vae" / "reconstruction")
    assert sampler.predict({"latent": torch.zeros(3, 16)})["image"].shape == (3, 1, 8, 8)
    found = both.predict({"image": torch.zeros(2, 1, 8, 8, dtype=torch.uint8)})
    again = sampler.predict({"latent": found["code"]})
    torch.testing.assert_close(again["image"], found["restored"])


@pytest.mark.parametrize("name", ["restored", "drawn", "between", "traversal"])
def test_a_vae_leaves_pictures(runs, name):
    assert list((runs / "vae" / "samples").glob(f"*{name}*.png"))


def test_drawn_images_are_the_same_for_the_same_seed_however_many(runs, tmp_path):
    for name, words in (("a", ["--n", "1"]), ("b", ["--n", "1"]), ("c", ["--n", "1", "--seed", "1"])):
        assert vision("draw", runs / "vae", "--out", tmp_path / f"{name}.png", *words) == 0
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b != c


def test_restore_writes_every_image_it_can_and_names_the_others(runs, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    Image.new("L", (20, 20), 90).save(tmp_path / "in" / "one.png")
    (tmp_path / "in" / "bad.png").write_text("no image")
    for recipe in ("denoise", "vae"):
        assert vision("restore", runs / recipe, tmp_path / "in", "--out", tmp_path / recipe) == 2
        assert "bad.png" in capsys.readouterr().err
        with Image.open(tmp_path / recipe / "one.png") as image:
            assert image.size == (8, 8)
    assert vision("restore", runs / "vae", tmp_path / "in", "--out", tmp_path / "vae") == 2
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(("out", "said"), [("x.txt", "must end in .png"), ("mine.png", "--overwrite")])
def test_a_drawing_goes_into_a_picture_that_is_not_there_yet(runs, out, said, tmp_path, capsys):
    (tmp_path / "mine.png").write_text("mine")
    assert vision("draw", runs / "vae", "--out", tmp_path / out) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "mine.png").read_text() == "mine"


def test_a_run_of_another_recipe_is_named(runs, capsys):
    assert vision("draw", runs / "denoise") == 2
    assert "needs one of vae" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vae", "--beta", "-1"], "--beta"),
        (["vae", "--loader.image-size", "30"], "16, 24, 28, 32"),
        (["denoise", "--noise", "nan"], "--noise"),
        (["autoencoder", "--code", "0"], "--code"),
    ],
)
def test_impossible_settings_are_refused(words, said, capsys, tmp_path):
    assert vision("train", *words, "--out", tmp_path / "run") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_of_color_images_works(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    words = ["--data", f"folder:{tmp_path}", "--loader.root", tmp_path / "cache", "--steps", "2"]
    assert vision("train", "vae", *TINY, *words, "--out", tmp_path / "run") == 0
    assert load_predictor(tmp_path / "run").signature.outputs[0].shape == ("N", 3, 8, 8)


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_very_same_weights(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert vision("train", "vae", *TINY, "--steps", "8", "--out", whole) == 0
    assert vision("train", "vae", *TINY, "--steps", "4", "--out", parts) == 0
    assert vision("train", "--resume", parts, "--trainer.steps", "8") == 0
    ours, theirs = (load_file(run / "model.safetensors") for run in (whole, parts))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
