"""Images enlarged by a model that was trained to do so."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from torchworks.diffusion.models.config import UNetConfig
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.diffusion.superres.config import SuperresConfig
from torchworks.diffusion.superres.predictor import build_superres, open_enlarger, predictor_config
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.testing import check_predictor, randomize

FEW = ["--most-drawn", 16]


@pytest.fixture
def digit(tmp_path):
    values = (np.arange(256).reshape(16, 16) * 7 % 256).astype("uint8")
    Image.fromarray(values).save(tmp_path / "digit.png")
    return tmp_path / "digit.png"


def config(**more) -> SuperresConfig:
    return SuperresConfig(loader=ImageConfig(image_size=8), net=UNetConfig(widths=(8, 16)), **more)


@pytest.mark.parametrize("sampler", ["ddpm", "euler", "heun", "ab2", "dpmpp-2m", "unipc"])
@pytest.mark.parametrize("path", ["flow", "variance-exploding"])
def test_the_means_of_an_enlarged_image_are_the_small_image(sampler, path):
    """float32; the model draws by every sampler, and ddpm's is ddim's when it is served."""
    prediction = "edm" if path == "variance-exploding" else "flow"
    settings = config(
        process=ProcessConfig(path=path, prediction=prediction), sampling=SamplingConfig(sampler, steps=3)
    )
    predictor = build_superres(predictor_config(settings, (1, 8, 8)))
    randomize(predictor.net)
    small = torch.arange(8, dtype=torch.uint8).view(2, 1, 2, 2) * 4 + 100  # no pixel is cut off at black or white
    unit = small.float() / 127.5 - 1
    grid_noise = sample_normal(0, range(2), 64)
    with torch.no_grad():
        predicted = predictor.denoiser(unit, predictor.sampling)
        large = predicted(grid_noise.view(2, 1, 8, 8), predictor.process.path_of().level(1.0))
        drawn = predictor(grid_noise, small)
    torch.testing.assert_close(F.avg_pool2d(large, 4), unit, rtol=0, atol=1e-5)
    assert drawn.shape == (2, 1, 8, 8)


def test_images_are_drawn_as_they_are_alone(trained):
    enlarger = open_enlarger(trained("superres", *FEW))
    small = sample_normal(3, range(20), 1, 4, 4).clamp(-1, 1)
    many = enlarger.enlarge(small, seed=5)
    assert torch.equal(enlarger.enlarge(small[7:9], seed=5, start=7), many[7:9])
    torch.testing.assert_close(F.avg_pool2d(many, 4), small, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_the_predictor_is_exported_at_any_number_of_rows():
    predictor = build_superres(predictor_config(config(sampling=SamplingConfig(steps=2)), (1, 8, 8)))
    randomize(predictor.net)
    check_predictor(predictor)


def test_evaluate_stands_beside_interpolation(trained, diffusion, capsys):
    run = trained("superres", *FEW)
    assert diffusion("evaluate", run, "--steps", 1) == 0
    table = capsys.readouterr().out
    assert "bicubic" in table
    assert next(line for line in table.splitlines() if line.startswith("psnr")).split()[2:] == ["15.044", "14.027"]
    assert {path.name for path in (run / "evaluation").iterdir()} == {"evaluation.json", "enlarged.png"}
    assert diffusion("evaluate", run, "--steps", 1, "--out", run / "evaluation") == 2  # replaces nothing


def test_enlarge_writes_the_picture_it_prints(trained, diffusion, digit, capsys):
    assert diffusion("enlarge", trained("superres", *FEW), digit, "--n", 2, "--steps", 2) == 0
    path = capsys.readouterr().out.strip()
    assert path.endswith("digit-enlarged.png")
    with Image.open(path) as image:
        assert image.width > image.height


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["enlarge", "RUN", "IMAGE", "--factor", 2], "was trained to enlarge by 4"),
        (["enlarge", "RUN", "IMAGE", "--label", 3], "--label says nothing"),
        (["enlarge", "RUN", "IMAGE", "--guidance", 2], "--guidance says nothing"),
        (["enlarge", "RUN", "IMAGE", "--n", 0], "--n is 0"),
        (["enlarge", "RUN", "IMAGE", "--steps", 0], "at least 1"),
        (["inpaint", "RUN", "IMAGE", "--box", 1, 1, 2, 2], "this needs one that draws images of a class"),
        (["sample", "RUN"], "this needs one that draws images of a class"),
        (["copies", "RUN"], "this needs one that draws images of a class"),
        (["evaluate", "RUN", "--guidance", 2], "nothing for --guidance to strengthen"),
        (["evaluate", "RUN", "--n", 5], "Leave out --n"),
        (["evaluate", "RUN", "--restore"], "does not draw images from noise alone"),
    ],
)
def test_mistakes_get_a_sentence(trained, diffusion, digit, capsys, words, message):
    run = trained("superres", *FEW)
    assert diffusion(*[{"IMAGE": digit, "RUN": run}.get(word, word) for word in words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_factor_that_does_not_divide_the_size_is_refused():
    with pytest.raises(UserError, match="must divide --loader"):
        config(factor=3)


@pytest.mark.slow
def test_images_without_classes_are_enough(diffusion, home, tmp_path):
    """Photographs in a folder, in color."""
    draws = np.random.default_rng(0)
    for i in range(12):
        values = draws.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(values).resize((16, 16)).save(tmp_path / "images" / f"{i}.png")
    words = ["--data", f"folder:{tmp_path / 'images'}", "--loader.image-size", 8, "--factor", 2, *FEW]
    small = ["--trainer.steps", 2, "--trainer.batch-size", 4, "--net.widths", 8, 16, "--sampling.steps", 1]
    exact = ["--trainer.device", "cpu", "--trainer.precision", "fp32", "--out", tmp_path / "run"]
    assert diffusion("train", "superres", *words, *small, *exact) == 0
    assert open_enlarger(tmp_path / "run").predictor.shape == (3, 8, 8)
