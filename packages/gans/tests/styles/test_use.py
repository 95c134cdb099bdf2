"""Commands on a tiny run of StyleGAN2: the table of mixed styles, truncation, projection of an image."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from torchworks.gans import StyleGAN2Generator
from torchworks.gans.commands import COMMANDS
from torchworks.gans.models.config import DCGANNet, StyleGAN2Net
from torchworks.gans.noise.mixing import mixing_table
from torchworks.gans.noise.predictor import CROSSOVER, FINE, TRUNCATION, bounded, build_generator, generator_config
from torchworks.gans.noise.recipes import dcgan
from torchworks.gans.styles.project import distance, find
from torchworks.gans.styles.recipes import stylegan2
from torchworks.shared.cli import main
from torchworks.shared.config import to_dict
from torchworks.shared.models.trained import TrainedModel
from torchworks.shared.runs.directory import write_json
from torchworks.shared.testing import check_predictor

NET = StyleGAN2Net(latent_dim=6, style_dim=8, mapping_layers=2, width=4, max_channels=8)


def gans(*words):
    return main("gans", default="dcgan", commands=COMMANDS, arguments=[str(word) for word in words])


def awake(net: StyleGAN2Generator) -> StyleGAN2Generator:
    """With noise that counts and a mean of w that is not 0, as after training."""
    torch.manual_seed(1)
    with torch.no_grad():
        net.mapping.mean.copy_(net.mapping(torch.randn(500, 6)).mean(0))
        for layer in net.synthesis.layers:
            layer.strength.fill_(0.1)
    return net.eval()


def saved(folder: Path, config, net) -> Path:
    """What a finished run leaves, as far as commands read it."""
    torch.manual_seed(0)
    plain = generator_config(net, 16, 1, ())
    predictor = build_generator(plain)
    golden = {"latent": torch.randn(2, net.latent_dim)}
    if isinstance(net, StyleGAN2Net):
        awake(predictor.net)
        golden |= {TRUNCATION: torch.tensor([1.0, 0.5]), FINE: torch.randn(2, net.latent_dim)}
        golden[CROSSOVER] = torch.tensor([1, 4])
    folder.mkdir()
    TrainedModel(builder="gans-generator", config=plain, net=predictor.net, golden=golden).save(folder, config, ())
    write_json(folder / "config.json", {"package": config.package, **to_dict(config)})
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("runs") / "styles", stylegan2(), NET)


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return awake(StyleGAN2Generator(16, 1, latent_dim=6, style_dim=8, mapping_layers=2, width=4, max_channels=8))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


# ---- sample ----------------------------------------------------------------------------------------------


def test_a_table_has_the_coarse_styles_of_rows_and_the_fine_ones_of_columns(net):
    rows, columns = torch.randn(2, 6), torch.randn(3, 6)
    table = mixing_table(net, rows, columns, cut=2).view(3, 4, 1, 16, 16)
    assert (table[0, 0] == 0.5).all()
    torch.testing.assert_close(table[0, 1:], (net(columns) / 2 + 0.5).clamp(0, 1))
    torch.testing.assert_close(table[1:, 0], (net(rows) / 2 + 0.5).clamp(0, 1))
    w, other = net.styles(net.mapping(rows)), net.styles(net.mapping(columns))
    mixed = net.synthesis(torch.cat([w[1:, :2], other[2:, 2:]], dim=1))
    torch.testing.assert_close(table[2, 3], (mixed[0] / 2 + 0.5).clamp(0, 1))


def test_sample_mixes_and_truncates(run, tmp_path, capsys):
    assert gans("sample", run, "--mix", "--n", 6, "--columns", 3, "--out", tmp_path) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "mix-seed0.png")
    assert pixels(tmp_path / "mix-seed0.png").shape == (3 * 66 + 2, 4 * 66 + 2, 3)
    assert gans("sample", run, "--n", 4, "--truncation", 0, "--no-grid", "--files", "--out", tmp_path) == 0
    mean = [pixels(tmp_path / f"seed0-{i:05d}.png") for i in range(4)]
    assert all(np.array_equal(image, mean[0]) for image in mean)
    assert gans("sample", run, "--n", 4, "--no-grid", "--files", "--out", tmp_path, "--overwrite") == 0
    assert not np.array_equal(pixels(tmp_path / "seed0-00000.png"), mean[0])


def test_what_has_no_styles_neither_mixes_nor_truncates_nor_projects(tmp_path, capsys):
    plain = saved(tmp_path / "plain", dcgan(), DCGANNet(latent_dim=6, width=4, discriminator_width=4))
    for words in (("sample", plain, "--mix"), ("sample", plain, "--truncation", 0.5)):
        assert gans(*words) == 2
        assert "is for generators with styles" in " ".join(capsys.readouterr().err.split())
    Image.new("L", (16, 16)).save(tmp_path / "a.png")
    assert gans("project", plain, tmp_path / "a.png", "--out", tmp_path / "out") == 2
    assert "The command project is for generators with styles" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--truncation", 2], "--truncation is 2; it must be from 0 to 1"),
        (["--mix", "--mix-from", 6], "--mix-from is 6; this run has 6 layers, so it must be from 1 to 5"),
        (["--mix", "--n", 400], "A table of 20 rows and 20 columns is too large"),
    ],
)
def test_mistakes_get_one_paragraph(run, tmp_path, capsys, words, told):
    assert gans("sample", run, "--out", tmp_path / "out", *words) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


# ---- project ---------------------------------------------------------------------------------------------


def test_an_image_that_the_net_can_draw_is_found_nearer_than_by_chance(net):
    with torch.no_grad():
        targets = ((net(torch.randn(2, 6)).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    first, again = (find(net, targets, steps=100, seed=3) for _ in range(2))
    assert (first.found < first.nearest).all()
    assert (first.found < first.mean).all()
    assert torch.equal(first.images, again.images)
    for noise, size in zip(first.noise, net.synthesis.noise_sizes, strict=True):
        assert noise.shape == (2, 1, size, size)
        torch.testing.assert_close(noise.var(dim=(1, 2, 3), correction=0), torch.ones(2), rtol=1e-3, atol=1e-3)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_distance_counts_coarse_differences_more_than_fine_ones():
    flat = torch.zeros(1, 1, 16, 16)
    checks = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2.0 - 1
    assert distance(flat + 1, flat).item() == pytest.approx(1)
    assert distance(flat + checks, flat).item() == pytest.approx(1 / 3)  # gone at the two smaller sizes


def test_project_writes_what_it_found_and_says_what_it_did_to_images(run, tmp_path, capsys):
    Image.effect_noise((40, 30), 60).save(tmp_path / "wide.png")
    (tmp_path / "words.png").write_text("no image")
    words = (tmp_path / "wide.png", tmp_path / "words.png", "--steps", 5, "--out", tmp_path / "out")
    assert gans("project", run, *words) == 2
    captured = capsys.readouterr()
    assert "40 × 30 pixels; it is cropped at its middle to a square and resized to 16 × 16" in captured.out
    assert "words.png (it is not an image)" in " ".join(captured.err.split())
    assert pixels(tmp_path / "out" / "wide.png").shape[1] > 2.9 * pixels(tmp_path / "out" / "wide.png").shape[0]
    found = load_file(tmp_path / "out" / "wide.safetensors")
    assert found["w"].shape == (8,)
    assert [found[f"noise.{layer}"].shape[-1] for layer in range(5)] == [4, 8, 8, 16, 16]
    assert gans("project", run, *words) == 2
    assert "exists already" in " ".join(capsys.readouterr().err.split())


def test_project_never_replaces_an_image_that_it_reads(run, tmp_path, capsys):
    Image.new("L", (16, 16)).save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    assert gans("project", run, tmp_path / "a.png", "--steps", 1, "--out", tmp_path, "--overwrite") == 2
    assert "a.png would replace a file that is read" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "a.png").read_bytes() == before


def test_project_wants_images_and_a_number_of_steps(run, tmp_path, capsys):
    assert gans("project", run, "--out", tmp_path / "out") == 2
    assert "No images were given" in capsys.readouterr().err
    assert gans("project", run, tmp_path, "--steps", 0, "--out", tmp_path / "out") == 2
    assert "--steps is 0" in capsys.readouterr().err


# ---- served ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def predictor():
    made = build_generator(generator_config(NET, 16, 1, ()))
    awake(made.net)
    return made


def test_the_predictor_exports_for_any_number_of_rows_with_truncation_and_mixing(predictor):
    inputs = {spec.name: spec for spec in predictor.signature.inputs}
    assert [*inputs] == ["latent", TRUNCATION, FINE, CROSSOVER]
    assert inputs[TRUNCATION].default == 1
    assert (inputs[CROSSOVER].low, inputs[CROSSOVER].high, inputs[CROSSOVER].default) == (0, 6, 3)
    check_predictor(predictor)


def test_the_predictor_mixes_as_the_table_does(predictor):
    rows, columns = torch.randn(2, 6), torch.randn(2, 6)
    one = torch.ones(2)

    def drawn(cut: int) -> torch.Tensor:
        return predictor(rows, one, columns, torch.full((2,), cut))

    table = mixing_table(predictor.net, rows, columns, cut=2).view(3, 3, 1, 16, 16)
    torch.testing.assert_close(drawn(2), torch.stack([table[1, 1], table[2, 2]]))
    torch.testing.assert_close(drawn(6), table[1:, 0])
    torch.testing.assert_close(drawn(0), table[0, 1:])


@pytest.mark.parametrize("number", [0, 1e-20, 1e38, -3e38])
def test_any_latent_numbers_that_a_request_may_hold_give_an_image(predictor, number):
    extreme, cut = torch.full((1, 6), number), torch.full((1,), 3)
    assert predictor(extreme, torch.ones(1), extreme, cut).isfinite().all()
    plain = build_generator(generator_config(DCGANNet(latent_dim=6, width=4, discriminator_width=4), 16, 1, ()))
    assert plain(extreme).isfinite().all()
    assert (bounded(extreme).norm(dim=1) > 1e-3).all()  # ONNX's nets divide by that


def test_latent_numbers_that_were_drawn_stay_as_they_are():
    drawn = torch.randn(50, 6)
    assert torch.equal(bounded(drawn), drawn)


def test_a_run_that_was_saved_before_mixing_still_draws():
    config = generator_config(NET, 16, 1, ())
    del config["mixes"]
    predictor = build_generator(config)
    assert [spec.name for spec in predictor.signature.inputs] == ["latent", TRUNCATION]
    assert predictor(torch.randn(3, 6), torch.ones(3)).shape == (3, 1, 16, 16)
