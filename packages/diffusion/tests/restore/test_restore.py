"""What is known of an image stays as it is, whatever a model makes of the rest."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from torchworks.diffusion.restore.commands import Enlarge, Inpaint
from torchworks.diffusion.restore.restoring import known_means, noised, noisier, restore
from torchworks.diffusion.restore.use import Tool, enlarged, inpainted
from torchworks.shared.denoising import GRIDS, FlowPath, VariancePreservingPath
from torchworks.shared.numbers.stream import sample_normal

ALONE = ("filled-0.png", "filled-1.png")


@pytest.fixture
def digit(tmp_path):
    values = (np.arange(256).reshape(16, 16) * 7 % 256).astype("uint8")
    Image.fromarray(values).save(tmp_path / "digit.png")
    return tmp_path / "digit.png"


@pytest.mark.parametrize("recipe", ["flow", "ddpm", "edm"])
@pytest.mark.parametrize("resamplings", [1, 3])
def test_no_pixel_outside_of_the_hole_changes(trained, digit, recipe, resamplings):
    tool = Tool.of(Inpaint(trained(recipe), digit, box=(4, 4, 8, 8), n=3, steps=4, overwrite=True))
    given = tool.read(digit)
    hole = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    hole[..., 4:12, 4:12] = True
    filled = inpainted(tool, given, hole, resamplings)
    assert filled.shape == (3, 1, 16, 16)
    outside = ~hole.expand_as(filled)
    assert torch.equal(filled[outside], given.expand_as(filled)[outside])
    assert not torch.equal(filled[0], filled[1])


@pytest.mark.parametrize("recipe", ["flow", "ddpm", "edm"])
def test_the_means_of_an_enlarged_image_are_the_small_image(trained, digit, recipe):
    tool = Tool.of(Enlarge(trained(recipe), digit, factor=4, n=2, steps=4, overwrite=True))
    small = tool.read(digit, 4)
    large = enlarged(tool, small)
    expected = (small / 127.5 - 1).expand(2, 1, 4, 4)
    torch.testing.assert_close(F.avg_pool2d(large, 4), expected, rtol=0, atol=1e-6)


def test_a_projection_moves_a_block_as_little_as_it_must():
    small, drawn = torch.randn(1, 1, 2, 2), torch.randn(1, 1, 4, 4)
    moved = known_means(small)(drawn) - drawn
    blocks = F.unfold(moved, 2, stride=2)
    torch.testing.assert_close(blocks, blocks.mean(1, keepdim=True).expand_as(blocks))


@pytest.mark.parametrize("path", [FlowPath(), VariancePreservingPath()])
def test_going_back_to_a_noisier_level_has_that_levels_noise(path):
    level, below = path.level(0.7), path.level(0.4)
    draws = torch.Generator().manual_seed(0)
    image, noise, more = (torch.randn(200_000, generator=draws) for _ in range(3))
    x = noisier(noised(image, below, noise), below, level, more)
    left = x - level.alpha * image
    assert left.std().item() == pytest.approx(level.sigma, rel=0.01)


def test_what_is_restored_depends_on_the_noise_alone():
    def draw(seed: int) -> torch.Tensor:
        grid = GRIDS["uniform"](FlowPath(), 3)
        return restore(
            lambda x, level: x * 0.2, lambda x: x, grid, lambda i: sample_normal(seed, range(2), i + 1, 3)[:, -1]
        )

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))


def test_the_commands_write_the_pictures_they_print(trained, diffusion, digit, capsys, tmp_path):
    run = trained("flow")
    mask = np.zeros((16, 16), "uint8")
    mask[:, 8:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert diffusion("inpaint", run, digit, "--mask", tmp_path / "mask.png", "--steps", 2, "--n", 2, "--label", 3) == 0
    assert diffusion("enlarge", run, digit, "--factor", 2, "--steps", 2, "--n", 2) == 0
    assert diffusion("edit", run, digit, "--label", 8, "--steps", 2, "--n", 2) == 0
    printed = capsys.readouterr().out.split()
    assert [line.rsplit("/", 1)[-1] for line in printed] == [
        "digit-inpainted.png",
        "digit-enlarged.png",
        "digit-edited.png",
    ]
    for path in printed:
        with Image.open(path) as image:
            assert image.width > image.height  # the image, and two beside it


def test_each_drawn_image_can_be_had_alone_and_outside_of_the_hole_it_is_the_users(trained, diffusion, digit, tmp_path):
    words = ["--box", 4, 4, 8, 8, "--steps", 2, "--n", 2, "--files", "--out", tmp_path / "filled.png"]
    assert diffusion("inpaint", trained("flow"), digit, *words) == 0
    given, first, second = (np.array(Image.open(digit.with_name(name))) for name in ("digit.png", *ALONE))
    hole = np.zeros((16, 16), bool)
    hole[4:12, 4:12] = True
    assert np.array_equal(first[~hole], given[~hole])
    assert np.array_equal(second[~hole], given[~hole])
    assert not np.array_equal(first[hole], second[hole])


@pytest.mark.parametrize("name", ["digit.png", "mask.png"])
def test_what_is_read_is_never_replaced(trained, diffusion, digit, capsys, name):
    mask = np.zeros((16, 16), "uint8")
    mask[:8] = 255
    Image.fromarray(mask).save(digit.with_name("mask.png"))
    before = digit.with_name(name).read_bytes()
    words = ["--mask", digit.with_name("mask.png"), "--out", digit.with_name(name), "--overwrite"]
    assert diffusion("inpaint", trained("flow"), digit, *words) == 2
    assert "is a file that is read" in " ".join(capsys.readouterr().err.split())
    assert digit.with_name(name).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inpaint", "IMAGE"], "Say where the hole is"),
        (["inpaint", "IMAGE", "--box", 10, 10, 8, 8], "not within"),
        (["inpaint", "IMAGE", "--box", 0, 0, 16, 16], "covers all"),
        (["inpaint", "IMAGE", "--mask", "BLACK"], "covers nothing"),
        (["inpaint", "IMAGE", "--mask", "LARGE"], "has 20 × 16 pixels"),
        (["inpaint", "IMAGE", "--box", 1, 1, 2, 2, "--guidance", 3], "no class is asked for"),
        (["edit", "IMAGE", "--label", 9, "--guidance", 1e30, "--steps", 2], "no finite numbers"),
        (["inpaint", "missing.png", "--box", 1, 1, 2, 2], "cannot be read"),
        (["inpaint", "IMAGE", "--box", 1, 1, 2, 2, "--resamplings", 0], "--resamplings is 0"),
        (["enlarge", "IMAGE", "--factor", 3], "must divide"),
        (["enlarge", "IMAGE", "--factor", 1], "must divide"),
        (["edit", "IMAGE", "--label", "nine"], "no class 'nine'"),
        (["edit", "IMAGE", "--label", 9, "--strength", 0], "--strength is 0"),
        (["edit", "IMAGE", "--label", 9, "--n", 0], "--n is 0"),
    ],
)
def test_mistakes_get_a_sentence(trained, diffusion, digit, capsys, words, message):
    files = {"IMAGE": digit, "BLACK": digit.with_name("black.png"), "LARGE": digit.with_name("large.png")}
    Image.fromarray(np.zeros((16, 16), "uint8")).save(files["BLACK"])
    Image.fromarray(np.zeros((16, 20), "uint8")).save(files["LARGE"])
    name, image, *rest = [files.get(word, word) for word in words]
    assert diffusion(name, trained("flow"), image, *rest) == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("recipe", "jobs"), [("flow", 14), ("ddpm", 7)])
def test_scores_of_restoring_stand_beside_doing_nothing(trained, diffusion, capsys, recipe, jobs):
    """A model without classes is told none, and edits none."""
    run = trained(recipe)
    assert diffusion("evaluate", run, "--restore", "--n", 4, "--steps", 2, "--out", run / "restored") == 0
    assert diffusion("evaluate", run, "--restore", "--n", 4, "--out", run / "restored") == 2  # replaces nothing
    rows = json.loads((run / "restored" / "restore.json").read_text())["rows"]
    assert len(rows) == jobs
    assert all(row.get("changed", 0) == 0 and row.get("means_off", 0) < 1e-5 for row in rows)
    assert "black hole" in capsys.readouterr().out
    assert (run / "restored" / "restored.png").exists()
    assert diffusion("evaluate", run, "--restore", "--sweep") == 2


def test_a_picture_that_exists_is_kept(trained, diffusion, digit, capsys):
    words = ["edit", trained("flow"), digit, "--label", 8, "--steps", 2, "--n", 1]
    assert diffusion(*words) == 0
    assert diffusion(*words) == 2
    assert "--overwrite" in capsys.readouterr().err
